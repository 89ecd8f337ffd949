/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paired.h
 * What a section of its own costs a lookup: rcumap_get() against rcumap_find() in a section of the caller's, on the same map, in many
 * short rounds by turns. Each round gives one ratio of times; what the machine does beside meets both of a round alike.
 */
#ifndef BENCH_PAIRED_H
#define BENCH_PAIRED_H

#include "matrix.h"

#define PAIRED_ROUNDS 61u
#define PAIRED_MAX (3u * 2u * MATRIX_SIZES)

struct paired {
	unsigned n;
	struct {
		const char *get, *find; /* names of the subjects */
		uint64_t pairs;
		unsigned threads;
		double ratio[PAIRED_ROUNDS]; /* time of a get by that of a find, sorted */
		double median, upper;	     /* of these, and an upper bound of it that is right in 95 of 100 cases */
	} of[PAIRED_MAX];
};

/** All flavors of which both are in the matrix. `runs`: its subjects' maps, loaded with the pairs of that size. */
void paired_measure(struct paired *p, const struct matrix *m, unsigned size, const struct run runs[], double seconds);
void paired_print(const struct paired *p);
void paired_judge(const struct paired *p, struct bound_list *bounds);
/** As a list called "paired". */
void paired_write_json(const struct paired *p, struct json *j);

#endif
