/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file matrix.h
 * Every subject, at every size, in every mix, round by round; and what must hold of that.
 */
#ifndef BENCH_MATRIX_H
#define BENCH_MATRIX_H

#include "bound.h"
#include "mix.h"
#include "pairs.h"
#include "results.h"

#define MATRIX_SUBJECTS 24u
#define MATRIX_SIZES 4u
#define MATRIX_ROUNDS 32u
/** Those of matrix_mixes; and those of a matrix at most: six kinds with up to eight numbers of threads. */
#define MATRIX_MIXES 14u
#define MATRIX_SCALES 8u
#define MATRIX_MIXES_MAX 48u

enum subject_kind {
	SUBJECT_OURS,
	SUBJECT_LOCKS,
	SUBJECT_RCU,   /* or epochs, or quiescent states */
	SUBJECT_FLOOR, /* no concurrency control at all: no rival, but what nobody can beat */
};

/** One subject at one size in one mix. */
struct matrix_mix {
	unsigned rounds; /* that were measured: 0, or all */
	double rate[MATRIX_ROUNDS];
	double get_p999_ns[MATRIX_ROUNDS]; /* where each operation is timed */
	double transfer_ns[MATRIX_ROUNDS]; /* where there are several threads: before the round (transfer.h); else 0 */
	uint64_t switches;		   /* in all rounds together */
	struct mix_result *timed;	   /* all rounds together; NULL where operations are not timed */
};

/** One subject at one size. */
struct matrix_cell {
	struct load_result load;
	struct matrix_mix mix[MATRIX_MIXES_MAX];
};

struct matrix {
	unsigned subjects, sizes, mixes, rounds;
	struct {
		const struct subject *subject;
		enum subject_kind kind;
		bool is_variant; /* as struct rival's */
	} subject[MATRIX_SUBJECTS];
	uint64_t size[MATRIX_SIZES]; /* in pairs */
	struct mix mix[MATRIX_MIXES_MAX];
	double seconds; /* of a round */
	uint64_t seed;
	struct matrix_cell *cell[MATRIX_SIZES][MATRIX_SUBJECTS];
};

/** The mixes of a comparison. */
extern const struct mix matrix_mixes[MATRIX_MIXES];

/** Instead of these, for a comparison of numbers of threads: gets, misses, batches, 95/5, 50/50, Zipf, each with all of the n. */
void matrix_set_scales(struct matrix *m, const unsigned threads[], unsigned n);

/** Place of a subject or a mix of that name in the matrix, or -1. */
int matrix_subject_named(const struct matrix *m, const char *name);
int matrix_mix_named(const struct matrix *m, const char *name);

/** Count one round of a mix. */
void matrix_add_round(struct matrix_mix *to, const struct mix_result *round, double transfer_ns);
/** Of all rounds; all zero if it was not measured. */
struct spread matrix_rate(const struct matrix *m, unsigned size, unsigned subject, unsigned mix);

/** Of the same mix, measured in the same rounds: the median of what a's rate was by b's, round by round; of the 99.9th percentiles of gets.
 * Of rounds only in which the processors were as far from each other, if these are a third. 0: there are no rounds. */
double matrix_rate_ratio(const struct matrix_mix *a, const struct matrix_mix *b);
double matrix_get_p999_ratio(const struct matrix_mix *a, const struct matrix_mix *b);

/** Tables of one size, once it is measured. */
void matrix_print(const struct matrix *m, unsigned size);
/** What must hold, as far as it was measured, of the first subject. */
void matrix_judge(const struct matrix *m, struct bound_list *bounds);

/** As a list called "sizes". */
void matrix_write_json(const struct matrix *m, struct json *j);
/** Every round's rate. 0 or -errno. */
int matrix_write_csv(const struct matrix *m, const char *path);

#endif
