/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of a scenario under one schedule, recorded and checked. A failure ends the process (report.h).
 */
#ifndef EXPLORER_RUN_H
#define EXPLORER_RUN_H

#include "scenario.h"

/* Make a scenario the one that run_once() runs. */
void run_prepare(const struct scenario *scenario);

unsigned run_threads(void);

/* seed: decides where keys lie, and whether an allocation fails. True if the thread that schedule_park() named was parked
 * (and finished afterwards), or none was named. */
bool run_once(const struct strategy *strategy, uint64_t seed);

/* As run_once(), without any allocation failing. */
bool run_once_without_faults(const struct strategy *strategy, uint64_t seed);

#endif
