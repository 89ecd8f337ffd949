/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_clear(): removes all that was there when it began, and gives the memory back. */
#include "allocator_fixture.h"

static void empties_the_map(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options;
	const uint64_t keys = fixture_scaled(20000, 2000);
	uint64_t found = 0, refilled = 0;
	struct rcumap *map;
	int64_t empty, full;

	memset(&options, 0, sizeof options);
	options.capacity = keys; /* so that the table is the same, empty or full */
	map = fault_map(&allocator, &options);
	is_int(rcumap_clear(NULL), -EINVAL, "%s: a NULL map", fixture_name());
	is_int(rcumap_clear(map), 0, "%s: an empty map", fixture_name());
	rcumap_barrier(map);
	empty = atomic_load(&allocator.blocks);

	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 24);
	full = atomic_load(&allocator.blocks);
	is_int(rcumap_clear(map), 0, "%s: a full map", fixture_name());
	is_int(rcumap_count(map), 0, "%s: counts nothing", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		found += fixture_check(map, i, NULL) != -ENOENT;
	is_int(found, 0, "%s: no key is found", fixture_name());
	is_int(fixture_stats(map).deleted, keys, "%s: all are counted as deleted", fixture_name());
	rcumap_barrier(map);
	/* The records of retirement may stay a while longer: one for every four entries in debug builds. */
	ok(full >= empty + (int64_t)keys && atomic_load(&allocator.blocks) <= full - (int64_t)keys * 2 / 3,
	   "%s: after a barrier the entries' blocks are given back", fixture_name());

	is_int(rcumap_clear(map), 0, "%s: once more", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		refilled += fixture_put(map, i, i + 1, 32) == 0;
	for (uint64_t i = 0; i < keys; i++)
		found += fixture_check(map, i, NULL) == 0;
	ok(refilled == keys && found == keys, "%s: the map fills again", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: destroy gives every byte back", fixture_name());
}

static void works_inside_the_callers_section(void)
{
	struct rcumap *map = fixture_map(NULL);
	const struct rcumap_entry *entry;
	int result;

	rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	entry = rcumap_find(map, "key", 3);
	result = rcumap_clear(map);
	ok(entry && memcmp(rcumap_entry_value(entry), "value", 5) == 0,
	   "%s: an entry found before stays valid until the section ends", fixture_name());
	rcumap_read_unlock(map);
	is_int(result, 0, "%s: clear inside the caller's section", fixture_name());
	is_int(rcumap_count(map), 0, "%s: empties the map", fixture_name());
	fixture_destroy(map);
}

struct context {
	struct rcumap *map;
	uint64_t keys;
	_Atomic uint64_t survivors, lost;
};

/*
 * Member 0 stores keys of its own and clears, in turn: none of them may survive. The others store and delete theirs
 * meanwhile, which makes the table grow and shrink: what they store may go at once, but must not be torn.
 */
static void clear_or_churn(struct team_member *me)
{
	struct context *c = me->ctx;
	uint64_t turns = me->index ? c->keys * 4 : 20;

	for (uint64_t t = 0; t < turns; t++) {
		if (me->index) {
			uint64_t number = (UINT64_C(1) << 32) + t * 4 + me->index;
			int result;

			fixture_put(c->map, number, t, 24);
			result = fixture_check(c->map, number, NULL);
			if (result != 0 && result != -ENOENT)
				atomic_fetch_add(&c->lost, 1);
			if (t % 3 == 0)
				fixture_delete(c->map, number);
		} else {
			for (uint64_t i = 0; i < c->keys; i++)
				fixture_put(c->map, i, t, 24);
			if (rcumap_clear(c->map) != 0)
				atomic_fetch_add(&c->lost, 1);
			for (uint64_t i = 0; i < c->keys; i++)
				if (fixture_check(c->map, i, NULL) != -ENOENT)
					atomic_fetch_add(&c->survivors, 1);
		}
		flavor_quiescent(fixture_flavor);
	}
}

static void clears_under_writers(void)
{
	struct context c = { fixture_map(NULL), fixture_scaled(5000, 500), 0, 0 };

	fixture_run(3, clear_or_churn, &c);
	is_int(c.survivors, 0, "%s: under other writers nothing that was there before survives", fixture_name());
	is_int(c.lost, 0, "%s: and the others' entries are whole or gone", fixture_name());
	rcumap_clear(c.map);
	is_int(rcumap_count(c.map), 0, "%s: the last clear leaves an empty map", fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	empties_the_map();
	works_inside_the_callers_section();
	clears_under_writers();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
