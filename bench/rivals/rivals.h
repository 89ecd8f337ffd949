/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rivals.h
 * All subjects of the comparison: librcumap in several ways of use, the mutex, and every other map whose library was there
 * when this was built.
 */
#ifndef BENCH_RIVALS_H
#define BENCH_RIVALS_H

#include "../subject.h"

#include <stdbool.h>

enum rival_kind {
	RIVAL_OURS,
	RIVAL_LOCKS,
	RIVAL_RCU, /* or epochs */
	RIVAL_FLOOR, /* no concurrency control at all: what nobody can beat, and no rival */
};

struct rival {
	const struct subject *subject; /* NULL: its library was not there */
	const char *name, *package; /* as the subject's name; what Debian calls the library's package */
	enum rival_kind kind;
};

/** Ends with one that has no name. */
extern const struct rival rivals[];

#endif
