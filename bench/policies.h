/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file policies.h
 * What other policies would have missed of a trace, in a cache of that capacity: least recently used, and Belady's,
 * which knows the future. Each request is a get, and on a miss a store, of an object that is not larger than the cache.
 */
#ifndef BENCH_POLICIES_H
#define BENCH_POLICIES_H

#include "trace.h"

struct misses {
	uint64_t requests, bytes; /* bytes of the objects that were asked for */
};

/**
 * @param charges   charges[key]: what an object takes of the capacity; NULL: one each.
 *
 * No memory ends the program.
 */
struct misses policy_lru(const struct trace *trace, const uint32_t *charges, uint64_t capacity);
/** As many as it takes go, the farthest next request first: the least misses there can be where all charges are alike,
 * and near it where they are not, for which nobody has a practical way to tell. */
struct misses policy_belady(const struct trace *trace, const uint32_t *charges, uint64_t capacity);

#endif
