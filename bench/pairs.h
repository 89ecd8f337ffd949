/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file pairs.h
 * The life of a map of many small pairs, in phases: load, get, 95/5, delete, expire. At most one writer; readers beside it.
 *
 * Access is random, and so are the keys. Every get checks the value that it copied, and that no pair is lost.
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include "histogram.h"
#include "progress.h"
#include "run.h"

/** Share of puts among all operations of pairs_mixed(). */
#define PAIRS_PUT_SHARE 0.05
/** One pair in so many is deleted by pairs_delete(). */
#define PAIRS_DELETE_EVERY 5u
/** One pair in so many, none of those, is given a life by pairs_expire(): of so many milliseconds. */
#define PAIRS_EXPIRE_EVERY 10u
#define PAIRS_LIFE_MS_MIN 1000u
#define PAIRS_LIFE_MS_MAX 10000u

/** What is common to all phases on one map. */
struct pairs {
	struct run run;
	uint64_t pairs;	  /* ids 0 to pairs - 1 */
	unsigned threads; /* at least 1: the writer and its readers, or readers alone */
	uint64_t seed;
	struct progress *progress; /* load, delete, expire: in pairs; get, mixed: in ms */
	uint64_t progress_base;	   /* of which so much was done before this phase */
};

struct load_result {
	double seconds;
	struct histogram insert, get; /* get: by the readers meanwhile, of pairs already loaded */
	uint64_t switches;	      /* involuntary context switches of the writer */
	uint64_t undisturbed_max_ns;  /* the longest insert of those among which he was not switched away from */
	uint64_t memory_bytes;	      /* by the map's own account, when settled */
	uint64_t resident_bytes;      /* what the process grew by, when settled */
	uint64_t resident_peak_bytes; /* and at most meanwhile, sampled */
};

/** One writer inserts all pairs into the empty map; the other threads read those already there. */
void pairs_load(const struct pairs *p, struct load_result *result);

/** All threads get pairs for some seconds, untimed one by one. Returns operations per second. */
double pairs_get(const struct pairs *p, double seconds);

struct mixed_result {
	double rate; /* operations per second, all threads */
	struct histogram get, put;
};

/** One writer replaces and gets, the others get, so that PAIRS_PUT_SHARE of all operations are puts; for some seconds. */
void pairs_mixed(const struct pairs *p, double seconds, struct mixed_result *result);

struct delete_result {
	uint64_t deleted;
	struct histogram delete;
};

/** One writer deletes one pair in PAIRS_DELETE_EVERY, in random order; the others get meanwhile. */
void pairs_delete(const struct pairs *p, struct delete_result *result);

struct expire_result {
	uint64_t expired;     /* pairs that were given a life, and are gone */
	uint64_t unaccounted; /* entries by which the map's books do not agree with what was done to it; should be 0 */
	struct subject_books books; /* at the end */
	double store_seconds;	    /* giving them */
	double late_seconds;	    /* the last one was gone so long after its deadline */
	struct histogram get, put;
};

/**
 * The last phase, after pairs_delete(): one writer stores one pair in PAIRS_EXPIRE_EVERY anew, in random order, for a life of
 * 1 to 10 seconds, random too. He and the others get, until all of these are gone.
 */
void pairs_expire(const struct pairs *p, struct expire_result *result);

#endif
