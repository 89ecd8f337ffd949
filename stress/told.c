/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Much to tell: a map with a limit and lives of milliseconds, with a callback for each entry that is evicted, replaced, deleted,
 * or has expired. The callback is slow now and then, and calls the map: it finds, gets, stores, removes, holds what it is told
 * of, and asks for what it may not. Readers load what they miss meanwhile.
 *
 *     each entry that was removed is told of, once, as it was, in one thread, one at a time, with the reason that the
 *     statistics count it for
 *     the callback is never told of a load, or of a value that was not stored
 *     a callback that would wait for itself is refused, and nothing hangs (run.c)
 */
#include "actor.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 1024u
#define KEYS (8u * LIMIT)
#define LIFE_MS_MAX 10u
#define HELD 64u
#define TOLD_NS_MAX UINT64_C(60000000000)

struct told {
	struct actor teller; /* the reclaimer's thread */
	_Atomic bool inside, at_rest; /* at rest it calls nothing */
	_Atomic uint64_t by_reason[RCUMAP_EVICTED + 1];
	const struct rcumap_entry *held[HELD]; /* the teller's own */
	struct run *run;
};

static void load(void *ctx, struct actor *me, uint64_t key, struct loaded *loaded)
{
	(void)ctx;
	(void)key;
	loaded->number = rng_u64(&me->rng) | 1;
	loaded->ttl_ms = rng_below(&me->rng, 2) ? RCUMAP_TTL_NEVER : rng_below(&me->rng, LIFE_MS_MAX);
	if (rng_below(&me->rng, 16) == 0)
		loaded->result = -ENOENT;
}

/* ------------------------------------------------------------------ the callback */

static uint64_t key_of(const struct rcumap_entry *entry)
{
	uint64_t key;

	memcpy(&key, rcumap_entry_key(entry), sizeof key);
	return key;
}

static void hold_some(struct told *told, const struct rcumap_entry *entry)
{
	const struct rcumap_entry **place = &told->held[rng_below(&told->teller.rng, HELD)];

	if (rcumap_hold(told->run->map, entry) != 0)
		violation(told->run, "an entry cannot be held in the callback");
	rcumap_release(told->run->map, *place);
	*place = entry;
}

static void demand_refusals(struct told *told, uint64_t key)
{
	struct actor *me = &told->teller;
	struct sight sight;

	actor_demand(me, "get_or_load in the callback", key,
		     actor_load(me, told->run->map, key, load, NULL, RCUMAP_WAIT_FOREVER, 0, &sight), -EDEADLK);
	actor_demand(me, "barrier in the callback", 0, rcumap_barrier(told->run->map), -EDEADLK);
}

/* What it stores may evict others, of which it is told in turn: less than one for each, or there would be no end. */
static void call_map(struct told *told, const struct rcumap_entry *entry)
{
	struct actor *me = &told->teller;
	struct rcumap *map = told->run->map;
	uint64_t key = key_of(entry), other = rng_below(&me->rng, KEYS);
	struct sight sight;

	switch (rng_below(&me->rng, 16)) {
	case 0:
		hold_some(told, entry);
		break;
	case 1:
		(void)actor_get(me, map, key, &sight);
		break;
	case 2:
		actor_demand(me, "put", key,
			     actor_store_for(me, map, VERB_PUT, key, rng_u64(&me->rng) | 1, 0,
					     1 + rng_below(&me->rng, LIFE_MS_MAX), NULL),
			     0);
		break;
	case 3:
		(void)actor_delete(me, map, other);
		break;
	case 4:
		(void)actor_touch(me, map, other, 1 + rng_below(&me->rng, LIFE_MS_MAX));
		break;
	case 5:
		demand_refusals(told, other);
		break;
	case 6:
		if (rng_below(&me->rng, 64) == 0)
			sleep_ns(rng_below(&me->rng, 1000000));
		break;
	default:
		break;
	}
}

static void tell(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;

	if (atomic_exchange(&told->inside, true))
		violation(told->run, "two callbacks run at a time");
	if (reason < RCUMAP_DELETED || reason > RCUMAP_EVICTED)
		violation(told->run, "reason %d is none", (int)reason);
	atomic_fetch_add(&told->by_reason[reason], 1);
	if (key_of(entry) < KEYS && !atomic_load(&told->at_rest))
		call_map(told, entry);
	atomic_store(&told->inside, false);
}

