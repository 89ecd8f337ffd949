/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_delete_if(): removes a key if and only if nobody has stored since. */
#include "fixture.h"

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t first = 0, second = 0;

	is_int(rcumap_delete_if(map, "key", 3, 1), -ENOENT, "%s: an absent key", fixture_name());
	is_int(rcumap_delete_if(map, "key", 3, 0), -ENOENT, "%s: an absent key has not version 0", fixture_name());
	rcumap_put(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &first);
	is_int(rcumap_delete_if(map, "key", 3, first + 1), -ESTALE, "%s: another version", fixture_name());
	is_int(rcumap_delete_if(map, "key", 3, 0), -ESTALE, "%s: version 0", fixture_name());
	is_int(rcumap_delete_if(map, "key", 3, UINT64_MAX), -ESTALE, "%s: the largest version", fixture_name());
	rcumap_put(map, "key", 3, "two", 3, RCUMAP_TTL_DEFAULT, &second);
	is_int(rcumap_delete_if(map, "key", 3, first), -ESTALE, "%s: the version before a put", fixture_name());
	ok(fixture_holds(map, "key", 3, "two", 3, second), "%s: the key is still there", fixture_name());
	is_int(rcumap_count(map), 1, "%s: and counted", fixture_name());
	is_int(rcumap_delete_if(map, "key", 3, second), 0, "%s: the right version", fixture_name());
	ok(fixture_lacks(map, "key", 3), "%s: removes it", fixture_name());
	is_int(rcumap_delete_if(map, "key", 3, second), -ENOENT, "%s: once", fixture_name());
	rcumap_add(map, "key", 3, "two", 3, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_delete_if(map, "key", 3, second), -ESTALE, "%s: the same value stored anew is another version",
	       fixture_name());
	rcumap_read_lock(map);
	is_int(rcumap_delete_if(map, "key", 3, rcumap_entry_version(rcumap_find(map, "key", 3))), 0,
	       "%s: with the version of an entry found, inside the caller's section", fixture_name());
	rcumap_read_unlock(map);
	is_int(rcumap_count(map), 0, "%s: counts nothing", fixture_name());
	is_int(fixture_stats(map).deleted, 2, "%s: refused ones do not count as deleted", fixture_name());
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
