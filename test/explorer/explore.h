/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All runs of one scenario: which schedules, how many, and their names. In a process of its own (workers.h): the first failure
 * ends it.
 */
#ifndef EXPLORER_EXPLORE_H
#define EXPLORER_EXPLORE_H

#include "scenario.h"

#include <stdbool.h>
#include <stdint.h>

struct explore_options {
	bool pct, random, dfs, park;
	/* By pct and random together; by dfs about so many times EXPLORE_DFS_SHARE for each placing of the keys. */
	uint64_t schedules;
	uint64_t seed; /* of the first; the next ones follow */
	unsigned preemptions; /* of dfs; 0: what is affordable */
};

#define EXPLORE_DFS_SHARE 3u
#define EXPLORE_SUMMARY_SIZE 160

/* Write what was done into summary. */
void explore(const struct scenario *scenario, const struct explore_options *options,
	     char summary[EXPLORE_SUMMARY_SIZE]);

/* One run by its name, with a trace. False: the name cannot be read. */
bool explore_replay(const struct scenario *scenario, const char *name);

#endif
