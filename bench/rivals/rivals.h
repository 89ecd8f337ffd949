/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rivals.h
 * All subjects of the comparison: librcumap in several ways of use, the mutex, and every other map whose library was there
 * when this was built.
 */
#ifndef BENCH_RIVALS_H
#define BENCH_RIVALS_H

#include "../matrix.h"

struct rival {
	const struct subject *subject; /* NULL: its library was not there */
	const char *name, *package; /* as the subject's name; what Debian calls the library's package */
	enum subject_kind kind;
	bool is_variant; /* of one above it: its memory is the same, and grows and is given back alike */
};

/** Ends with one that has no name. */
extern const struct rival rivals[];

#endif
