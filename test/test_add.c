/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_add(): stores if and only if the key is absent. */
#include "fixture.h"

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t first = 0, second = 99, third = 0;

	is_int(rcumap_add(map, "key", 3, "one", 3, RCUMAP_TTL_DEFAULT, &first), 0, "%s: add of an absent key",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "one", 3, first), "%s: stores it", fixture_name());
	is_int(rcumap_add(map, "key", 3, "two", 3, RCUMAP_TTL_DEFAULT, &second), -EEXIST, "%s: add of a present key",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "one", 3, first), "%s: leaves value and version", fixture_name());
	is_int(second, 99, "%s: leaves the output", fixture_name());
	is_int(rcumap_count(map), 1, "%s: counts one", fixture_name());
	is_int(rcumap_delete(map, "key", 3), 0, "%s: delete", fixture_name());
	is_int(rcumap_add(map, "key", 3, "three", 5, RCUMAP_TTL_DEFAULT, &third), 0, "%s: add after delete",
	       fixture_name());
	ok(fixture_holds(map, "key", 3, "three", 5, third), "%s: stores again", fixture_name());
	ok(third != first, "%s: under a new version", fixture_name());
	is_int(rcumap_add(map, "other", 5, NULL, 0, RCUMAP_TTL_DEFAULT, NULL), 0,
	       "%s: an empty value, version not asked for", fixture_name());
	ok(fixture_holds(map, "other", 5, "", 0, 0), "%s: is stored", fixture_name());

	rcumap_read_lock(map);
	is_int(rcumap_add(map, "inside", 6, "1", 1, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: add inside the caller's section",
	       fixture_name());
	is_int(rcumap_add(map, "inside", 6, "2", 1, RCUMAP_TTL_DEFAULT, NULL), -EEXIST, "%s: and once more",
	       fixture_name());
	ok(rcumap_find(map, "inside", 6) != NULL, "%s: is found in the same section", fixture_name());
	rcumap_read_unlock(map);
	is_int(fixture_stats(map).inserted, 4, "%s: a refused add is no insertion", fixture_name());
	is_int(fixture_stats(map).replaced, 0, "%s: nor a replacement", fixture_name());
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
