/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every verb on few keys by everybody, with the janitor's work in between; half of what is stored lives for some milliseconds only.
 * Each store has a number of its own:
 *
 *     writer << 40 | count of his stores
 *
 * So a reader can tell that nobody has begun to store what he finds (it is from nowhere), and that a writer's earlier store
 * came back after his later one had been seen under the same key: once displaced, an entry never returns. In the end
 * the map's counters must be the sums of what the writers were told.
 */
#include "actor.h"
#include "scenarios.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 512u
#define CAPACITY_MAX (4u * KEYS)
#define WRITER_SHIFT 40
#define LIFE_MS_MAX 50u
/* Operations of all threads between two of the janitor's. */
#define JANITOR_INTERVAL 4096u

struct mixed {
	_Atomic uint64_t stored, touched, deleted, clears; /* operations that were told to have succeeded */
	_Atomic uint64_t begun[];			   /* stores, per writer */
};

static void check_number(const struct mixed *mixed, struct actor *me, const struct sight *sight, uint64_t *last)
{
	uint64_t writers = me->run->settings->writers, writer = sight->number >> WRITER_SHIFT;
	uint64_t count = sight->number & ((UINT64_C(1) << WRITER_SHIFT) - 1), *seen;

	if (writer >= writers)
		violation(me->run, "key %ju has number %ju, of a writer that does not exist", (uintmax_t)sight->key,
			  (uintmax_t)sight->number);
	/* relaxed: the store that was found had begun before, and its publication brings that along. */
	if (count > atomic_load_explicit(&mixed->begun[writer], memory_order_relaxed))
		violation(me->run, "key %ju has number %ju, which nobody has begun to store", (uintmax_t)sight->key,
			  (uintmax_t)sight->number);
	seen = &last[sight->key * writers + writer];
	if (count < *seen)
		violation(me->run, "key %ju has store %ju of writer %ju, after his store %ju was seen",
			  (uintmax_t)sight->key, (uintmax_t)count, (uintmax_t)writer, (uintmax_t)*seen);
	*seen = count;
}

static uint64_t *new_last(const struct actor *me)
{
	uint64_t *last = calloc(KEYS * me->run->settings->writers, sizeof *last);

	if (!last)
		violation(me->run, "no memory");
	return last;
}

static void read_section(const struct mixed *mixed, struct actor *me, uint64_t *last)
{
	struct rcumap *map = me->run->map;

	section_open(me, map);
	for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--) {
		uint64_t key = rng_below(&me->rng, KEYS);
		struct sight copy;

		if (rng_below(&me->rng, 4) == 0) {
			if (actor_get(me, map, key, &copy))
				check_number(mixed, me, &copy, last);
		} else {
			const struct sight *sight = section_find(me, key);

			if (sight)
				check_number(mixed, me, sight, last);
		}
	}
	section_close(me);
	actor_turn_reading(me);
}

static void read_keys(struct actor *me)
{
	uint64_t *last = new_last(me);

	while (!actor_stopping(me))
		read_section(me->run->ctx, me, last);
	free(last);
}

/* ------------------------------------------------------------------ writing */

static uint64_t begin_store(struct mixed *mixed, const struct actor *me)
{
	/* relaxed: written by this thread alone; readers get it with what is published after it. */
	uint64_t count = atomic_load_explicit(&mixed->begun[me->index], memory_order_relaxed) + 1;

	atomic_store_explicit(&mixed->begun[me->index], count, memory_order_relaxed);
	return (uint64_t)me->index << WRITER_SHIFT | count;
}

static uint64_t draw_life(struct actor *me)
{
	return rng_below(&me->rng, 2) ? RCUMAP_TTL_NEVER : rng_below(&me->rng, LIFE_MS_MAX + 1);
}

/* relaxed: summed up when all threads have ended. */
static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void store(struct mixed *mixed, struct actor *me, enum verb verb, uint64_t key, uint64_t expected)
{
	uint64_t ttl_ms = draw_life(me), number = begin_store(mixed, me);

	if (actor_store_for(me, me->run->map, verb, key, number, expected, ttl_ms, NULL) == 0 && ttl_ms)
		count(&mixed->stored);
}

/* An update, and whether its function saw anything when it was last called. */
struct intent {
	struct change change;
	bool seen;
};

static void change(void *ctx, const struct sight *old, struct change *change)
{
	struct intent *intent = ctx;

	intent->seen = old != NULL;
	*change = intent->change;
}

static void update(struct mixed *mixed, struct actor *me, uint64_t key)
{
	struct intent intent = { .change = { .number = begin_store(mixed, me) } };

	intent.change.verdict = rng_below(&me->rng, 4) ? 0 : rng_below(&me->rng, 2) ? RCUMAP_KEEP : RCUMAP_REMOVE;
	intent.change.ttl_ms = intent.change.verdict == 0 && rng_below(&me->rng, 2) ? draw_life(me) : RCUMAP_TTL_KEEP;
	actor_update(me, me->run->map, key, change, &intent, NULL);
	if (intent.change.verdict == RCUMAP_REMOVE && intent.seen)
		count(&mixed->deleted);
	else if (intent.change.verdict == 0 && intent.change.ttl_ms)
		count(&mixed->stored);
}

