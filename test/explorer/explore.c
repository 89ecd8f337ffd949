/* SPDX-License-Identifier: BSD-2-Clause */
#include "explore.h"

#include "report.h"
#include "run.h"
#include "strategy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeds with which the scenario's open choices (where keys lie) are tried under parking, depth-first, and at random. */
#define PARK_PLACES 16u
#define DFS_PLACES 4u

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

/* All schedules with up to `preemptions`; false if there were more than `limit`. */
static bool explore_dfs(unsigned preemptions, uint64_t limit, uint64_t *count)
{
	uint64_t runs = 0;

	strategy_dfs_start(preemptions);
	do {
		if (runs++ == limit)
			return false;
		if (runs % 256 == 1)
			report_watchdog(PATIENCE);
		run_once_without_faults(strategy_dfs(), dfs_place);
		++*count;
	} while (strategy_dfs_next());
	return true;
}

/* As many preemptions as the limit allows, for several places of the keys. The least number that all of them got. */
static void explore_depth_first(const struct explore_options *options, char *summary)
{
	uint64_t count = 0, limit = options->schedules * EXPLORE_DFS_SHARE / DFS_PLACES;
	/* Among more threads two preemptions are too many for a moment's work. */
	const unsigned most = options->preemptions > 0 ? options->preemptions : run_threads() == 2 ? 2 : 1;
	unsigned complete = most;
	char format[64];

	schedule_park(SCHEDULE_NOBODY, 0);
	report_name_by(name_dfs);
	for (dfs_place = 0; dfs_place < DFS_PLACES; dfs_place++) {
		unsigned preemptions = 0;

		while (preemptions <= most && explore_dfs(preemptions, limit, &count))
			preemptions++;
		if (preemptions == 0)
			complete = 0;
		else if (preemptions - 1 < complete)
			complete = preemptions - 1;
	}
	report_name_by(NULL);
	snprintf(format, sizeof format, "%%lu depth-first (all with %u preemptions)", complete);
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
