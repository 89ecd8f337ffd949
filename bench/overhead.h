/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file overhead.h
 * What a pair costs beyond its key and value, from a size to four times that size: one map grows through all of them, as it
 * would in a service. Sizes are spaced evenly on a log scale, so every state of a table between two growths counts alike.
 */
#ifndef BENCH_OVERHEAD_H
#define BENCH_OVERHEAD_H

#include "matrix.h"

#define OVERHEAD_SIZES 16u
/** The first subject comes twice: without and with a life for each pair. */
#define OVERHEAD_SERIES (MATRIX_SUBJECTS + 1)

struct overhead_series {
	const char *name;
	bool is_ours, has_lives;
	/* Bytes per pair beyond key and value, when nothing is put off any more: by the map's own account, by the kernel's. */
	double settled[OVERHEAD_SIZES], resident[OVERHEAD_SIZES];
	struct subject_fill fill[OVERHEAD_SIZES]; /* all zero where the subject does not tell */
	/* Memory at any moment by the least at any later one, at most: what an old table adds while there is a new one. */
	double peak, resident_peak; /* peak: 0 where the account takes too long to ask for it all the time */
};

struct overhead {
	uint64_t max; /* the largest size, in pairs */
	bool with_rivals;
	unsigned n;
	struct overhead_series of[OVERHEAD_SERIES];
};

/** The first subject of the matrix, if it is ours; with_rivals: all others that grow, too, but for variants. */
void overhead_measure(struct overhead *o, const struct matrix *m);
void overhead_print(const struct overhead *o);
void overhead_judge(const struct overhead *o, struct bound_list *bounds);
/** As an object called "overhead". */
void overhead_write_json(const struct overhead *o, struct json *j);

#endif