/* ------------------------------------------------------------------ readers and writers */

static void read_keys(struct actor *me)
{
	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, KEYS >> rng_below(&me->rng, 4));
		struct sight sight;
		int r = actor_load(me, me->run->map, key, load, NULL, RCUMAP_WAIT_FOREVER, rng_below(&me->rng, LIFE_MS_MAX),
				   &sight);

		if (r == 0)
			actor_release(me, me->run->map, &sight);
		else
			actor_demand(me, "get_or_load", key, r, -ENOENT);
		actor_turn_reading(me);
		actor_breathe(me, me->run->map);
	}
}

static void write_keys(struct actor *me)
{
	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, KEYS);

		if (rng_below(&me->rng, 8) == 0)
			(void)actor_delete(me, me->run->map, key);
		else
			actor_demand(me, "put", key,
				     actor_store_for(me, me->run->map, VERB_PUT, key, rng_u64(&me->rng) | 1, 0,
						     rng_below(&me->rng, 2) ? RCUMAP_TTL_NEVER :
									      rng_below(&me->rng, LIFE_MS_MAX),
						     NULL),
				     0);
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ at rest */

static bool is_balanced(struct told *told)
{
	struct rcumap_stats s = run_stats(told->run, told->run->map);

	return atomic_load(&told->by_reason[RCUMAP_DELETED]) == s.deleted &&
	       atomic_load(&told->by_reason[RCUMAP_REPLACED]) == s.replaced &&
	       atomic_load(&told->by_reason[RCUMAP_EXPIRED]) == s.expired &&
	       atomic_load(&told->by_reason[RCUMAP_EVICTED]) == s.evicted;
}

/* Until the next round, for all that is counted at rest. */
static void close_round(struct actor *outer)
{
	struct told *told = outer->run->ctx;

	atomic_store(&told->at_rest, true);
}

static void check_told(struct actor *outer)
{
	struct told *told = outer->run->ctx;
	uint64_t end = now_ns() + TOLD_NS_MAX;

	/* Callbacks that began before all came to rest may still be under way. */
	actor_demand(outer, "barrier", 0, rcumap_barrier(outer->run->map), 0);
	for (unsigned i = 0; i < HELD; i++) {
		rcumap_release(outer->run->map, told->held[i]);
		told->held[i] = NULL;
	}
	while (!is_balanced(told)) {
		struct rcumap_stats s = run_stats(outer->run, outer->run->map);

		if (now_ns() > end)
			violation(outer->run,
				  "%ju deleted, %ju replaced, %ju expired, %ju evicted; told of %ju, %ju, %ju, %ju",
				  (uintmax_t)s.deleted, (uintmax_t)s.replaced, (uintmax_t)s.expired, (uintmax_t)s.evicted,
				  (uintmax_t)atomic_load(&told->by_reason[RCUMAP_DELETED]),
				  (uintmax_t)atomic_load(&told->by_reason[RCUMAP_REPLACED]),
				  (uintmax_t)atomic_load(&told->by_reason[RCUMAP_EXPIRED]),
				  (uintmax_t)atomic_load(&told->by_reason[RCUMAP_EVICTED]));
		actor_demand(outer, "barrier", 0, rcumap_barrier(outer->run->map), 0);
	}
	atomic_store(&told->at_rest, false);
}

void told_play(struct run *run)
{
	struct told *told = calloc(1, sizeof *told);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .close = close_round,
			     .check = check_told };
	uint64_t entries, destroyed;

	if (!told)
		violation(run, "no memory");
	told->run = run;
	actor_init(&told->teller, run, UINT32_MAX);
	run->ctx = told;
	run->map = run_create(run, (struct rcumap_options){ .max_entries = LIMIT, .removed = tell, .removed_ctx = told });
	run_rounds(run, &plan);
	atomic_store(&told->at_rest, true);
	entries = rcumap_count(run->map);
	run_destroy(run, run->map);
	destroyed = atomic_load(&told->by_reason[RCUMAP_DESTROYED]);
	if (destroyed != entries)
		violation(run, "%ju entries were there at the end, of which %ju were told", (uintmax_t)entries,
			  (uintmax_t)destroyed);
	free(told);
}
