/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shortest whole program: store, look up without copying, copy out, remove.
 *
 *     cc example_quick.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <stdio.h>

int main(void)
{
	struct rcumap *map;
	const struct rcumap_entry *entry;
	char copy[32];
	size_t size;

	if (rcumap_create(&map, NULL) != 0)
		return 1;
	if (rcumap_put(map, "colour", 6, "green", 5, RCUMAP_TTL_DEFAULT, NULL) != 0)
		return 1;

	rcumap_read_lock(map); /* the entry is valid until the section ends */
	entry = rcumap_find(map, "colour", 6);
	if (entry)
		printf("colour is %.*s\n", (int)rcumap_entry_value_size(entry),
		       (const char *)rcumap_entry_value(entry));
	rcumap_read_unlock(map);

	if (rcumap_get(map, "colour", 6, copy, sizeof copy, &size, NULL) == 0)
		printf("a copy of its %zu bytes: %.*s\n", size, (int)size, copy);

	if (rcumap_delete(map, "colour", 6) != 0 || rcumap_count(map) != 0)
		return 1;
	return rcumap_destroy(map) == 0 && entry ? 0 : 1;
}
