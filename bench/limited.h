/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file limited.h
 * What a map with a limit misses of a trace that is replayed through it: each request is a get, and on a miss a put of an
 * object of that size. Objects that count more than the capacity are not offered; one that several ask for at a time is
 * fetched once. Whatever must not happen ends the program: an error that is none of the limit's, more than the limit.
 *
 * A limit on bytes covers all that the map has. Here the capacity is what entries may count alone, as stats tell it, so that
 * it can be compared with a cache that has nothing else: the limit is found by trying. What the map's own structures need changes
 * with time; so on an average. Where a miss is a fetch that takes longer than a grace period there is next to no garbage; a
 * replay, whose fetches take no time, waits for it to be given back whenever a small part of the limit has been stored.
 */
#ifndef BENCH_LIMITED_H
#define BENCH_LIMITED_H

#include "policies.h"
#include "trace.h"

#define LIMITED_THREADS_MAX 64u

/** What was found. */
struct limited_fit {
	uint64_t max_bytes;   /* the limit with which */
	uint64_t entry_bytes; /* what entries counted, on an average from the first eviction on */
	uint64_t most_bytes;  /* at an instant */
	uint64_t entries;     /* in the end */
	uint64_t refused;     /* puts, for want of room */
	unsigned replays;     /* that it took */
};

/** With max_entries, by `threads` who take requests from one list, in its order. */
struct misses limited_by_entries(const struct trace *trace, uint64_t max_entries, unsigned threads);

/**
 * Likewise, with a max_bytes such that entries count `capacity`, or up to a hundredth less.
 *
 * @param charges       of limited_charges().
 * @param[in,out] fit   max_bytes: where to begin; 0: a guess. What was found.
 */
struct misses limited_by_bytes(const struct trace *trace, const uint32_t *charges, uint64_t capacity, unsigned threads,
			       struct limited_fit *fit);

/** What an entry for each key counts in a map with max_bytes; malloc'ed. */
uint32_t *limited_charges(const struct trace *trace);

#endif
