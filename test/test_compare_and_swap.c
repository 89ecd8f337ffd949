/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_compare_and_swap(): stores if and only if nobody has stored since. */
#include "fixture.h"

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t first = 0, second = 0, third = 0, untouched = 99;

	is_int(rcumap_compare_and_swap(map, "key", 3, 1, "x", 1, RCUMAP_TTL_DEFAULT, &untouched), -ENOENT,
	       "%s: an absent key", fixture_name());
	is_int(rcumap_compare_and_swap(map, "key", 3, 0, "x", 1, RCUMAP_TTL_DEFAULT, &untouched), -ENOENT,
	       "%s: an absent key has not version 0", fixture_name());
	ok(fixture_lacks(map, "key", 3), "%s: nothing is stored", fixture_name());

	rcumap_put(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &first);
	is_int(rcumap_compare_and_swap(map, "key", 3, first + 1, "x", 1, RCUMAP_TTL_DEFAULT, &untouched), -ESTALE,
	       "%s: another version", fixture_name());
	is_int(rcumap_compare_and_swap(map, "key", 3, 0, "x", 1, RCUMAP_TTL_DEFAULT, &untouched), -ESTALE,
	       "%s: version 0", fixture_name());
	is_int(rcumap_compare_and_swap(map, "key", 3, UINT64_MAX, "x", 1, RCUMAP_TTL_DEFAULT, &untouched), -ESTALE,
	       "%s: the largest version", fixture_name());
	ok(fixture_holds(map, "key", 3, "one", 3, first), "%s: leave value and version", fixture_name());
	is_int(untouched, 99, "%s: errors leave the output", fixture_name());

	is_int(rcumap_compare_and_swap(map, "key", 3, first, "second", 6, RCUMAP_TTL_DEFAULT, &second), 0,
	       "%s: the right version", fixture_name());
	ok(fixture_holds(map, "key", 3, "second", 6, second) && second != first, "%s: stores, under a new version",
	   fixture_name());
	is_int(rcumap_compare_and_swap(map, "key", 3, first, "x", 1, RCUMAP_TTL_DEFAULT, NULL), -ESTALE,
	       "%s: the right one of before", fixture_name());

	rcumap_delete(map, "key", 3);
	is_int(rcumap_compare_and_swap(map, "key", 3, second, "x", 1, RCUMAP_TTL_DEFAULT, NULL), -ENOENT,
	       "%s: after delete", fixture_name());
	rcumap_put(map, "key", 3, "second", 6, RCUMAP_TTL_DEFAULT, &third);
	is_int(rcumap_compare_and_swap(map, "key", 3, second, "x", 1, RCUMAP_TTL_DEFAULT, NULL), -ESTALE,
	       "%s: the same value stored anew is not the same version", fixture_name());

	rcumap_read_lock(map);
	is_int(rcumap_compare_and_swap(map, "key", 3, rcumap_entry_version(rcumap_find(map, "key", 3)), NULL, 0,
				       RCUMAP_TTL_DEFAULT, &third),
	       0, "%s: with the version of an entry found, inside the caller's section", fixture_name());
	rcumap_read_unlock(map);
	ok(fixture_holds(map, "key", 3, "", 0, third), "%s: stores", fixture_name());
	is_int(rcumap_count(map), 1, "%s: counts one", fixture_name());
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
