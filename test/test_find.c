/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_find() and the entry accessors: hits, misses, and what stays true of an entry until the section ends. */
#include "fixture.h"

static void empty_map_has_nothing(struct rcumap *map)
{
	rcumap_read_lock(map);
	ok(rcumap_find(map, "key", 3) == NULL, "%s: an empty map has no key", fixture_name());
	ok(rcumap_find(map, NULL, 3) == NULL, "%s: NULL is absent", fixture_name());
	ok(rcumap_find(NULL, "key", 3) == NULL, "%s: a NULL map has no key", fixture_name());
	ok(rcumap_find(map, "key", 0) == NULL, "%s: a key of 0 bytes is absent", fixture_name());
	ok(rcumap_find(map, "key", RCUMAP_KEY_SIZE_MAX + 1) == NULL, "%s: a key of 65536 bytes is absent, unread",
	   fixture_name());
	ok(rcumap_find(map, "key", SIZE_MAX) == NULL, "%s: a key of SIZE_MAX bytes is absent, unread", fixture_name());
	rcumap_read_unlock(map);
}

static void accessors_tell_what_was_put(struct rcumap *map)
{
	static const char key[] = "k\0ey", value[] = "va\0lue\xff";
	const struct rcumap_entry *entry;
	uint64_t version = 0;

	is_int(rcumap_put(map, key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, &version), 0, "%s: put",
	       fixture_name());
	rcumap_read_lock(map);
	entry = rcumap_find(map, key, sizeof key);
	if (ok(entry != NULL, "%s: a key that was put is found", fixture_name())) {
		is_int(rcumap_entry_key_size(entry), sizeof key, "%s: its key's size", fixture_name());
		is_mem(rcumap_entry_key(entry), key, sizeof key, "%s: its key's bytes", fixture_name());
		is_int(rcumap_entry_value_size(entry), sizeof value, "%s: its value's size", fixture_name());
		is_mem(rcumap_entry_value(entry), value, sizeof value, "%s: its value's bytes", fixture_name());
		ok(rcumap_entry_version(entry) == version && version != 0, "%s: its version is the one that put told",
		   fixture_name());
		ok(rcumap_entry_key(entry) != (const void *)key && rcumap_entry_value(entry) != (const void *)value,
		   "%s: both were copied in", fixture_name());
		ok(rcumap_find(map, key, sizeof key) == entry, "%s: it is found without a copy, twice the same",
		   fixture_name());
	}
	ok(rcumap_find(map, key, sizeof key - 1) == NULL, "%s: its beginning is another key", fixture_name());
	ok(rcumap_find(map, "k\0ey\0\0", sizeof key + 1) == NULL, "%s: with a zero more it is another key",
	   fixture_name());
	ok(rcumap_find(map, "k\0eY", sizeof key) == NULL, "%s: with another byte it is another key", fixture_name());
	rcumap_read_unlock(map);
}

static void entry_outlives_its_key_until_the_section_ends(struct rcumap *map)
{
	const struct rcumap_entry *first, *second;

	rcumap_put(map, "stay", 4, "first", 5, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	first = rcumap_find(map, "stay", 4);
	is_int(rcumap_put(map, "stay", 4, "second!", 7, RCUMAP_TTL_DEFAULT, NULL), 0,
	       "%s: replaced inside the reader's section", fixture_name());
	second = rcumap_find(map, "stay", 4);
	is_int(rcumap_delete(map, "stay", 4), 0, "%s: deleted inside the reader's section", fixture_name());
	ok(rcumap_find(map, "stay", 4) == NULL, "%s: the deleted key is absent at once", fixture_name());
	ok(first && rcumap_entry_value_size(first) == 5 && memcmp(rcumap_entry_value(first), "first", 5) == 0,
	   "%s: the replaced entry is as it was", fixture_name());
	ok(second && second != first && rcumap_entry_value_size(second) == 7 &&
		   memcmp(rcumap_entry_value(second), "second!", 7) == 0,
	   "%s: the deleted entry is as it was", fixture_name());
	ok(first && second && rcumap_entry_version(first) != rcumap_entry_version(second), "%s: their versions differ",
	   fixture_name());
	rcumap_read_unlock(map);
}

static void values_behind_keys_of_whole_words_are_aligned(struct rcumap *map)
{
	char key[64] = "";
	bool aligned = true;

	for (size_t size = 8; size <= sizeof key; size += 8) {
		const struct rcumap_entry *entry;

		rcumap_put(map, key, size, "12345678", 8, RCUMAP_TTL_DEFAULT, NULL);
		rcumap_read_lock(map);
		entry = rcumap_find(map, key, size);
		aligned = aligned && entry && (uintptr_t)rcumap_entry_value(entry) % 8 == 0;
		rcumap_read_unlock(map);
		rcumap_delete(map, key, size);
	}
	ok(aligned, "%s: values behind keys of a multiple of 8 bytes are aligned to 8", fixture_name());
}

static void each_of_many_is_found_and_no_other(struct rcumap *map)
{
	const uint64_t keys = fixture_scaled(20000, 2000);
	uint64_t found = 0, absent = 0, turn;

	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, 2 * i, i, 24 + i % 200);
	for (uint64_t i = 0; i < keys; i++) {
		found += fixture_check(map, 2 * i, &turn) == 0 && turn == i;
		absent += fixture_check(map, 2 * i + 1, &turn) == -ENOENT;
	}
	is_int(found, keys, "%s: each of many keys is found with its value", fixture_name());
	is_int(absent, keys, "%s: none of as many others is found", fixture_name());
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	empty_map_has_nothing(map);
	accessors_tell_what_was_put(map);
	entry_outlives_its_key_until_the_section_ends(map);
	values_behind_keys_of_whole_words_are_aligned(map);
	each_of_many_is_found_and_no_other(map);
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
