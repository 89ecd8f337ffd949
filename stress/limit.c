/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many more keys than the map may hold: writers store, delete, touch, give short lives; most that they store evicts another.
 * In every other round a reader stays in his section for half of it.
 *
 *     at no instant there are more entries than the limit
 *     whoever stores under an absent key is never refused
 *     what is found is whole, and was begun to be stored (actor.c, cache.h)
 *     with nobody writing no unit of the limit is lost: the first store that evicts does so when the map is full
 *     memory at rest is level over the rounds (run.c)
 *
 * How many are there at one instant a census tells (test/harness/census.h). While the reader stays, memory grows: what was
 * evicted waits for him, and there is no limit on bytes. Writers pause at RUN_PENDING_MAX, as everywhere.
 */
#include "actor.h"
#include "cache.h"
#include "scenarios.h"

#include "harness/census.h"

#define LIMIT 4096u
#define KEYS (16u * LIMIT)

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
	struct cache *cache = outer->run->ctx;
	struct rcumap *map = outer->run->map;
	struct rcumap_stats stats = run_stats(outer->run, map);
	const uint64_t evicted = stats.evicted;

	if (rcumap_count(map) > LIMIT || stats.inserted - stats.deleted - stats.expired - stats.evicted > LIMIT)
		violation(outer->run, "%ju entries at rest, at most %u may be", (uintmax_t)rcumap_count(map), LIMIT);
	for (uint64_t key = 0; stats.evicted == evicted; key++) {
		if (key == KEYS)
			violation(outer->run, "%u keys were stored, at most %u may be there, and none was evicted", KEYS,
				  LIMIT);
		(void)actor_store(outer, map, VERB_ADD, key, cache_next_number(cache, key), 0, NULL);
		stats = run_stats(outer->run, map);
		flavor_quiescent(outer->run->flavor);
	}
	if (stats.entries != LIMIT)
		violation(outer->run, "a store has evicted an entry though there were %ju, and %u may be",
			  (uintmax_t)stats.entries, LIMIT);
}

void limit_play(struct run *run)
{
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, cache_read },
					{ "writer", (unsigned)run->settings->writers, cache_write },
					{ "stalled", 1, cache_stay },
					{ "watcher", 1, watch } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .check = check_units };

	run->ctx = cache_new(run, KEYS);
	run->map = run_create(run, (struct rcumap_options){ .max_entries = LIMIT });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	cache_free(run->ctx);
}
