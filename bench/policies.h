/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file policies.h
 * What other policies would have missed of a trace, in a cache for so many objects: least recently used, and Belady's,
 * which knows the future and is the best there can be. Each request is a get, and on a miss a store.
 */
#ifndef BENCH_POLICIES_H
#define BENCH_POLICIES_H

#include "trace.h"

/** Requests that miss. No memory ends the program. */
uint64_t policy_lru_misses(const struct trace *trace, uint64_t capacity);
uint64_t policy_belady_misses(const struct trace *trace, uint64_t capacity);

#endif
