/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quota alone (ground/quota.h), where stripes have credit: with the few entries of a map here there is none.
 *
 *     grow         takes a unit
 *     begin_grow   takes half of the limit at once
 *     shrink       gives back what the thread took last
 *     begin_shrink charges half of the limit, there or not
 *     expire       discharges it
 *     reclaim      owes a unit, and has it as one that was taken
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
	uint64_t charged;
} taken[SCHEDULE_THREADS_MAX + 1]; /* by threads; the last: by nobody of them */
static int64_t in_use;
/* What has been charged, by calls that have returned, and not discharged. */
static int64_t charged;

static void begin_thread(void)
{
	(void)stripe_index();
}

static int64_t credit(void)
{
	int64_t units = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		units += atomic_load(&quota.stripe[s].credit);
	return units;
}

/* Q1. At each point: what is on its way is in neither. */
static void watch(void)
{
	const int64_t limit = (int64_t)quota.limit, free_units = atomic_load(&quota.pool) + credit();

	if (in_use + free_units > limit)
		report_failure("%ld units are in use or free, of %ld", (long)(in_use + free_units), (long)limit);
	if ((int64_t)quota_charged(&quota) > limit - free_units)
		report_failure("%lu units are charged, but only %ld are in use", (unsigned long)quota_charged(&quota),
			       (long)(limit - free_units));
}

static void create(unsigned limit, uint64_t seed)
{
	(void)seed;
	memset(&quota, 0, sizeof quota);
	memset(taken, 0, sizeof taken);
	in_use = charged = 0;
	quota_init(&quota, limit);
	schedule_no_quiet();
	schedule_watch(watch);
}

static unsigned self(void)
{
	const int thread = schedule_self();

	return thread == SCHEDULE_NOBODY ? SCHEDULE_THREADS_MAX : (unsigned)thread;
}

static void note_taken(uint64_t n)
{
	if (taken[self()].count == TAKEN_MAX)
		report_failure("too much is taken");
	in_use += (int64_t)n;
	taken[self()].units[taken[self()].count++] = n;
}

static bool take(uint64_t n)
{
	if (!quota_take(&quota, stripe_index(), n))
		return false;
	note_taken(n);
	return true;
}

static void give(void)
{
	if (taken[self()].count == 0)
		return;

	uint64_t n = taken[self()].units[--taken[self()].count];

	in_use -= (int64_t)n;
	quota_give(&quota, stripe_index(), n);
}

static void charge(void)
{
	const uint64_t n = quota.limit / 2;

	quota_charge(&quota, n);
	in_use += (int64_t)n;
	charged += (int64_t)n;
	taken[self()].charged += n;
}

static void discharge(void)
{
	const uint64_t n = taken[self()].charged;

	in_use -= (int64_t)n;
	charged -= (int64_t)n;
	taken[self()].charged = 0;
	quota_discharge(&quota, n);
}

static void owe(void)
{
	quota_owe(&quota, 1);
	note_taken(1);
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
	case VERB_BEGIN_SHRINK:
		charge();
		break;
	case VERB_EXPIRE:
		discharge();
		break;
	case VERB_RECLAIM:
		owe();
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

	const int64_t limit = (int64_t)quota.limit, units = in_use + atomic_load(&quota.pool) + credit();

	if (units != limit)
		report_failure("%ld units are in use or free: of %ld some are lost", (long)units, (long)limit);
	if ((int64_t)quota_charged(&quota) != charged)
		report_failure("%lu units are said to be charged, but %ld are", (unsigned long)quota_charged(&quota),
			       (long)charged);
	if (quota_used(&quota) != (uint64_t)in_use)
		report_failure("%lu units are said to be in use, but %ld are", (unsigned long)quota_used(&quota),
			       (long)in_use);
	if (atomic_load(&quota.dry) && credit() != 0)
		report_failure("stripes have credit of %ld, which nobody looks for", (long)credit());

	/* So who wants them gets all; and none that are owed. */
	const int64_t most = in_use > limit ? in_use : limit;

	while (quota_take(&quota, stripe_index(), 1))
		in_use++;
	if (in_use != most)
		report_failure("%ld units are in use, and no more can be had, of %ld", (long)in_use, (long)limit);
}

static void destroy(void)
{
	schedule_watch(NULL);
}

const struct subject subject_quota = { begin_thread, create, apply, collect, check, NULL, destroy,
				       .survives_faults = false };
