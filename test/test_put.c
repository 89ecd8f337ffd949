/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_put(): inserts or replaces, copies what it gets, and gives each entry a version of its own. */
#include "fixture.h"

static void inserts_then_replaces(struct rcumap *map)
{
	uint64_t first = 0, second = 0;

	is_int(rcumap_put(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &first), 0, "%s: put of an absent key",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "one", 3, first), "%s: is there, with its version", fixture_name());
	is_int(rcumap_count(map), 1, "%s: counts one", fixture_name());
	is_int(rcumap_put(map, "key", 3, "two and more", 12, RCUMAP_TTL_DEFAULT, &second), 0,
	       "%s: put of a present key", fixture_name());
	ok(fixture_holds(map, "key", 3, "two and more", 12, second), "%s: replaces the value", fixture_name());
	is_int(rcumap_count(map), 1, "%s: still counts one", fixture_name());
	ok(first != 0 && second != 0 && first != second, "%s: versions differ and are not 0", fixture_name());
	is_int(rcumap_put(map, "key", 3, "two and more", 12, RCUMAP_TTL_DEFAULT, &first), 0,
	       "%s: put of the same value", fixture_name());
	ok(first != second, "%s: also gives a new version", fixture_name());
	is_int(rcumap_put(map, "key", 3, "x", 1, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: nobody need ask for the version",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "x", 1, 0), "%s: a shorter value replaces a longer one", fixture_name());
}

static void copies_key_and_value(struct rcumap *map)
{
	char key[] = "my key", value[] = "my value";

	rcumap_put(map, key, 6, value, 8, RCUMAP_TTL_DEFAULT, NULL);
	memset(key, '?', 6);
	memset(value, '?', 8);
	ok(fixture_holds(map, "my key", 6, "my value", 8, 0), "%s: what the caller does with his copies is his affair",
	   fixture_name());
	ok(fixture_lacks(map, key, 6), "%s: the changed key is another one", fixture_name());
}

static void takes_empty_values(struct rcumap *map)
{
	is_int(rcumap_put(map, "none", 4, NULL, 0, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: a value may be NULL with size 0",
	       fixture_name());
	ok(fixture_holds(map, "none", 4, "", 0, 0), "%s: and is there with 0 bytes", fixture_name());
	is_int(rcumap_put(map, "none", 4, "", 0, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: a value may have 0 bytes",
	       fixture_name());
	ok(fixture_holds(map, "none", 4, "", 0, 0), "%s: and is there likewise", fixture_name());
}

static void every_byte_of_a_key_counts(struct rcumap *map)
{
	/* All within four bytes: prefixes of each other, zeros before and behind. */
	static const char *const keys[] = { "\0", "\0\0", "\0\0\0", "a", "a\0", "a\0\0", "\0a", "aa", "aaa", "aa\0" };
	static const size_t sizes[] = { 1, 2, 3, 1, 2, 3, 2, 2, 3, 3 };
	unsigned right = 0, n = sizeof keys / sizeof keys[0];

	for (unsigned i = 0; i < n; i++)
		rcumap_put(map, keys[i], sizes[i], &i, sizeof i, RCUMAP_TTL_DEFAULT, NULL);
	for (unsigned i = 0; i < n; i++)
		right += fixture_holds(map, keys[i], sizes[i], &i, sizeof i, 0);
	is_int(right, n, "%s: keys that are each other's beginnings are different keys", fixture_name());
}

static void works_inside_the_callers_section(struct rcumap *map)
{
	const struct rcumap_entry *entry;

	rcumap_read_lock(map);
	is_int(rcumap_put(map, "inside", 6, "1", 1, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: put inside the caller's section",
	       fixture_name());
	entry = rcumap_find(map, "inside", 6);
	ok(entry && *(const char *)rcumap_entry_value(entry) == '1', "%s: is found in the same section",
	   fixture_name());
	rcumap_read_unlock(map);
}

static void many_replacements_leave_one_entry(struct rcumap *map)
{
	const uint64_t turns = fixture_scaled(20000, 2000);
	uint64_t turn = 0, bad = 0;

	for (uint64_t i = 0; i < turns; i++)
		bad += fixture_put(map, 7, i, 24 + i % 233) != 0 || fixture_check(map, 7, &turn) != 0 || turn != i;
	is_int(bad, 0, "%s: each of many replacements is what is found next", fixture_name());
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	inserts_then_replaces(map);
	copies_key_and_value(map);
	takes_empty_values(map);
	every_byte_of_a_key_counts(map);
	works_inside_the_callers_section(map);
	many_replacements_leave_one_entry(map);
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
