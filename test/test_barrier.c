/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_barrier(): when it returns, what was retired before is reclaimed. */
#include "allocator_fixture.h"

#include <urcu/flavor.h>

static struct rcumap *map_of(struct fault_allocator *allocator)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.capacity = 20000;
	return fault_map(allocator, &options);
}

static void gives_back_what_was_retired(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator);
	const uint64_t keys = fixture_scaled(20000, 2000);
	int64_t before;
	struct rcumap_stats stats;

	is_int(rcumap_barrier(NULL), -EINVAL, "%s: a NULL map", fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: nothing to wait for", fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: twice", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, 0, 24);
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, 1, 24);
	is_int(rcumap_barrier(map), 0, "%s: after replacements", fixture_name());
	stats = fixture_stats(map);
	is_int(stats.retired_pending, 0, "%s: nothing is pending", fixture_name());
	is_int(stats.reclaimed, keys, "%s: all that was replaced is reclaimed", fixture_name());
	before = atomic_load(&allocator.blocks);
	for (uint64_t i = 0; i < keys; i++)
		fixture_delete(map, i);
	is_int(rcumap_barrier(map), 0, "%s: after deletions", fixture_name());
	stats = fixture_stats(map);
	is_int(stats.retired_pending, 0, "%s: nothing is pending", fixture_name());
	is_int(stats.reclaimed, 2 * keys, "%s: all that was deleted is reclaimed", fixture_name());
	ok(stats.grace_periods > 0, "%s: after a grace period", fixture_name());
	/* The records of retirement may stay a while longer: one for every four entries in debug builds. */
	ok(atomic_load(&allocator.blocks) <= before - (int64_t)keys * 2 / 3, "%s: to the allocator", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: destroy gives the rest back", fixture_name());
}

static void each_single_one(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator);
	const uint64_t turns = fixture_scaled(200, 50);
	uint64_t bad = 0;

	for (uint64_t i = 0; i < turns; i++) {
		fixture_put(map, 1, i, 24);
		fixture_delete(map, 1);
		bad += rcumap_barrier(map) != 0 || fixture_stats(map).reclaimed != i + 1;
	}
	is_int(bad, 0, "%s: a single retired entry does not have to wait for company", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

static void not_inside_a_section(void)
{
	struct rcumap *map = fixture_map(NULL);
	int inside;

	if (fixture_flavor == FLAVOR_QSBR) {
		skip(2, "a section of qsbr cannot be told");
	} else {
		rcumap_read_lock(map);
		inside = rcumap_barrier(map);
		rcumap_read_unlock(map);
		is_int(inside, -EDEADLK, "%s: refused inside a read section", fixture_name());
		is_int(rcumap_barrier(map), 0, "%s: granted after it", fixture_name());
	}
	fixture_destroy(map);
}

/* qsbr: the call is a quiescent state, and leaves the caller online or offline as he was. */
static void keeps_the_caller_online(void)
{
	const struct rcu_flavor_struct *rcu = flavor_rcu(fixture_flavor);
	struct rcumap *map = fixture_map(NULL);
	bool online, offline;

	if (fixture_flavor != FLAVOR_QSBR) {
		skip(2, "there is no online and offline");
	} else {
		online = rcumap_barrier(map) == 0 && rcumap_reserve(map, 100) == 0 && rcu->read_ongoing();
		flavor_offline(fixture_flavor);
		offline = rcumap_barrier(map) == 0 && rcumap_reserve(map, 1000) == 0 && !rcu->read_ongoing();
		flavor_online(fixture_flavor);
		ok(online, "%s: a caller who is online stays so", fixture_name());
		ok(offline, "%s: one who is offline, too", fixture_name());
	}
	fixture_destroy(map);
}

struct context {
	struct rcumap *map;
	uint64_t turns;
	_Atomic uint64_t bad;
};

/* Each member retires entries of its own and waits: its part of what is reclaimed must be done. */
static void retire_and_wait(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->turns; i++) {
		for (uint64_t k = 0; k < 20; k++)
			fixture_put(c->map, me->index * 100 + k, i, 24);
		/* `reclaimed` only rises; no more than the others' retirements can be pending. */
		if (rcumap_barrier(c->map) != 0)
			atomic_fetch_add(&c->bad, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void from_several_threads(void)
{
	struct context c = { fixture_map(NULL), fixture_scaled(200, 20), 0 };
	struct rcumap_stats stats;

	fixture_run(4, retire_and_wait, &c);
	is_int(c.bad, 0, "%s: several threads wait at once", fixture_name());
	stats = fixture_stats(c.map);
	is_int(stats.reclaimed, stats.replaced, "%s: all that they replaced is reclaimed, once each has waited",
	       fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	gives_back_what_was_retired();
	each_single_one();
	not_inside_a_section();
	keeps_the_caller_online();
	from_several_threads();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
