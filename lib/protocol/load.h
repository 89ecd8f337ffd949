/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a table grows, shrinks, or refuses.
 *
 * It grows above 5/6 of its primary slots. Then, with a good hash, buckets hold 5 entries on average, Poisson
 * distributed: one in four has an overflow line, and one hit in ten reads one line more. It shrinks below 1/10,
 * which leaves it under 1/5 full, so keys that come and go do not make it do both in turn; nor do long chains, which
 * make it grow from 1/4 on.
 */
#ifndef RCUMAP_LOAD_H
#define RCUMAP_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "layout/line.h"
#include "protocol/size.h"

/*
 * Lines in a bucket's chain from which on an insert looks whether the reclaimer is late, and grows the table itself
 * if so; at which it takes the hash to be at fault if the table is sparse; and at which it is refused. With a good
 * hash and a full table a bucket of more than 3 lines is one in a million.
 */
#define LOAD_CHAIN_LATE 3u
#define LOAD_CHAIN_LONG 16u
#define LOAD_CHAIN_MAX 64u

/* No product below overflows: entries are at most 2^48 (one line of memory each), slots below 2^41. */
static inline uint64_t load_slots(unsigned size)
{
	return LINE_SLOTS * size_buckets(size);
}

/* Entries that a table of that size has before it must grow. */
static inline uint64_t load_most(unsigned size)
{
	return load_slots(size) * 5 / 6;
}

static inline bool load_must_grow(uint64_t entries, unsigned size)
{
	return entries * 6 > load_slots(size) * 5;
}

/* It should have grown an eighth ago: whoever inserts no longer waits for the reclaimer to touch the next table's pages. */
static inline bool load_is_late(uint64_t entries, unsigned size)
{
	return entries * 16 > load_slots(size) * 15;
}

static inline bool load_may_shrink(uint64_t entries, unsigned size)
{
	return entries * 10 < load_slots(size);
}

/* A chain is long though the table is not even a quarter full: the hash is at fault, growing would not help. */
static inline bool load_is_sparse(uint64_t entries, unsigned size)
{
	return entries * 4 < load_slots(size);
}

#endif
