/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters that all writers count up: even ones by compare_and_swap, odd ones by delete_if of the version that was read,
 * then add of the next number, which nobody else can add meanwhile. In the end each counter is the sum of what
 * succeeded, so no update was lost and none counted twice. Readers see each counter only grow.
 */
#include "actor.h"
#include "scenarios.h"

#include <errno.h>
#include <stdlib.h>

#define COUNTERS 32u

struct swap {
	_Atomic uint64_t counted[COUNTERS];
};

static void read_counters(struct actor *me)
{
	uint64_t last[COUNTERS] = { 0 };

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--) {
			uint64_t key = rng_below(&me->rng, COUNTERS);
			const struct sight *sight = section_find(me, key);

			if (!sight && key % 2)
				continue; /* between delete_if and add */
			if (!sight)
				violation(me->run, "counter %ju is absent, it is never deleted", (uintmax_t)key);
			if (sight->number < last[key])
				violation(me->run, "counter %ju went from %ju back to %ju", (uintmax_t)key,
					  (uintmax_t)last[key], (uintmax_t)sight->number);
			last[key] = sight->number;
		}
		section_close(me);
		actor_turn_reading(me);
	}
}

/* Did this thread count one up? */
static bool count_up(struct actor *me, uint64_t key)
{
	struct rcumap *map = me->run->map;
	struct sight old;
	int r;

	if (!actor_get(me, map, key, &old)) {
		if (key % 2 == 0)
			violation(me->run, "counter %ju is absent, it is never deleted", (uintmax_t)key);
		return false;
	}
	if (key % 2 == 0) {
		r = actor_store(me, map, VERB_SWAP, key, old.number + 1, old.version, NULL);
		if (r != 0)
			actor_demand(me, "compare_and_swap of a present key", key, r, -ESTALE);
		return r == 0;
	}
	if (actor_delete_if(me, map, key, old.version) != 0)
		return false;
	actor_demand(me, "add by whoever deleted the key", key,
		     actor_store(me, map, VERB_ADD, key, old.number + 1, 0, NULL), 0);
	return true;
}

static void write_counters(struct actor *me)
{
	struct swap *swap = me->run->ctx;

	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, COUNTERS);

		/* relaxed: summed up when all threads have ended. */
		if (count_up(me, key))
			atomic_fetch_add_explicit(&swap->counted[key], 1, memory_order_relaxed);
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

static void check_sums(struct actor *outer)
{
	struct swap *swap = outer->run->ctx;

	for (uint64_t key = 0; key < COUNTERS; key++) {
		uint64_t counted = atomic_load_explicit(&swap->counted[key], memory_order_relaxed);
		struct sight sight;

		if (!actor_get(outer, outer->run->map, key, &sight))
			violation(outer->run, "counter %ju is absent after the round", (uintmax_t)key);
		if (sight.number != counted + 1)
			violation(outer->run, "counter %ju is at %ju, from 1 it was counted up %ju times",
				  (uintmax_t)key, (uintmax_t)sight.number, (uintmax_t)counted);
	}
}

void swap_play(struct run *run)
{
	struct swap swap = { 0 };
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_counters },
					{ "writer", (unsigned)run->settings->writers, write_counters } },
			     .universe = COUNTERS,
			     .check = check_sums };
	struct actor outer;

	run->ctx = &swap;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	actor_init(&outer, run, 0);
	for (uint64_t key = 0; key < COUNTERS; key++)
		actor_demand(&outer, "add", key, actor_store(&outer, run->map, VERB_ADD, key, 1, 0, NULL), 0);
	run_rounds(run, &plan);
	run_destroy(run, run->map);
}
