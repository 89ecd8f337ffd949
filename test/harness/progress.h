/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file progress.h
 * How far a long run is: on a terminal one line that redraws itself, else a plain line now and then.
 *
 *     churn      [########------------]  40%  12 s, 18 s left  3.1 M ops/s
 *
 * All on stderr. One thread per bar; it must not print anything else there while the bar is drawn.
 */
#ifndef HARNESS_PROGRESS_H
#define HARNESS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *label;
	uint64_t total;
	uint64_t start_ns, shown_ns;
	bool tty;
};

/** Begin. `total` is in the unit of progress_update()'s `done`: operations, ns, anything. Keeps `label`. */
void progress_start(struct progress *p, const char *label, uint64_t total);

/**
 * Say how much is done; call it as often as you like. Draws ten times a second on a terminal; else at most
 * one line a second, and fewer the longer it runs. `note` (may be NULL) goes to the end of the line.
 */
void progress_update(struct progress *p, uint64_t done, const char *note);

/** End: the last line stays, with the whole time. */
void progress_finish(struct progress *p, const char *note);

#endif