static void write_once(struct mixed *mixed, struct actor *me)
{
	uint64_t key = rng_below(&me->rng, KEYS);
	struct sight old = { .version = 1 };
	int r = -ENOENT;

	switch (rng_below(&me->rng, 8)) {
	case 0:
		store(mixed, me, VERB_PUT, key, 0);
		break;
	case 1:
		store(mixed, me, VERB_ADD, key, 0);
		break;
	case 2:
		store(mixed, me, VERB_REPLACE, key, 0);
		break;
	case 3:
		actor_get(me, me->run->map, key, &old);
		store(mixed, me, VERB_SWAP, key, old.version);
		break;
	case 4:
		r = actor_delete(me, me->run->map, key);
		break;
	case 5:
		if (actor_touch(me, me->run->map, key, draw_life(me)) == 0)
			count(&mixed->touched);
		break;
	case 6:
		update(mixed, me, key);
		break;
	default:
		if (actor_get(me, me->run->map, key, &old))
			r = actor_delete_if(me, me->run->map, key, old.version);
	}
	if (r == 0)
		count(&mixed->deleted);
}

/* One in four writes happens in a section of the writer's own, with entries in his hands that may be just those. */
static void write_keys(struct actor *me)
{
	struct mixed *mixed = me->run->ctx;
	uint64_t *last = new_last(me);

	while (!actor_stopping(me)) {
		if (rng_below(&me->rng, 4) == 0) {
			section_open(me, me->run->map);
			for (unsigned i = 0; i < ACTOR_SIGHTS; i++) {
				const struct sight *sight = section_find(me, rng_below(&me->rng, KEYS));

				if (sight)
					check_number(mixed, me, sight, last);
				write_once(mixed, me);
			}
			section_close(me);
		} else {
			write_once(mixed, me);
		}
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
	free(last);
}

/* ------------------------------------------------------------------ the janitor */

static uint64_t changes(const struct rcumap_stats *stats)
{
	return stats->inserted + stats->replaced + stats->deleted + stats->expired;
}

/* Counters may be off by what happens while they are read, and by the operations in flight, but no more. */
static void check_counters(const struct actor *me)
{
	struct rcumap_stats before = run_stats(me->run, me->run->map), stats = run_stats(me->run, me->run->map), after;
	uint64_t count = rcumap_count(me->run->map), most = KEYS + 2 * me->run->settings->writers;

	after = run_stats(me->run, me->run->map);
	most += changes(&after) - changes(&before);
	if (stats.entries > most || stats.expiring > most || count > most)
		violation(me->run, "stats say %ju entries, %ju expiring, count says %ju, there are %u keys",
			  (uintmax_t)stats.entries, (uintmax_t)stats.expiring, (uintmax_t)count, KEYS);
}

static void keep(struct actor *me)
{
	struct mixed *mixed = me->run->ctx;
	struct rcumap *map = me->run->map;
	uint64_t *last = new_last(me);

	while (!actor_stopping(me)) {
		uint64_t until = run_operations(me->run) + JANITOR_INTERVAL;

		while (run_operations(me->run) < until && !actor_stopping(me))
			read_section(mixed, me, last);
		check_counters(me);
		switch (rng_below(&me->rng, 16)) {
		case 0:
			actor_demand(me, "clear", 0, rcumap_clear(map), 0);
			/* relaxed: looked at when all threads have ended. */
			atomic_fetch_add_explicit(&mixed->clears, 1, memory_order_relaxed);
			break;
		case 1:
			actor_demand(me, "reserve", 0, rcumap_reserve(map, rng_below(&me->rng, CAPACITY_MAX)), 0);
			break;
		default:
			actor_demand(me, "barrier", 0, rcumap_barrier(map), 0);
		}
		actor_turn(me);
	}
	free(last);
}

static void check_sums(struct actor *outer)
{
	struct mixed *mixed = outer->run->ctx;
	struct rcumap_stats stats = run_stats(outer->run, outer->run->map);
	uint64_t warmed = outer->run->warmed;
	uint64_t stored = atomic_load_explicit(&mixed->stored, memory_order_relaxed) + warmed;
	uint64_t touched = atomic_load_explicit(&mixed->touched, memory_order_relaxed);
	uint64_t deleted = atomic_load_explicit(&mixed->deleted, memory_order_relaxed) + warmed;
	uint64_t clears = atomic_load_explicit(&mixed->clears, memory_order_relaxed);

	/* A touch may put a copy in an entry's place. */
	if (stats.inserted + stats.replaced < stored || stats.inserted + stats.replaced > stored + touched)
		violation(outer->run, "%ju stores and %ju touches succeeded, stats say %ju inserted and %ju replaced",
			  (uintmax_t)stored, (uintmax_t)touched, (uintmax_t)stats.inserted, (uintmax_t)stats.replaced);
	if (stats.deleted < deleted || (clears == 0 && stats.deleted > deleted))
		violation(outer->run, "%ju deletes succeeded and %ju clears, stats say %ju deleted", (uintmax_t)deleted,
			  (uintmax_t)clears, (uintmax_t)stats.deleted);
}

void mixed_play(struct run *run)
{
	struct mixed *mixed = calloc(1, sizeof *mixed + run->settings->writers * sizeof mixed->begun[0]);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys },
					{ "janitor", 1, keep } },
			     .universe = KEYS,
			     .capacity = CAPACITY_MAX,
			     .check = check_sums };

	if (!mixed)
		violation(run, "no memory");
	run->ctx = mixed;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(mixed);
}
