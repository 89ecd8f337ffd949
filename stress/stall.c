/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader stays in his section for a whole round, with entries in his hands, while the others go on.
 *
 * Nothing that was retired after he began may be reclaimed before he leaves, what he holds must stay as it was, and
 * what is pending is exactly what was written meanwhile. The table must grow many times nevertheless: growth does not wait for
 * grace periods. When he has left, everything is reclaimed and the memory is what it was after the first such round.
 */
#include "ledger.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>
#include <stdlib.h>

#define STAY 256u
#define COME (64u * STAY)
#define GROWTH 8u
/* A writer replaces at most this many keys in a round, so that rounds are alike and memory stays small. */
#define REPLACEMENTS 20000u
#define GROWTH_NS_MAX UINT64_C(20000000000)

struct stall {
	struct ledger ledger;
	_Atomic bool inside, leave;
	_Atomic uint64_t added; /* writers who have added all their keys */
	uint64_t slots;		/* of the table before; written before `inside` */
	uint64_t retired;	/* replaced + deleted soon after `inside`; the outer thread's */
};

static void stay_inside(struct actor *me)
{
	struct stall *stall = me->run->ctx;

	stall->slots = run_stats(me->run, me->run->map).table_slots;
	section_open(me, me->run->map);
	for (uint64_t key = 0; key < ACTOR_SIGHTS; key++)
		section_find(me, key);
	/* [release] pairs with the acquire in watch(): the section has begun. */
	atomic_store_explicit(&stall->inside, true, memory_order_release);
	/* relaxed: only this flag is shared. What he waits for is a time, so he sleeps. */
	while (!atomic_load_explicit(&stall->leave, memory_order_relaxed))
		sleep_ns(1000000);
	section_close(me);
	actor_turn(me);
}

static void write_keys(struct actor *me)
{
	struct stall *stall = me->run->ctx;
	uint64_t writers = me->run->settings->writers, first = STAY + me->index, key;

	while (!atomic_load_explicit(&stall->inside, memory_order_relaxed) && !actor_stopping(me))
		actor_yield(me);
	for (key = first; key < STAY + COME && !actor_stopping(me); key += writers) {
		actor_demand(me, "add of an absent key", key,
			     actor_store(me, me->run->map, VERB_ADD, key, me->run->round + 1, 0, NULL), 0);
		actor_turn(me);
	}
	/* relaxed: let_go() looks at the table itself after it. */
	atomic_fetch_add_explicit(&stall->added, key >= STAY + COME, memory_order_relaxed);
	for (unsigned n = 0; n < REPLACEMENTS && !actor_stopping(me); n++) {
		ledger_write(&stall->ledger, me, rng_below(&me->rng, STAY));
		actor_turn(me);
	}
	while (!actor_stopping(me))
		actor_yield(me);
	for (uint64_t gone = first; gone < key; gone += writers) {
		actor_demand(me, "delete of a present key", gone, actor_delete(me, me->run->map, gone), 0);
		actor_turn(me);
	}
}

static void read_keys(struct actor *me)
{
	struct stall *stall = me->run->ctx;

	ledger_read_on(&stall->ledger, me);
}

/* ------------------------------------------------------------------ from outside */

/* A grace period that ends while he is inside began before he did, so it covers what was retired before. The counters are exact up
 * to the operations in flight, of which there is one per writer. */
static void watch(struct actor *outer)
{
	struct stall *stall = outer->run->ctx;
	struct rcumap_stats stats;

	/* [acquire] pairs with stay_inside(). */
	if (!atomic_load_explicit(&stall->inside, memory_order_acquire))
		return;
	stats = run_stats(outer->run, outer->run->map);
	if (stall->retired == 0)
		stall->retired = stats.replaced + stats.deleted + outer->run->settings->writers;
	if (stats.reclaimed > stall->retired)
		violation(outer->run,
			  "%ju entries are reclaimed, but only %ju were retired before a reader who is still inside",
			  (uintmax_t)stats.reclaimed, (uintmax_t)stall->retired);
	if (stats.retired_pending > stats.replaced + stats.deleted)
		violation(outer->run, "%ju entries are pending, but only %ju were ever retired",
			  (uintmax_t)stats.retired_pending, (uintmax_t)(stats.replaced + stats.deleted));
}

/* The time is over; nobody deletes before the reader leaves. If all keys were added in time, the table must have grown. */
static void let_go(struct actor *outer)
{
	struct stall *stall = outer->run->ctx;
	uint64_t end = now_ns() + GROWTH_NS_MAX;

	watch(outer);
	if (atomic_load_explicit(&stall->added, memory_order_relaxed) == outer->run->settings->writers)
		while (run_stats(outer->run, outer->run->map).table_slots < GROWTH * stall->slots) {
			if (now_ns() > end)
				violation(outer->run,
					  "the table did not grow from %ju to %u times as many slots with a reader "
					  "inside",
					  (uintmax_t)stall->slots, GROWTH);
			sleep_ns(1000000);
		}
	atomic_store_explicit(&stall->leave, true, memory_order_relaxed);
}

/* All threads have ended: for the next round. */
static void start_over(struct actor *outer)
{
	struct stall *stall = outer->run->ctx;

	atomic_store_explicit(&stall->inside, false, memory_order_relaxed);
	atomic_store_explicit(&stall->leave, false, memory_order_relaxed);
	atomic_store_explicit(&stall->added, 0, memory_order_relaxed);
	stall->retired = 0;
}

void stall_play(struct run *run)
{
	struct stall stall = { .retired = 0 };
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys },
					{ "stalled", 1, stay_inside } },
			     .universe = STAY + COME,
			     .slack_bytes = (COME + REPLACEMENTS * run->settings->writers) * 256,
			     .tick = watch,
			     .close = let_go,
			     .check = start_over };
	struct actor outer;

	run->ctx = &stall;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	actor_init(&outer, run, 0);
	ledger_init(&stall.ledger, &outer, run->map, STAY);
	run_rounds(run, &plan);
	ledger_fini(&stall.ledger);
	run_destroy(run, run->map);
}
