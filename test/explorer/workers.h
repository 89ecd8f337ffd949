/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios in processes of their own, a few at a time: one that fails, crashes or hangs takes nothing with it. Prints a TAP line
 * for each as it ends, with what it printed before it.
 */
#ifndef EXPLORER_WORKERS_H
#define EXPLORER_WORKERS_H

#include "explore.h"

/* False if one of the scenarios failed (or one with a planted bug did not). */
bool workers_run(const struct scenario *const list[], unsigned count, const struct explore_options *options,
		 unsigned at_once, bool verbose);

#endif
