/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/spare.h"

#include <errno.h>
#include <time.h>

#include "map/reclaimer.h"
#include "protocol/load.h"

/* What the slack grows by, and the most that is charged for it: parts of the limit. */
#define SLACK_STEP 64u
#define SLACK_MOST 8u
/* Batches in a row that nobody has waited for, after which the slack shrinks by an eighth. */
#define CALM_BATCHES 64u
/* The fund grows over the last quarter before a table is full. */
#define FUND_PART 4u
/* Others who are about to store have all there is, and no batch tells when they are done. */
#define WAIT_SLICE_NS UINT64_C(10000000)
#define WAIT_MS 1000u
/* While memory comes back others may be faster: so many times that long in all. */
#define WAITS 10u
/* Years: no sum overflows, and it makes no difference. */
#define LONG_NS (UINT64_MAX / 20)

static struct quota *live(struct rcumap *map)
{
	return &map->memory.budget.live;
}

static uint64_t limit(const struct rcumap *map)
{
	return map->memory.budget.set_aside + map->memory.budget.held.limit;
}

void spare_init(struct rcumap *map, uint64_t wait_ms)
{
	if (wait_ms == 0)
		wait_ms = map->section == &section_qsbr ? RCUMAP_WAIT_NONE : WAIT_MS;
	map->spare.wait_ns = wait_ms == RCUMAP_WAIT_NONE ? 0 : wait_ms * 1000000; /* RCUMAP_TTL_MAX fits twice */
}

/* ------------------------------------------------------------------ the fund */

static void set_fund(struct rcumap *map, uint64_t bytes)
{
	/* relaxed, both: numbers; who changes the fund charges the difference */
	const uint64_t wanted = atomic_load_explicit(&map->spare.wanted, memory_order_relaxed);
	const uint64_t after = bytes > wanted ? bytes : wanted;
	const uint64_t before = atomic_exchange_explicit(&map->spare.fund, after, memory_order_relaxed);

	quota_recharge(live(map), before, after);
}

/* What a table of the next size takes. */
static uint64_t next_bytes(const struct rcumap *map, const struct table *table)
{
	return table->size < SIZE_LAST ? budget_table_bytes(tables_bytes_of(&map->tables, table->size + 1)) : 0;
}

/* All in double, here and below: no product overflows, and it need not be exact. */
bool spare_may_grow(const struct rcumap *map, const struct table *table, uint64_t entries)
{
	const struct budget *budget = &map->memory.budget;

	if (!budget_is_on(budget) || !entries)
		return true;

	const double each = (double)budget_entries(budget) / (double)entries;
	const uint64_t fund = atomic_load_explicit(&map->spare.fund, memory_order_relaxed); /* a number */
	const uint64_t charged = quota_charged(&budget->live), others = charged > fund ? charged - fund : 0;

	return each * (double)load_most(table->size) + (double)others + (double)next_bytes(map, table) <=
	       (double)budget->live.limit;
}

void spare_plan(struct rcumap *map, const struct table *table, uint64_t entries)
{
	/* What is ahead is charged already. */
	if (!budget_is_on(&map->memory.budget) || tables_have_ahead(&map->tables, table->size + 1))
		return;

	const uint64_t full = load_most(table->size), start = full - full / FUND_PART;
	const uint64_t beyond = entries > full ? full - start : entries > start ? entries - start : 0;

	set_fund(map, beyond && spare_may_grow(map, table, entries) ?
			      (uint64_t)((double)next_bytes(map, table) * (double)beyond / (double)(full - start)) :
			      0);
}

void spare_want(struct rcumap *map, uint64_t bytes)
{
	/* relaxed: a number */
	if (atomic_exchange_explicit(&map->spare.wanted, bytes, memory_order_relaxed) != bytes)
		set_fund(map, 0); /* until the next insert plans anew */
}

void spare_begun(struct rcumap *map)
{
	if (!budget_is_on(&map->memory.budget))
		return;
	atomic_store_explicit(&map->spare.wanted, 0, memory_order_relaxed); /* a number */
	set_fund(map, 0);
}

/* ------------------------------------------------------------------ the slack */

/* Under the reclaimer's lock. */
static void adjust_slack(struct rcumap *map)
{
	struct spare *spare = &map->spare;
	const uint64_t step = limit(map) / SLACK_STEP, most = limit(map) / SLACK_MOST - step;
	const bool waited = spare->waits != spare->waits_seen;

	/* relaxed, here and below: a number; who changes it charges the difference. Others take all of it (spare_yield()). */
	uint64_t slack = atomic_load_explicit(&spare->slack, memory_order_relaxed), after = slack;

	spare->waits_seen = spare->waits;
	if (waited) {
		spare->calm = 0;
		after = slack + step <= most ? slack + step : slack;
	} else if (++spare->calm >= CALM_BATCHES && slack) {
		spare->calm = 0;
		after = slack - (slack / 8 + 1);
	}
	if (atomic_compare_exchange_strong_explicit(&spare->slack, &slack, after, memory_order_relaxed, memory_order_relaxed))
		quota_recharge(live(map), slack, after);
}

