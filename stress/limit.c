/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many more keys than the map may hold: writers store, delete, touch, give short lives; most that they store evicts another.
 * In every other round a reader stays in his section for half of it.
 *
 *     at no instant there are more entries than the limit
 *     whoever stores under an absent key is never refused
 *     what is found is whole, and was begun to be stored (actor.c, and a counter per key)
 *     with nobody writing no unit of the limit is lost: the first store that evicts does so when the map is full
 *     memory at rest is level over the rounds (run.c)
 *
 * How many are there at one instant a census tells (test/harness/census.h). While the reader stays, memory grows: what was
 * evicted waits for him, and there is no limit on bytes. Writers pause at RUN_PENDING_MAX, as everywhere.
 */
#include "actor.h"
#include "scenarios.h"

#include "harness/census.h"
#include "harness/clock.h"

#include <errno.h>
#include <stdlib.h>

#define LIMIT 4096u
#define KEYS (16u * LIMIT)
#define LIFE_MS_MAX 20u
#define STALL_NS_MAX UINT64_C(10000000000)

struct limit {
	_Atomic uint64_t begun[KEYS]; /* the highest number that a store of the key was begun with */
};

/* Each range of keys that is half as large is met twice as often. */
static uint64_t draw_key(struct actor *me)
{
	return rng_below(&me->rng, KEYS >> rng_below(&me->rng, 8));
}

/* ------------------------------------------------------------------ writing */

static uint64_t next_number(struct limit *limit, uint64_t key)
{
	/* seq_cst: "begun before it was found" is meant in real time; pairs with check_number(). */
	return atomic_fetch_add_explicit(&limit->begun[key], 1, memory_order_seq_cst) + 1;
}

struct renewal {
	struct limit *limit;
	uint64_t key;
};

static void renew(void *ctx, const struct sight *old, struct change *change)
{
	struct renewal *renewal = ctx;

	(void)old;
	change->number = next_number(renewal->limit, renewal->key);
}

static void write_key(struct limit *limit, struct actor *me, uint64_t key)
{
	struct rcumap *map = me->run->map;
	uint64_t dice = rng_below(&me->rng, 100);
	struct renewal renewal = { limit, key };

	if (dice < 45)
		actor_demand(me, "put", key, actor_store(me, map, VERB_PUT, key, next_number(limit, key), 0, NULL), 0);
	else if (dice < 60)
		(void)actor_store(me, map, VERB_ADD, key, next_number(limit, key), 0, NULL);
	else if (dice < 65)
		(void)actor_store(me, map, VERB_REPLACE, key, next_number(limit, key), 0, NULL);
	else if (dice < 75)
		actor_update(me, map, key, renew, &renewal, NULL);
	else if (dice < 85)
		(void)actor_delete(me, map, key);
	else if (dice < 90)
		(void)actor_touch(me, map, key, 1 + rng_below(&me->rng, LIFE_MS_MAX));
	else
		actor_demand(me, "put", key,
			     actor_store_for(me, map, VERB_PUT, key, next_number(limit, key), 0,
					     1 + rng_below(&me->rng, LIFE_MS_MAX), NULL),
			     0);
}

static void write_keys(struct actor *me)
{
	while (!actor_stopping(me)) {
		write_key(me->run->ctx, me, draw_key(me));
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ reading */

static void check_number(const struct limit *limit, struct actor *me, const struct sight *sight)
{
	uint64_t begun = atomic_load_explicit(&((struct limit *)limit)->begun[sight->key], memory_order_seq_cst);

	if (sight->number > begun)
		violation(me->run, "key %ju was found with number %ju, only %ju was ever begun", (uintmax_t)sight->key,
			  (uintmax_t)sight->number, (uintmax_t)begun);
}

static void read_keys(struct actor *me)
{
	const struct limit *limit = me->run->ctx;

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--) {
			uint64_t key = draw_key(me);
			struct sight copy;
			const struct sight *sight = rng_below(&me->rng, 8)			? section_find(me, key) :
						    actor_get(me, me->run->map, key, &copy) ? &copy :
												 NULL;

			if (sight)
				check_number(limit, me, sight);
		}
		section_close(me);
		actor_turn_reading(me);
	}
}

/* What was found stays as it is, however often it is evicted meanwhile. */
static void stay_inside(struct actor *me)
{
	uint64_t ns = me->run->ns / RUN_ROUNDS / 2, end = now_ns() + (ns < STALL_NS_MAX ? ns : STALL_NS_MAX);

	if (me->run->round % 2 == 0)
		return;
	section_open(me, me->run->map);
	for (uint64_t i = 0; i < ACTOR_SIGHTS; i++)
		(void)section_find(me, draw_key(me));
	while (!actor_stopping(me) && now_ns() < end)
		sleep_ns(1000000);
	section_close(me);
	actor_turn(me);
}

/* ------------------------------------------------------------------ watching the limit */

static void watch(struct actor *me)
{
	struct census census;

	census_init(&census, LIMIT);
	while (!actor_stopping(me)) {
		uint64_t there = census_take(&census, me->run->map);

		if (there > LIMIT)
			violation(me->run, "%ju entries were there at one instant, at most %u may be", (uintmax_t)there,
				  LIMIT);
		actor_turn_reading(me);
	}
	census_fini(&census);
}

/* ------------------------------------------------------------------ at rest */

/* Nothing has a deadline any more. Fill the map: the memory of all rounds is that of a full one. */
static void check_units(struct actor *outer)
{
	struct limit *limit = outer->run->ctx;
	struct rcumap *map = outer->run->map;
	struct rcumap_stats stats = run_stats(outer->run, map);
	const uint64_t evicted = stats.evicted;

	if (rcumap_count(map) > LIMIT || stats.inserted - stats.deleted - stats.expired - stats.evicted > LIMIT)
		violation(outer->run, "%ju entries at rest, at most %u may be", (uintmax_t)rcumap_count(map), LIMIT);
	for (uint64_t key = 0; stats.evicted == evicted; key++) {
		if (key == KEYS)
			violation(outer->run, "%u keys were stored, at most %u may be there, and none was evicted", KEYS,
				  LIMIT);
		(void)actor_store(outer, map, VERB_ADD, key, next_number(limit, key), 0, NULL);
		stats = run_stats(outer->run, map);
		flavor_quiescent(outer->run->flavor);
	}
	if (stats.entries != LIMIT)
		violation(outer->run, "a store has evicted an entry though there were %ju, and %u may be",
			  (uintmax_t)stats.entries, LIMIT);
}

void limit_play(struct run *run)
{
	struct limit *limit = calloc(1, sizeof *limit);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys },
					{ "stalled", 1, stay_inside },
					{ "watcher", 1, watch } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .check = check_units };

	if (!limit)
		violation(run, "no memory");
	run->ctx = limit;
	run->map = run_create(run, (struct rcumap_options){ .max_entries = LIMIT });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(limit);
}
