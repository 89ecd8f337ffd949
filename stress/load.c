/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache in front of a source: readers get what they want by rcumap_get_or_load(), with loaders that are fast, slow, or fail; now
 * and then in another's load. Writers change the source, and then put the new value into the map or delete the key there. Lives are
 * short, so that many miss the same key at once.
 *
 *     who asks after a put or delete has returned is given nothing that is older than that
 *     of a key that nobody writes no two loaders run at a time
 *     whoever waits does so until his deadline at most: none hangs (run.c), -ETIMEDOUT and -EAGAIN only where they may be
 *     what is held stays as it is (actor.c); nothing is left in the end but entries, and all are found (run.c)
 */
#include "actor.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>
#include <stdlib.h>

/* The first QUIET of them are written by nobody. */
#define KEYS 128u
#define QUIET 32u
#define LIFE_MS_MAX 10u
#define FORGETS_MS_MAX 5u

struct load {
	struct {
		_Alignas(64) _Atomic uint64_t source; /* the number of the value that a load gives */
		_Atomic uint64_t written; /* all that began after has this number or a higher one */
		_Atomic unsigned loading;
	} key[KEYS];
};

/* Each range of keys that is half as large is met twice as often: quiet keys, and others. */
static uint64_t draw_key(struct actor *me)
{
	uint64_t key = rng_below(&me->rng, (KEYS - QUIET) >> rng_below(&me->rng, 6));

	return rng_below(&me->rng, 2) ? QUIET + key : key % QUIET;
}

/* ------------------------------------------------------------------ loading */

static void take_time(struct actor *me)
{
	uint64_t dice = rng_below(&me->rng, 16);

	if (dice == 0)
		sleep_ns(rng_below(&me->rng, 2000000));
	else if (dice < 4)
		actor_yield(me);
}

static void load(void *ctx, struct actor *me, uint64_t key, struct loaded *loaded)
{
	struct load *l = ctx;

	/* seq_cst, all three: begin and end of a load are meant in real time, as is what was written. */
	if (atomic_fetch_add_explicit(&l->key[key].loading, 1, memory_order_seq_cst) != 0 && key < QUIET)
		violation(me->run, "key %ju is loaded by two threads at a time", (uintmax_t)key);
	loaded->number = atomic_load_explicit(&l->key[key].source, memory_order_seq_cst) + 1;
	flavor_online(me->run->flavor);
	take_time(me);
	flavor_offline(me->run->flavor);
	if (rng_below(&me->rng, 8) == 0)
		loaded->result = rng_below(&me->rng, 2) ? -ENOENT : -EIO;
	loaded->ttl_ms = rng_below(&me->rng, LIFE_MS_MAX + 1);
	atomic_fetch_sub_explicit(&l->key[key].loading, 1, memory_order_seq_cst);
}

/* Another key in the load of this one: the other's may be loaded by somebody who wants this one. */
static void load_within(void *ctx, struct actor *me, uint64_t key, struct loaded *loaded)
{
	struct sight sight;
	int r;

	load(ctx, me, key, loaded);
	flavor_online(me->run->flavor);
	r = actor_load(me, me->run->map, draw_key(me), load, ctx, RCUMAP_WAIT_FOREVER, 0, &sight);
	if (r == 0)
		actor_release(me, me->run->map, &sight);
	else if (r != -EDEADLK && r != -ENOENT && r != -EIO)
		violation(me->run, "get_or_load in a load of key %ju returned %d", (uintmax_t)key, r);
	flavor_offline(me->run->flavor);
}

static void get(struct actor *me, uint64_t key, bool within)
{
	static const uint64_t timeouts_ms[] = { 0, 1, 20, RCUMAP_WAIT_FOREVER };
	struct load *l = me->run->ctx;
	uint64_t timeout_ms = timeouts_ms[rng_below(&me->rng, 4)], forgets_ms = rng_below(&me->rng, FORGETS_MS_MAX);
	uint64_t written = atomic_load_explicit(&l->key[key].written, memory_order_seq_cst);
	struct sight sight;
	int r = actor_load(me, me->run->map, key, within ? load_within : load, l, timeout_ms, forgets_ms, &sight);

	if (r == 0) {
		if (sight.number <= written)
			violation(me->run, "key %ju was given with number %ju, after %ju had been written", (uintmax_t)key,
				  (uintmax_t)sight.number, (uintmax_t)written + 1);
		if (rng_below(&me->rng, 8) == 0)
			actor_yield(me);
		actor_release(me, me->run->map, &sight);
	} else if (r != -ENOENT && r != -EIO && !(r == -EAGAIN && timeout_ms == 0) &&
		   !(r == -ETIMEDOUT && timeout_ms != 0 && timeout_ms != RCUMAP_WAIT_FOREVER)) {
		violation(me->run, "get_or_load of key %ju, waiting for %ju ms, returned %d", (uintmax_t)key,
			  (uintmax_t)timeout_ms, r);
	}
}

static void read_keys(struct actor *me)
{
	while (!actor_stopping(me)) {
		get(me, draw_key(me), rng_below(&me->rng, 32) == 0);
		actor_turn_reading(me);
	}
}

/* ------------------------------------------------------------------ writing */

/* Each key has one writer: so of two values the later one is put later. */
static void write_keys(struct actor *me)
{
	struct load *l = me->run->ctx;
	const uint64_t writers = me->run->settings->writers, own = (KEYS - QUIET - me->index + writers - 1) / writers;

	while (!actor_stopping(me)) {
		uint64_t key = QUIET + me->index + writers * rng_below(&me->rng, own ? own : 1);

		if (!own)
			break;

		uint64_t number = atomic_fetch_add_explicit(&l->key[key].source, 1, memory_order_seq_cst) + 1;

		if (rng_below(&me->rng, 2))
			(void)actor_delete(me, me->run->map, key);
		else
			actor_demand(me, "put", key,
				     actor_store_for(me, me->run->map, VERB_PUT, key, number + 1, 0,
						     rng_below(&me->rng, LIFE_MS_MAX), NULL),
				     0);
		atomic_store_explicit(&l->key[key].written, number, memory_order_seq_cst);
		actor_turn(me);
		actor_breathe(me, me->run->map);
		if (rng_below(&me->rng, 4) == 0)
			actor_yield(me);
	}
}

/* ------------------------------------------------------------------ at rest */

static void check_keys(struct actor *outer)
{
	struct load *l = outer->run->ctx;

	for (uint64_t key = 0; key < KEYS; key++)
		if (atomic_load_explicit(&l->key[key].loading, memory_order_seq_cst) != 0)
			violation(outer->run, "key %ju is still being loaded", (uintmax_t)key);
	if (run_stats(outer->run, outer->run->map).held_entries != 0)
		violation(outer->run, "%ju entries are still held",
			  (uintmax_t)run_stats(outer->run, outer->run->map).held_entries);
}

void load_play(struct run *run)
{
	struct load *l = aligned_alloc(64, sizeof *l);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .check = check_keys };

	if (!l)
		violation(run, "no memory");
	*l = (struct load){ 0 };
	run->ctx = l;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(l);
}