void spare_given(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	pthread_mutex_lock(&reclaimer->lock);
	/* Where there was no batch nothing has changed: who waits would try again and again, and bring up the slack. */
	if (budget_is_on(&map->memory.budget) && reclaimer->batch_waits) {
		map->spare.batches++;
		adjust_slack(map);
	}
	pthread_cond_broadcast(&reclaimer->changed);
	pthread_mutex_unlock(&reclaimer->lock);
}

void spare_yield(struct rcumap *map, uint64_t lacking)
{
	struct spare *spare = &map->spare;

	/* relaxed, all: numbers; who changes one charges the difference */
	if (lacking > atomic_load_explicit(&spare->slack, memory_order_relaxed) +
			      atomic_load_explicit(&spare->wanted, memory_order_relaxed))
		return;
	spare_want(map, 0);
	quota_discharge(live(map), atomic_exchange_explicit(&spare->slack, 0, memory_order_relaxed));
}

/* ------------------------------------------------------------------ waiting */

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
}

static void extend(const struct rcumap *map, struct spare_wait *wait)
{
	const uint64_t until_ns = clock_system_ns(CLOCK_MONOTONIC) + map->spare.wait_ns;

	wait->until_ns = until_ns < wait->at_most_ns ? until_ns : wait->at_most_ns;
}

/* Until a batch has been given back since the last try, or for a slice. */
static void wait_for_batch(struct rcumap *map, struct spare_wait *wait, uint64_t now_ns)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	const uint64_t slice_ns = now_ns + WAIT_SLICE_NS;
	const struct timespec end = time_of(slice_ns < wait->until_ns ? slice_ns : wait->until_ns);
	int error = 0;

	pthread_mutex_lock(&reclaimer->lock);
	map->spare.waits++;
	while (wait->batches == map->spare.batches && !error)
		error = pthread_cond_timedwait(&reclaimer->changed, &reclaimer->lock, &end);
	/* Nobody holds back what is given back: others were faster, or the machine is slow. */
	if (wait->batches != map->spare.batches)
		extend(map, wait);
	wait->batches = map->spare.batches;
	pthread_mutex_unlock(&reclaimer->lock);
}

static void begin_to_wait(struct rcumap *map, struct spare_wait *wait, uint64_t now_ns)
{
	wait->until_ns = now_ns + map->spare.wait_ns;
	wait->at_most_ns = now_ns + (map->spare.wait_ns < LONG_NS ? WAITS : 1) * map->spare.wait_ns;
	pthread_mutex_lock(&map->reclaimer.lock);
	wait->batches = map->spare.batches;
	pthread_mutex_unlock(&map->reclaimer.lock);
	/* relaxed: a statistic */
	atomic_fetch_add_explicit(&map->spare.waited, 1, memory_order_relaxed);
}

bool spare_wait(struct rcumap *map, struct spare_wait *wait)
{
	bool paused;

	if (map->reclaimer.orphaned)
		return false;
	/* Also for whoever is refused now, and tries again. */
	if (map->reclaimer.running) {
		wake_signal(&map->reclaimer.wake);
		grace_hasten(&map->reclaimer.grace);
	}
	/* Neither in the caller's section, which holds its memory back itself, nor where the reclaimer would wait for itself. */
	if (!map->spare.wait_ns || reclaimer_leave_section(map, &paused))
		return false;

	const uint64_t now_ns = clock_system_ns(CLOCK_MONOTONIC);
	const bool first = !wait->until_ns;

	wait->claims = budget_claim(&map->memory.budget);
	/* First it tries again, at once: from then on it knows which batches it has seen. */
	if (first)
		begin_to_wait(map, wait, now_ns);
	else if (now_ns < wait->until_ns)
		wait_for_batch(map, wait, now_ns);
	map->section->resume(paused);
	return first || now_ns < wait->until_ns;
}

void spare_end(struct rcumap *map, struct spare_wait *wait, int result)
{
	if (wait->claims)
		budget_disclaim(&map->memory.budget);
	if (result == -ENOSPC || result == -EFBIG)
		atomic_fetch_add_explicit(&map->spare.refused, 1, memory_order_relaxed); /* a statistic */
}

void spare_adopt(struct rcumap *map)
{
	/* relaxed: nobody else is there */
	atomic_store_explicit(&map->memory.budget.claimed, 0, memory_order_relaxed);
	spare_want(map, 0);
	map->spare.waits_seen = map->spare.waits;
}
