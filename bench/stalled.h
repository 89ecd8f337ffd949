/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file stalled.h
 * Memory over time where a reader stays in his section: one writer overwrites random pairs at a given pace, a reader enters his section
 * and leaves it some seconds later. Resident bytes of the process, in which there is one map at a time.
 *
 * Maps whose readers hold locks take no part: there nothing waits for the reader but the writers themselves.
 */
#ifndef BENCH_STALLED_H
#define BENCH_STALLED_H

#include "matrix.h"

#define STALLED_SAMPLES 400u

struct stalled_sample {
	double at_s;
	uint64_t bytes;	     /* that the process has grown by since before there was a map */
	uint64_t overwrites; /* so far */
};

struct stalled_series {
	unsigned samples; /* 0: took no part */
	struct stalled_sample *sample;
	uint64_t before_bytes, peak_bytes; /* when the reader entered; at most since then */
	uint64_t after_bytes;		   /* at the end, when all is settled and trimmed */
	uint64_t overwrites;		   /* while the reader stayed */
	double longest_put_ns;
};

struct stalled {
	uint64_t pairs, pace;	  /* overwrites a second */
	double enters_s, leaves_s, ends_s;
	struct stalled_series of[MATRIX_SUBJECTS];
};

/** All subjects of the matrix that have sections, but for variants. */
void stalled_measure(struct stalled *st, const struct matrix *m);
void stalled_print(const struct stalled *st, const struct matrix *m);
/** As an object called "stalled". */
void stalled_write_json(const struct stalled *st, const struct matrix *m, struct json *j);

#endif
