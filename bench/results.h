/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file results.h
 * What the demo measured, and what it must reach.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "bound.h"
#include "pairs.h"
#include "replay.h"
#include "spread.h"
#include "subject.h"

#include <stdbool.h>

/** Passes over the trace, and rounds of gets, of each subject: they alternate, and the median counts. */
#define RESULTS_PASSES 3u
#define RESULTS_ROUNDS 5u

enum side {
	OURS,
	RIVAL,
	SIDES,
};

struct trace_results {
	const char *path;
	unsigned threads;
	uint64_t requests, keys;
	struct {
		struct spread rate;	     /* requests per second */
		struct replay_result replay; /* of the last pass; the histograms of all */
	} side[SIDES];
};

struct pairs_results {
	uint64_t pairs, seed;
	unsigned threads;
	double seconds; /* of each measurement that takes a given time */
	struct {
		struct load_result load;
		struct spread get_rate; /* per second, all threads */
		struct mixed_result mixed;
		struct delete_result deletion;
		struct expire_result expiry;
	} side[SIDES];
};

struct results {
	const struct subject *subject[SIDES];
	bool has_trace, has_pairs;
	struct trace_results trace;
	struct pairs_results pairs;
};

#define BOUNDS_MAX 8u

/** All that the results allow to judge; returns how many. */
unsigned bounds_judge(struct bound bounds[BOUNDS_MAX], const struct results *r);

#endif
