/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_reserve(): room in advance, so that the table does not grow while it fills, and never shrinks below. */
#include "allocator_fixture.h"

static void makes_room_in_advance(void)
{
	struct rcumap *map = fixture_map(NULL);
	const uint64_t capacity = fixture_scaled(100000, 10000);
	struct rcumap_stats before, after;

	fixture_put(map, 0, 0, 24);
	is_int(rcumap_reserve(map, capacity), 0, "%s: reserve", fixture_name());
	before = fixture_stats(map);
	ok(before.table_slots >= capacity, "%s: the table is that large when it returns", fixture_name());
	ok(before.grown > 0, "%s: it grew", fixture_name());
	is_int(fixture_check(map, 0, NULL), 0, "%s: what was in the map still is", fixture_name());
	for (uint64_t i = 0; i < capacity; i++)
		fixture_put(map, i, i, 24);
	rcumap_barrier(map);
	after = fixture_stats(map);
	is_int(after.grown, before.grown, "%s: filled to the capacity it does not grow again", fixture_name());
	is_int(after.table_slots, before.table_slots, "%s: the table is the same", fixture_name());

	rcumap_clear(map);
	rcumap_barrier(map);
	is_int(fixture_stats(map).table_slots, before.table_slots, "%s: emptied it does not shrink below",
	       fixture_name());
	is_int(rcumap_reserve(map, 0), 0, "%s: less than there is needs nothing", fixture_name());
	is_int(rcumap_reserve(map, capacity), 0, "%s: nor does as much as there is", fixture_name());
	ok(fixture_stats(map).table_slots >= before.table_slots, "%s: and takes nothing away", fixture_name());
	fixture_destroy(map);
}

static void refuses(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	int inside;

	atomic_store(&allocator.bytes_max, 8 << 20);
	fixture_put(map, 1, 1, 24);

	is_int(rcumap_reserve(map, RCUMAP_CAPACITY_MAX + 1), -EINVAL, "%s: more than the maximum", fixture_name());
	is_int(rcumap_reserve(map, UINT64_MAX), -EINVAL, "%s: the largest number", fixture_name());
	is_int(rcumap_reserve(NULL, 1), -EINVAL, "%s: a NULL map", fixture_name());
	is_int(rcumap_reserve(map, RCUMAP_CAPACITY_MAX), -ENOMEM, "%s: more than there is memory for", fixture_name());
	is_int(rcumap_reserve(map, RCUMAP_CAPACITY_MAX), -ENOMEM, "%s: and once more", fixture_name());
	is_int(fixture_check(map, 1, NULL), 0, "%s: leaves the map as it was", fixture_name());
	is_int(fixture_put(map, 2, 2, 24), 0, "%s: and in working order", fixture_name());
	is_int(rcumap_reserve(map, 10000), 0, "%s: what fits is still granted", fixture_name());

	if (fixture_flavor != FLAVOR_QSBR) {
		rcumap_read_lock(map);
		inside = rcumap_reserve(map, 20000);
		rcumap_read_unlock(map);
		is_int(inside, -EDEADLK, "%s: not inside a read section", fixture_name());
	}
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

struct context {
	struct rcumap *map;
	uint64_t keys;
	_Atomic uint64_t bad;
};

/* Member 0 reserves, step by step; the others write and read their own keys. */
static void reserve_or_write(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		uint64_t number = i * 4 + me->index, turn = 0;

		if (me->index == 0) {
			if (i % 1024 == 0 && rcumap_reserve(c->map, 32 * i) != 0)
				atomic_fetch_add(&c->bad, 1);
		} else if (fixture_put(c->map, number, i, 24) != 0 || fixture_check(c->map, number, &turn) != 0 ||
			   turn != i) {
			atomic_fetch_add(&c->bad, 1);
		}
		flavor_quiescent(fixture_flavor);
	}
}

static void lets_others_work_meanwhile(void)
{
	struct context c = { fixture_map(NULL), fixture_scaled(20000, 2000), 0 };

	fixture_run(4, reserve_or_write, &c);
	is_int(c.bad, 0, "%s: others write and read while the table is enlarged", fixture_name());
	is_int(rcumap_count(c.map), 3 * c.keys, "%s: and nothing is lost", fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	makes_room_in_advance();
	refuses();
	lets_others_work_meanwhile();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
