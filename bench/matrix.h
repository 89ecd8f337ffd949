/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file matrix.h
 * What a comparison measured: every subject, at every size, in every mix, round by round; and what must hold.
 */
#ifndef BENCH_MATRIX_H
#define BENCH_MATRIX_H

#include "machine.h"
#include "mix.h"
#include "pairs.h"
#include "results.h"

#define MATRIX_SUBJECTS 24u
#define MATRIX_SIZES 4u
#define MATRIX_ROUNDS 16u
#define MATRIX_MIXES 14u

enum subject_kind {
	SUBJECT_OURS,
	SUBJECT_LOCKS,
	SUBJECT_RCU,   /* or epochs, or quiescent states */
	SUBJECT_FLOOR, /* no concurrency control at all: no rival, but what nobody can beat */
};

/** One subject at one size. */
struct matrix_cell {
	struct load_result load;
	struct {
		bool measured;
		double rate[MATRIX_ROUNDS];
		struct mix_result all; /* of all rounds together */
	} mix[MATRIX_MIXES];
};

struct matrix {
	struct machine machine;
	unsigned subjects, sizes, mixes, rounds;
	struct {
		const struct subject *subject;
		enum subject_kind kind;
	} subject[MATRIX_SUBJECTS];
	uint64_t size[MATRIX_SIZES]; /* in pairs */
	const struct mix *mix; /* `mixes` of them */
	double seconds; /* of a round */
	uint64_t seed;
	struct matrix_cell *cell[MATRIX_SIZES][MATRIX_SUBJECTS];
};

/** All mixes there are, and how many. */
extern const struct mix matrix_mixes[MATRIX_MIXES];

/** Of all rounds; all zero if it was not measured. */
struct spread matrix_rate(const struct matrix *m, unsigned size, unsigned subject, unsigned mix);

/** Tables of one size, once it is measured. */
void matrix_print(const struct matrix *m, unsigned size);
/** What must hold, as far as it was measured. True: all does. */
bool matrix_judge(const struct matrix *m);

/** Write all of it. 0 or -errno. */
int matrix_write_json(const struct matrix *m, const char *path);
int matrix_write_csv(const struct matrix *m, const char *path);

#endif
