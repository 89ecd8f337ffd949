/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file mix.h
 * Threads that all do the same mix of operations on one map of pairs, for some time. Every get checks the value that it copied.
 */
#ifndef BENCH_MIX_H
#define BENCH_MIX_H

#include "histogram.h"
#include "run.h"

enum mix_kind {
	MIX_GET,	/* gets of random pairs that are there */
	MIX_MISS,	/* of keys that are not */
	MIX_BATCH,	/* of SUBJECT_BATCH random pairs at a time */
	MIX_DEPENDENT,	/* each of a pair that the value before names */
	MIX_PUT,	/* gets and overwrites of random pairs */
	MIX_ZIPF,	/* the same, of pairs that are not equally popular: Zipf's distribution, theta 0.99 */
	MIX_TIMED,	/* as MIX_PUT, each operation timed */
};

struct mix {
	const char *name, *what; /* for a column's head, at most 10 characters; a line about it */
	enum mix_kind kind;
	double puts; /* their share of all operations; else 0 */
	unsigned threads;
};

struct mix_result {
	double rate;			/* operations per second, all threads; of a batch each key is one */
	uint64_t switches;		/* involuntary context switches of all threads */
	struct histogram get, put;	/* of MIX_TIMED; else empty */
};

/** Which pairs MIX_ZIPF uses, in order, drawn ahead: drawing one takes as long as a lookup. */
struct mix_sequence {
	uint32_t *ids;
	uint64_t count;
};

/** For maps of so many pairs, up to 2^32. */
struct mix_sequence mix_sequence_create(uint64_t pairs, uint64_t seed);
void mix_sequence_free(struct mix_sequence *sequence);

/** Can the subject do that at all? */
bool mix_is_for(const struct mix *mix, const struct subject *subject);

/** Run it on a map of pairs 0 to `pairs` - 1. */
void mix_run(const struct run *run, uint64_t pairs, const struct mix *mix, const struct mix_sequence *sequence, double seconds,
	     uint64_t seed, struct mix_result *result);

#endif
