/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways through the schedules of a scenario. Each run is named by a string, from which exactly that run can be had again:
 *
 *     random:SEED          at each point a uniformly random thread, or the same one for a random while
 *     pct:SEED             random priorities, lowered at one to four random points (Burckhardt et al., "A randomized
 *                          scheduler with probabilistic guarantees of finding bugs", 2010)
 *     dfs:SEED:4>1,9>0     thread 1 from point 4 on, thread 0 from point 9 on; the lowest whenever one ends
 *     park:SEED:T:N        thread T stops before its Nth atomic; SEED as random, 0 and 1 T first resp. last
 *
 * SEED also decides what the scenario leaves open (the keys' places).
 */
#ifndef EXPLORER_STRATEGY_H
#define EXPLORER_STRATEGY_H

#include "schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRATEGY_NAME_SIZE 512

/* length: points of a plain run of this scenario, to place the change points. */
const struct strategy *strategy_random(uint64_t seed);
const struct strategy *strategy_pct(uint64_t seed, unsigned length);
const struct strategy *strategy_park(uint64_t seed, int thread, unsigned nth);

/* One after the other, threads in order. */
const struct strategy *strategy_plain(void);

/* --- depth-first: all schedules with at most so many preemptions */

const struct strategy *strategy_dfs(void);
void strategy_dfs_start(unsigned preemptions);
/* Take the next schedule, after a run. False: there is none. */
bool strategy_dfs_next(void);
/* The switches of the schedule that ran last, as in its name. */
void strategy_dfs_name(char *name, size_t size);

/* The schedule of a name's last part. NULL if it cannot be read. */
const struct strategy *strategy_dfs_replay(const char *switches);

#endif
