/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries are held beyond the section in which they were found, and handed on: a reader puts what he holds on a shelf, in the place
 * of what somebody else put there, which he releases, perhaps after he has held it once more. Meanwhile their keys are
 * replaced, deleted, touched, and expire.
 *
 * What is held must stay as it was when it was found. When all threads have ended, the map holds exactly what
 * lies on the shelf; when that is released too, all that was retired can be reclaimed (run.c). A map of which anything is held
 * refuses to be destroyed.
 */
#include "actor.h"
#include "scenarios.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 512u
#define SHELF 256u
#define LIFE_MS_MAX 20u

struct hold {
	_Atomic(struct sight *) shelf[SHELF];
};

/* ------------------------------------------------------------------ holding */

static struct sight *hold_sight(struct actor *me, const struct sight *sight)
{
	struct sight *held = malloc(sizeof *held);

	if (!held)
		violation(me->run, "no memory");
	actor_hold(me, me->run->map, sight);
	*held = *sight;
	return held;
}

static void release_sight(struct actor *me, struct sight *held)
{
	actor_release(me, me->run->map, held);
	free(held);
}

/* Outside of any section. */
static void hand_on(struct hold *hold, struct actor *me, struct sight *held)
{
	/* [acq_rel] pairs with itself: who takes it from the shelf sees it as it was put there. */
	struct sight *old =
		atomic_exchange_explicit(&hold->shelf[rng_below(&me->rng, SHELF)], held, memory_order_acq_rel);

	if (!old)
		return;
	if (rng_below(&me->rng, 2)) {
		struct sight *again = hold_sight(me, old);

		release_sight(me, old);
		actor_yield(me);
		old = again;
	}
	release_sight(me, old);
}

static void read_keys(struct actor *me)
{
	struct hold *hold = me->run->ctx;

	while (!actor_stopping(me)) {
		struct sight *held[ACTOR_SIGHTS];
		unsigned n = 0;

		section_open(me, me->run->map);
		for (unsigned i = 0; i < ACTOR_SIGHTS; i++) {
			const struct sight *sight = section_find(me, rng_below(&me->rng, KEYS));

			if (sight && rng_below(&me->rng, 4) == 0)
				held[n++] = hold_sight(me, sight);
		}
		section_close(me);
		while (n > 0)
			hand_on(hold, me, held[--n]);
		actor_turn_reading(me);
	}
}

/* ------------------------------------------------------------------ writing */

static void write_keys(struct actor *me)
{
	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, KEYS);
		uint64_t ttl_ms = rng_below(&me->rng, 2) ? RCUMAP_TTL_NEVER : rng_below(&me->rng, LIFE_MS_MAX);

		switch (rng_below(&me->rng, 8)) {
		case 0:
			actor_delete(me, me->run->map, key);
			break;
		case 1:
			actor_touch(me, me->run->map, key, ttl_ms);
			break;
		default:
			actor_demand(me, "put", key,
				     actor_store_for(me, me->run->map, VERB_PUT, key, rng_u64(&me->rng) | 1, 0, ttl_ms,
						     NULL),
				     0);
		}
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ with all threads ended */

static void demand_held(const struct actor *outer, uint64_t entries)
{
	struct rcumap_stats stats = run_stats(outer->run, outer->run->map);

	if (stats.held_entries != entries || (stats.held_bytes == 0) != (entries == 0))
		violation(outer->run, "%ju entries are held, stats say %ju, of %ju bytes", (uintmax_t)entries,
			  (uintmax_t)stats.held_entries, (uintmax_t)stats.held_bytes);
}

/* Several holds of one entry count once. */
static uint64_t count_distinct(const struct hold *hold)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SHELF; i++) {
		/* relaxed: all threads have ended. */
		const struct sight *sight = atomic_load_explicit(&hold->shelf[i], memory_order_relaxed),
				   *earlier = NULL;

		for (unsigned j = 0; sight && j < i && !earlier; j++) {
			earlier = atomic_load_explicit(&hold->shelf[j], memory_order_relaxed);
			if (earlier && earlier->entry != sight->entry)
				earlier = NULL;
		}
		n += sight && !earlier;
	}
	return n;
}

static void clear_shelf(struct actor *outer)
{
	struct hold *hold = outer->run->ctx;

	demand_held(outer, count_distinct(hold));
	for (unsigned i = 0; i < SHELF; i++) {
		struct sight *held = atomic_exchange_explicit(&hold->shelf[i], NULL, memory_order_relaxed);

		if (held)
			release_sight(outer, held);
	}
	demand_held(outer, 0);
}

/* Its entry is gone by then; what is held stays, and so does the map. */
static void demand_refusal(struct run *run)
{
	struct actor me;
	struct sight *held;

	actor_init(&me, run, 0);
	actor_demand(&me, "put", 0, actor_store_for(&me, run->map, VERB_PUT, 0, 1, 0, RCUMAP_TTL_NEVER, NULL), 0);
	section_open(&me, run->map);
	held = hold_sight(&me, section_find(&me, 0));
	section_close(&me);
	actor_demand(&me, "delete", 0, actor_delete(&me, run->map, 0), 0);
	actor_demand(&me, "barrier", 0, rcumap_barrier(run->map), 0);
	actor_demand(&me, "destroy of a map of which an entry is held", 0, rcumap_destroy(run->map), -EBUSY);
	release_sight(&me, held);
}

void hold_play(struct run *run)
{
	struct hold *hold = calloc(1, sizeof *hold);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .check = clear_shelf };

	if (!hold)
		violation(run, "no memory");
	run->ctx = hold;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	run_rounds(run, &plan);
	demand_refusal(run);
	run_destroy(run, run->map);
	free(hold);
}
