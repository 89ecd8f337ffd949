/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file growth.h
 * What growing costs the one who stores: maps that begin small are filled by one writer beside readers, again and again, and in
 * turn with maps of which the size was said before.
 */
#ifndef BENCH_GROWTH_H
#define BENCH_GROWTH_H

#include "matrix.h"

/** One subject, one way: round by round. */
struct growth_way {
	unsigned rounds;
	double seconds[MATRIX_ROUNDS];
	double longest_put_ns[MATRIX_ROUNDS], longest_get_ns[MATRIX_ROUNDS], put_p999_ns[MATRIX_ROUNDS];
	double slow_puts[MATRIX_ROUNDS]; /* of more than a millisecond */
	double switches[MATRIX_ROUNDS]; /* involuntary ones of the writer */
	double undisturbed_put_ns[MATRIX_ROUNDS]; /* the longest of the puts among which there was none */
};

struct growth {
	uint64_t pairs;		       /* to be stored */
	unsigned readers;	       /* beside the writer */
	unsigned rounds, rival_rounds; /* of the first subject, and of the others: at most as many */
	double rest_seconds;	       /* before each */
	struct {
		struct growth_way growing, reserved; /* without rounds where the subject cannot do that */
	} of[MATRIX_SUBJECTS];
};

/** All subjects of the matrix but variants and the floor, one map at a time. */
void growth_measure(struct growth *g, const struct matrix *m);
void growth_print(const struct growth *g, const struct matrix *m);
/** What must hold of the first subject. */
void growth_judge(const struct growth *g, const struct matrix *m, struct bound_list *bounds);
/** As an object called "growth". */
void growth_write_json(const struct growth *g, const struct matrix *m, struct json *j);

#endif
