/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table grows and shrinks a hundredfold, over and over, while readers look for a set of keys that is always there (ledger.h):
 * a key that migration loses, if only for an instant, is missed. All writers add their share of the other keys, wait for each
 * other, and delete it again: each add and each delete must succeed exactly once.
 *
 * Beside it a second map, which a janitor reserves room in, clears and waits for, while writers fill it: whatever
 * is found there must be right, and its books must balance.
 */
#include "ledger.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>

#define STAY 512u
#define COME (100u * STAY)
#define SECOND_KEYS 8192u
#define SECOND_CAPACITY_MAX 40000u

struct resize {
	struct ledger ledger;
	struct rcumap *second;
	_Atomic uint64_t arrived; /* writers, at the end of each half of a cycle */
	_Atomic uint64_t cycles;  /* of all writers */
};

/* Until all writers are there. False if the round is over. */
static bool meet(struct resize *resize, struct actor *me, uint64_t *meetings)
{
	uint64_t all = ++*meetings * me->run->settings->writers;

	/* relaxed: the number alone matters. */
	atomic_fetch_add_explicit(&resize->arrived, 1, memory_order_relaxed);
	while (atomic_load_explicit(&resize->arrived, memory_order_relaxed) < all) {
		if (actor_stopping(me))
			return false;
		actor_yield(me);
	}
	return true;
}

/* In between: what else a writer does, a little of it. */
static void write_besides(struct resize *resize, struct actor *me)
{
	if (rng_below(&me->rng, 8) == 0)
		ledger_write(&resize->ledger, me, rng_below(&me->rng, STAY));
	if (rng_below(&me->rng, 4) == 0) {
		uint64_t key = rng_below(&me->rng, SECOND_KEYS);

		if (rng_below(&me->rng, 4) == 0)
			actor_delete(me, resize->second, key);
		else
			actor_store(me, resize->second, VERB_PUT, key, rng_below(&me->rng, 1000) + 1, 0, NULL);
	}
	actor_turn(me);
	actor_breathe(me, me->run->map);
	actor_breathe(me, resize->second);
}

static void write_keys(struct actor *me)
{
	struct resize *resize = me->run->ctx;
	uint64_t writers = me->run->settings->writers, meetings = 0, key, number = 0;
	bool go_on = true;

	while (go_on && !actor_stopping(me)) {
		uint64_t first = STAY + me->index;

		number++;
		for (key = first; key < STAY + COME && !actor_stopping(me); key += writers) {
			actor_demand(me, "add of an absent key", key,
				     actor_store(me, me->run->map, VERB_ADD, key, number, 0, NULL), 0);
			write_besides(resize, me);
		}
		go_on = meet(resize, me, &meetings);
		for (uint64_t gone = first; gone < key; gone += writers) {
			actor_demand(me, "delete of a present key", gone, actor_delete(me, me->run->map, gone), 0);
			actor_turn(me);
			actor_breathe(me, me->run->map);
		}
		/* A cycle that the round's end cut short does not count. relaxed: a statistic. */
		atomic_fetch_add_explicit(&resize->cycles, go_on && key >= STAY + COME, memory_order_relaxed);
		go_on = go_on && meet(resize, me, &meetings);
	}
}

/* ------------------------------------------------------------------ the second map */

static void keep_second(struct actor *me)
{
	struct resize *resize = me->run->ctx;

	while (!actor_stopping(me)) {
		uint64_t until = now_ns() + 10000000;

		actor_demand(me, "reserve", 0, rcumap_reserve(resize->second, rng_below(&me->rng, SECOND_CAPACITY_MAX)),
			     0);
		while (now_ns() < until && !actor_stopping(me)) {
			section_open(me, resize->second);
			for (unsigned i = 0; i < ACTOR_SIGHTS; i++)
				section_find(me, rng_below(&me->rng, SECOND_KEYS));
			section_close(me);
			actor_turn(me);
		}
		actor_demand(me, "clear", 0, rcumap_clear(resize->second), 0);
		actor_demand(me, "barrier", 0, rcumap_barrier(resize->second), 0);
		actor_turn(me);
	}
}

static void check_second(struct actor *outer)
{
	struct resize *resize = outer->run->ctx;
	struct rcumap *second = resize->second;

	run_settle(outer, second, SECOND_KEYS, SECOND_CAPACITY_MAX);
	actor_demand(outer, "clear", 0, rcumap_clear(second), 0);
	if (rcumap_count(second) != 0)
		violation(outer->run, "clear left %ju entries, with nobody writing", (uintmax_t)rcumap_count(second));
	run_settle(outer, second, SECOND_KEYS, SECOND_CAPACITY_MAX);
	/* relaxed: nobody else is there. */
	atomic_store_explicit(&resize->arrived, 0, memory_order_relaxed);
}

/* ------------------------------------------------------------------ the scenario */

static void read_keys(struct actor *me)
{
	struct resize *resize = me->run->ctx;

	ledger_read_on(&resize->ledger, me);
}

/* Without this the scenario could pass by never resizing. Writers pass a few doublings before the reclaimer is late. */
static void demand_resized(const struct run *run, const struct resize *resize)
{
	struct rcumap_stats stats = run_stats(run, run->map);

	if (atomic_load_explicit(&resize->cycles, memory_order_relaxed) > 0 && (stats.grown < 3 || stats.shrunk < 3))
		violation(run,
			  "the table grew %ju times and shrank %ju times while its entries went up and down by 100",
			  (uintmax_t)stats.grown, (uintmax_t)stats.shrunk);
}

void resize_play(struct run *run)
{
	struct resize resize = { 0 };
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys },
					{ "janitor", 1, keep_second } },
			     .universe = STAY + COME,
			     .slack_bytes = COME * UINT64_C(256), /* a round may be too short for all keys to come */
			     .check = check_second };
	struct actor outer;

	run->ctx = &resize;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	resize.second = run_create(run, (struct rcumap_options){ .capacity = 0 });
	actor_init(&outer, run, 0);
	ledger_init(&resize.ledger, &outer, run->map, STAY);
	run_rounds(run, &plan);
	demand_resized(run, &resize);
	ledger_fini(&resize.ledger);
	run_destroy(run, resize.second);
	run_destroy(run, run->map);
}
