/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quota alone (ground/quota.h), where stripes have credit: with the few entries of a map here there is none.
 *
 *     grow         takes a unit
 *     begin_grow   takes half of the limit at once
 *     shrink       gives back what the thread took last
 */
#include "ground/quota.h"

#include "report.h"
#include "schedule.h"
#include "subject.h"

#include <errno.h>
#include <string.h>

#define TAKEN_MAX 16u

static struct quota quota;
static struct {
	uint64_t units[TAKEN_MAX];
	unsigned count;
} taken[SCHEDULE_THREADS_MAX + 1]; /* by threads; the last: by nobody of them */
static uint64_t in_use;

static void begin_thread(void)
{
	(void)stripe_index();
}

static uint64_t credit(void)
{
	uint64_t units = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		units += atomic_load(&quota.stripe[s].credit);
	return units;
}

/* Q1. At each point: what is on its way is in neither. */
static void watch(void)
{
	const uint64_t units = in_use + atomic_load(&quota.pool) + credit();

	if (units > quota.limit)
		report_failure("%lu units are in use or free, of %lu", (unsigned long)units, (unsigned long)quota.limit);
}

static void create(unsigned limit, uint64_t seed)
{
	(void)seed;
	memset(&quota, 0, sizeof quota);
	memset(taken, 0, sizeof taken);
	in_use = 0;
	quota_init(&quota, limit);
	schedule_no_quiet();
	schedule_watch(watch);
}

static bool take(uint64_t n)
{
	const int self = schedule_self();
	const unsigned thread = self == SCHEDULE_NOBODY ? SCHEDULE_THREADS_MAX : (unsigned)self;

	if (taken[thread].count == TAKEN_MAX)
		report_failure("too much is taken");
	if (!quota_take(&quota, stripe_index(), n))
		return false;
	in_use += n;
	taken[thread].units[taken[thread].count++] = n;
	return true;
}

static void give(void)
{
	const int self = schedule_self();
	const unsigned thread = self == SCHEDULE_NOBODY ? SCHEDULE_THREADS_MAX : (unsigned)self;

	if (taken[thread].count == 0)
		return;

	uint64_t n = taken[thread].units[--taken[thread].count];

	in_use -= n;
	quota_give(&quota, stripe_index(), n);
}

static void apply(struct event *event, uint64_t expected)
{
	(void)expected;
	switch (event->verb) {
	case VERB_FIND:
		event->found = 0;
		event->rc = -ENOENT;
		break;
	case VERB_SHRINK:
		give();
		break;
	default:
		event->rc = take(event->verb == VERB_GROW ? 1 : quota.limit / 2) ? 0 : -ENOSPC;
		break;
	}
}

static void collect(void)
{
}

static void check(const unsigned value[KEYS_MAX], bool quiet)
{
	(void)value;
	watch();
	if (!quiet)
		return;

	const uint64_t units = in_use + atomic_load(&quota.pool) + credit();

	if (units != quota.limit)
		report_failure("%lu units are in use or free: of %lu some are lost", (unsigned long)units,
			       (unsigned long)quota.limit);
	if (atomic_load(&quota.dry) && credit() != 0)
		report_failure("stripes have credit of %lu, which nobody looks for", (unsigned long)credit());
	/* So who wants them gets all. */
	while (quota_take(&quota, stripe_index(), 1))
		in_use++;
	if (in_use != quota.limit)
		report_failure("%lu units are free, but cannot be had", (unsigned long)(quota.limit - in_use));
}

static void destroy(void)
{
	schedule_watch(NULL);
}

const struct subject subject_quota = { begin_thread, create, apply, collect, check, NULL, destroy,
				       .survives_faults = false };
