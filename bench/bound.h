/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file bound.h
 * What must hold of figures that were measured: each bound beside its figure.
 */
#ifndef BENCH_BOUND_H
#define BENCH_BOUND_H

#include "json.h"

#include <stdbool.h>

/** One thing that must hold. */
struct bound {
	const char *what;
	double value, limit;
	bool at_least; /* else at most */
	enum bound_unit {
		BOUND_NS,
		BOUND_BYTES,
		BOUND_TIMES,
		BOUND_RATIO, /* a fraction */
		BOUND_COUNT, /* at most 0 */
	} unit;
};

bool bound_holds(const struct bound *b);
/** How far it is on the right side: 2.0 is by a factor of two, below 1 is the wrong side. 0: there is no
 * margin to speak of. */
double bound_margin(const struct bound *b);

/** The head of a table of bounds; a row of it. */
void bound_print_head(void);
void bound_print(const struct bound *b);
void bounds_write_json(struct json *j, const char *name, const struct bound *bounds, unsigned n);

#define BOUND_LIST_MAX 64u
#define BOUND_LIST_WHAT 96u

/** Bounds as they come, from several measurements. All zero is an empty list. */
struct bound_list {
	unsigned n;
	struct bound bound[BOUND_LIST_MAX];
	char what[BOUND_LIST_MAX][BOUND_LIST_WHAT];
};

/** `what` is a format; the one of `bound` is not used. */
__attribute__((format(printf, 3, 4))) void bound_list_add(struct bound_list *list, const struct bound *bound, const char *what, ...);
/** All of them; true: all hold. */
bool bound_list_print(const struct bound_list *list);

#endif
