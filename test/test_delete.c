/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_delete(): removes a key and nothing else. */
#include "fixture.h"

static uint64_t seed;

static void removes_once(struct rcumap *map)
{
	is_int(rcumap_delete(map, "key", 3), -ENOENT, "%s: delete of an absent key", fixture_name());
	rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_put(map, "key2", 4, "value2", 6, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_delete(map, "key", 3), 0, "%s: delete", fixture_name());
	ok(fixture_lacks(map, "key", 3), "%s: the key is absent", fixture_name());
	ok(fixture_holds(map, "key2", 4, "value2", 6, 0), "%s: another key is not", fixture_name());
	is_int(rcumap_count(map), 1, "%s: counts one less", fixture_name());
	is_int(rcumap_delete(map, "key", 3), -ENOENT, "%s: a second delete finds nothing", fixture_name());
	is_int(rcumap_delete(map, "key2", 3), -ENOENT, "%s: the beginning of a key is another key", fixture_name());
	is_int(rcumap_count(map), 1, "%s: and counts nothing", fixture_name());
	is_int(rcumap_delete(map, "key2", 4), 0, "%s: the last one", fixture_name());
	is_int(rcumap_count(map), 0, "%s: leaves an empty map", fixture_name());
}

static void takes_turns_with_put(struct rcumap *map)
{
	const uint64_t turns = fixture_scaled(20000, 2000);
	uint64_t bad = 0, turn = 0;

	for (uint64_t i = 0; i < turns; i++)
		bad += fixture_put(map, 1, i, 24) != 0 || fixture_check(map, 1, &turn) != 0 || turn != i ||
		       fixture_delete(map, 1) != 0 || fixture_check(map, 1, NULL) != -ENOENT;
	is_int(bad, 0, "%s: a key comes and goes many times", fixture_name());
}

static void removes_many_in_any_order(struct rcumap *map)
{
	const uint64_t keys = fixture_scaled(10000, 1000);
	uint64_t *order = malloc(keys * sizeof *order), bad = 0;
	struct rng rng;

	rng_init(&rng, seed);
	for (uint64_t i = 0; i < keys; i++) {
		uint64_t j = rng_below(&rng, i + 1);

		order[i] = order[j];
		order[j] = i;
		fixture_put(map, i, i, 24);
	}
	for (uint64_t i = 0; i < keys; i++) {
		bad += fixture_delete(map, order[i]) != 0 || fixture_check(map, order[i], NULL) != -ENOENT;
		if (i % 100 == 0)
			for (uint64_t j = i + 1; j < keys && j < i + 50; j++)
				bad += fixture_check(map, order[j], NULL) != 0;
	}
	is_int(bad, 0, "%s: many keys go, each alone", fixture_name());
	is_int(rcumap_count(map), 0, "%s: none is left", fixture_name());
	free(order);
}

static void works_inside_the_callers_section(struct rcumap *map)
{
	rcumap_put(map, "inside", 6, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	is_int(rcumap_delete(map, "inside", 6), 0, "%s: delete inside the caller's section", fixture_name());
	ok(rcumap_find(map, "inside", 6) == NULL, "%s: the key is absent in the same section", fixture_name());
	rcumap_read_unlock(map);
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	removes_once(map);
	takes_turns_with_put(map);
	removes_many_in_any_order(map);
	works_inside_the_callers_section(map);
	fixture_destroy(map);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
