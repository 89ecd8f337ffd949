/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file replay.h
 * A trace as the load of a read-through cache: get, and on a miss fetch the object and put it.
 */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include "histogram.h"
#include "progress.h"
#include "run.h"
#include "trace.h"

struct replay_result {
	double seconds;
	uint64_t requests, hits, served_bytes;
	uint64_t entries, memory_bytes; /* at the end */
	struct histogram get, put;
};

/**
 * Replay the whole trace once into the run's empty map: thread i of `threads` takes the requests i, i + threads, ...
 * of it. A value has its object's size, at least what its checksum needs.
 *
 * @param progress   a bar in requests, of which `base` were done before.
 * @param[out] result   of this pass; the histograms are added to what they hold.
 */
void replay_run(const struct run *run, const struct trace *trace, unsigned threads, struct progress *progress,
		uint64_t base, struct replay_result *result);

#endif
