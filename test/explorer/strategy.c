/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy.h"

#include "draw.h"

static struct draw draw;
static unsigned linger_of_16; /* how often of 16 a thread goes on unasked */

static unsigned lowest(unsigned mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static unsigned one_of(unsigned mask)
{
	unsigned skip = (unsigned)draw_below(&draw, (unsigned)__builtin_popcount(mask));

	while (skip-- > 0)
		mask &= mask - 1;
	return lowest(mask);
}

static bool one_in_four(void)
{
	return draw_below(&draw, 4) == 0;
}

/* ---- random */

static unsigned pick_random(const struct schedule_view *view)
{
	if (view->current != SCHEDULE_NOBODY && draw_below(&draw, 16) < linger_of_16)
		return (unsigned)view->current;
	return one_of(view->runnable);
}

static const struct strategy random_strategy = { pick_random, one_in_four };

const struct strategy *strategy_random(uint64_t seed)
{
	static const unsigned lingers[] = { 0, 8, 12, 14 };

	draw_init(&draw, seed);
	linger_of_16 = lingers[draw_below(&draw, 4)];
	return &random_strategy;
}

/* ---- PCT */

#define CHANGES_MAX 4u

static int priorities[SCHEDULE_THREADS_MAX]; /* all different; the highest runs */
static unsigned changes[CHANGES_MAX], change_count;

static unsigned pick_pct(const struct schedule_view *view)
{
	unsigned best = lowest(view->runnable);

	for (unsigned i = 0; i < change_count; i++)
		if (changes[i] == view->step && view->current != SCHEDULE_NOBODY)
			priorities[view->current] = -1 - (int)i;
	for (unsigned i = 0; i < SCHEDULE_THREADS_MAX; i++)
		if ((view->runnable & 1u << i) != 0 && priorities[i] > priorities[best])
			best = i;
	return best;
}

static const struct strategy pct_strategy = { pick_pct, one_in_four };

const struct strategy *strategy_pct(uint64_t seed, unsigned length)
{
	draw_init(&draw, seed);
	for (unsigned i = 0; i < SCHEDULE_THREADS_MAX; i++) {
		unsigned j = (unsigned)draw_below(&draw, i + 1);

		priorities[i] = priorities[j];
		priorities[j] = (int)i;
	}
	change_count = 1 + (unsigned)draw_below(&draw, CHANGES_MAX);
	for (unsigned i = 0; i < change_count; i++)
		changes[i] = 1 + (unsigned)draw_below(&draw, length == 0 ? 1 : length);
	return &pct_strategy;
}

/* ---- park */

static unsigned favourite;

/* The thread to be parked goes first, so that it is parked in the middle of things as it would leave them alone. */
static unsigned pick_favourite(const struct schedule_view *view)
{
	if ((view->runnable & 1u << favourite) != 0)
		return favourite;
	return view->current != SCHEDULE_NOBODY ? (unsigned)view->current : lowest(view->runnable);
}

/* It goes last: it finds what the others have done. */
static unsigned pick_others(const struct schedule_view *view)
{
	unsigned others = view->runnable & ~(1u << favourite);

	return lowest(others != 0 ? others : view->runnable);
}

static const struct strategy favourite_strategy = { pick_favourite, NULL }, others_strategy = { pick_others, NULL };

const struct strategy *strategy_park(uint64_t seed, int thread, unsigned nth)
{
	favourite = (unsigned)thread;
	schedule_park(thread, nth);
	if (seed > 1)
		return strategy_random(seed);
	return seed == 0 ? &favourite_strategy : &others_strategy;
}

/* ---- plain */

static unsigned pick_plain(const struct schedule_view *view)
{
	return view->current != SCHEDULE_NOBODY ? (unsigned)view->current : lowest(view->runnable);
}

static const struct strategy plain_strategy = { pick_plain, NULL };

const struct strategy *strategy_plain(void)
{
	return &plain_strategy;
}
