/* SPDX-License-Identifier: BSD-2-Clause */
#include "explore.h"

#include "report.h"
#include "run.h"
#include "strategy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeds with which the scenario's open choices (where keys lie) are tried under parking, depth-first, and at random. */
#define PARK_PLACES 8u
#define DFS_PLACES 4u
#define DFS_PREEMPTIONS_MAX 3u

/* Seconds that no single batch of runs takes. */
#define PATIENCE 30u

static char name[STRATEGY_NAME_SIZE];
static unsigned plain_length;

static void summarize(char *summary, const char *format, unsigned long count)
{
	size_t used = strlen(summary);

	snprintf(summary + used, EXPLORE_SUMMARY_SIZE - used, "%s", used > 0 ? ", " : "");
	used = strlen(summary);
	snprintf(summary + used, EXPLORE_SUMMARY_SIZE - used, format, count);
}

/* Twice, since the first run in a process also sets up what the code keeps per thread. */
static void run_plain(const struct scenario *scenario)
{
	run_prepare(scenario);
	report_where(scenario->name, "dfs:0:");
	report_watchdog(PATIENCE);
	schedule_park(SCHEDULE_NOBODY, 0);
	for (unsigned i = 0; i < 2; i++)
		run_once_without_faults(strategy_plain(), 0);
	plain_length = schedule_length();
}

static void explore_seeds(const char *mode, const struct explore_options *options, uint64_t schedules)
{
	bool pct = strcmp(mode, "pct") == 0;

	schedule_park(SCHEDULE_NOBODY, 0);
	for (uint64_t seed = options->seed; seed < options->seed + schedules; seed++) {
		snprintf(name, sizeof name, "%s:%lu", mode, (unsigned long)seed);
		if (seed % 256 == 0)
			report_watchdog(PATIENCE);
		run_once(pct ? strategy_pct(seed, plain_length) : strategy_random(seed), seed);
	}
}

/* The switches are known only once the run is over, or has failed: then the report asks. */
static uint64_t dfs_place;

static const char *name_dfs(void)
{
	size_t used = (size_t)snprintf(name, sizeof name, "dfs:%lu:", (unsigned long)dfs_place);

	strategy_dfs_name(name + used, sizeof name - used);
	return name;
}

/* All schedules with up to `preemptions`: how many. More than `limit`: some of them. */
static uint64_t explore_bound(unsigned preemptions, uint64_t limit)
{
	uint64_t runs = 0;

	strategy_dfs_start(preemptions);
	do {
		if (runs % 256 == 0)
			report_watchdog(PATIENCE);
		run_once_without_faults(strategy_dfs(), dfs_place);
	} while (++runs <= limit && strategy_dfs_next());
	return runs;
}

/* As many preemptions as the limit allows, or options->preemptions. The number of runs is added to *count. */
static unsigned explore_place(const struct explore_options *options, uint64_t *count)
{
	const uint64_t limit = options->schedules * EXPLORE_DFS_SHARE;
	uint64_t before = 1, runs = 1;
	unsigned bound = 0;

	for (;;) {
		runs = explore_bound(bound, options->preemptions > 0 ? UINT64_MAX : limit);
		*count += runs;
		if (options->preemptions > 0 ? bound == options->preemptions : bound == DFS_PREEMPTIONS_MAX)
			return bound;
		/* What the next bound would take: each preemption multiplies by about the same. */
		if (options->preemptions == 0 && runs * (runs / before + 1) > limit)
			return bound;
		before = runs;
		bound++;
	}
}

static void explore_depth_first(const struct explore_options *options, char *summary)
{
	uint64_t count = 0;
	unsigned least = UINT_MAX;
	char format[64];

	schedule_park(SCHEDULE_NOBODY, 0);
	report_name_by(name_dfs);
	for (dfs_place = 0; dfs_place < DFS_PLACES; dfs_place++) {
		unsigned bound = explore_place(options, &count);

		if (bound < least)
			least = bound;
	}
	report_name_by(NULL);
	snprintf(format, sizeof format, "%%lu depth-first (%u preemptions)", least);
	summarize(summary, format, (unsigned long)count);
}

static uint64_t explore_parking(void)
{
	uint64_t runs = 0;

	for (uint64_t seed = 0; seed < 2 + PARK_PLACES; seed++)
		for (unsigned thread = 0; thread < run_threads(); thread++) {
			bool parked = true;

			report_watchdog(PATIENCE);
			for (unsigned nth = 1; parked; nth++, runs++) {
				snprintf(name, sizeof name, "park:%lu:%u:%u", (unsigned long)seed, thread, nth);
				parked = run_once_without_faults(strategy_park(seed, (int)thread, nth), seed);
			}
		}
	schedule_park(SCHEDULE_NOBODY, 0);
	return runs;
}

void explore(const struct scenario *scenario, const struct explore_options *options, char summary[EXPLORE_SUMMARY_SIZE])
{
	uint64_t share = options->pct && options->random ? options->schedules / 2 : options->schedules;

	summary[0] = '\0';
	run_plain(scenario);
	report_where(scenario->name, name);
	if (options->park)
		summarize(summary, "%lu parked", (unsigned long)explore_parking());
	if (options->dfs)
		explore_depth_first(options, summary);
	if (options->pct) {
		explore_seeds("pct", options, share);
		summarize(summary, "%lu pct", (unsigned long)share);
	}
	if (options->random) {
		explore_seeds("random", options, share);
		summarize(summary, "%lu random", (unsigned long)share);
	}
	report_watchdog(0);
}

bool explore_replay(const struct scenario *scenario, const char *named)
{
	const struct strategy *strategy = NULL;
	unsigned long seed;
	unsigned thread, nth;
	int used = 0;
	bool faults = true;

	run_plain(scenario);
	report_where(scenario->name, named);
	if (sscanf(named, "pct:%lu%n", &seed, &used) == 1 && named[used] == '\0')
		strategy = strategy_pct(seed, plain_length);
	else if (sscanf(named, "random:%lu%n", &seed, &used) == 1 && named[used] == '\0')
		strategy = strategy_random(seed);
	else if (sscanf(named, "park:%lu:%u:%u%n", &seed, &thread, &nth, &used) == 3 && named[used] == '\0' &&
		 thread < run_threads())
		strategy = strategy_park(seed, (int)thread, nth), faults = false;
	else if (sscanf(named, "dfs:%lu:%n", &seed, &used) == 1 && used > 0)
		strategy = strategy_dfs_replay(named + used), faults = false;
	if (strategy == NULL)
		return false;
	report_trace = true;
	if (faults)
		run_once(strategy, seed);
	else
		run_once_without_faults(strategy, seed);
	report_trace = false;
	return true;
}
