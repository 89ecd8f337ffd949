/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_replace(): stores if and only if the key is present. */
#include "fixture.h"

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t first = 0, second = 99;

	is_int(rcumap_replace(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &second), -ENOENT,
	       "%s: replace of an absent key", fixture_name());
	ok(fixture_lacks(map, "key", 3), "%s: stores nothing", fixture_name());
	is_int(second, 99, "%s: leaves the output", fixture_name());
	is_int(rcumap_count(map), 0, "%s: counts nothing", fixture_name());
	rcumap_put(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &first);
	is_int(rcumap_replace(map, "key", 3, "second", 6, RCUMAP_TTL_DEFAULT, &second), 0,
	       "%s: replace of a present key", fixture_name());
	ok(fixture_holds(map, "key", 3, "second", 6, second), "%s: stores the value", fixture_name());
	ok(first != second, "%s: under a new version", fixture_name());
	is_int(rcumap_count(map), 1, "%s: counts one", fixture_name());
	is_int(rcumap_replace(map, "key", 3, NULL, 0, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: by an empty value",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "", 0, 0), "%s: which is there then", fixture_name());

	rcumap_read_lock(map);
	is_int(rcumap_replace(map, "key", 3, "inside", 6, RCUMAP_TTL_DEFAULT, NULL), 0,
	       "%s: replace inside the caller's section", fixture_name());
	rcumap_read_unlock(map);
	ok(fixture_holds(map, "key", 3, "inside", 6, 0), "%s: stays after it", fixture_name());
	rcumap_delete(map, "key", 3);
	is_int(rcumap_replace(map, "key", 3, "gone", 4, RCUMAP_TTL_DEFAULT, NULL), -ENOENT, "%s: replace after delete",
	       fixture_name());
	is_int(fixture_stats(map).inserted, 1, "%s: a replacement is no insertion", fixture_name());
	is_int(fixture_stats(map).replaced, 3, "%s: each is counted", fixture_name());
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
