/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ladder: the sizes that a table may have, and which bucket of it a hash is in.
 *
 * Tables double up to 2^SIZE_TURN buckets; then SIZE_TURN steps up follow in which two buckets become three, and from
 * 3^SIZE_TURN on they double again. So a step of growth never takes more than two buckets together. Size number s has
 *
 *     s <= SIZE_TURN                  2^s buckets
 *     SIZE_TURN < s <= 2 SIZE_TURN    2^(2 SIZE_TURN - s) * 3^(s - SIZE_TURN)
 *     2 SIZE_TURN < s                 3^SIZE_TURN * 2^(s - 2 SIZE_TURN)
 *
 * The top SIZE_CELL_BITS bits of a hash are its *cell* c. A table of N buckets has it in bucket
 *
 *     floor(c * N / 2^SIZE_CELL_BITS)
 *
 * Invariants
 * S1 The bucket depends on the cell alone, in every table: whoever keeps the top SIZE_CELL_BITS bits of a hash finds its
 *    bucket.
 * S2 Buckets stand in hash order and cover all hashes: any position in hash order means the same in every table. Two
 *    buckets of a table differ by one cell at most, and none has fewer than eight.
 * S3 Tables nest: where 3 G buckets follow on 2 G, or 2 G on G, the *group* of a hash is floor(c * G / 2^SIZE_CELL_BITS), and
 *    is its bucket divided by 2 or 3, or by 1 or 2, and rounded down: floor(floor(3 x) / 3) = floor(x). So the buckets of a
 *    group cover the same hashes in both tables.
 */
#ifndef RCUMAP_SIZE_H
#define RCUMAP_SIZE_H

#include <stdint.h>

#define SIZE_CELL_BITS 36u

/*
 * At 2^18 buckets tables take a million entries and 16 MiB: from there on the third of a table counts. Smaller ones
 * grow in fewer steps. Debug builds start with two buckets: 2, 4, 6, 9, 18, 36, ... so that few entries meet both kinds of
 * step, two of the second kind in a row, and groups whose number is no power of two.
 */
#ifdef RCUMAP_DEBUG
#define SIZE_FIRST 1u
#define SIZE_TURN 2u
#define SIZE_LAST 33u
#else
#define SIZE_FIRST 3u
#define SIZE_TURN 18u
#define SIZE_LAST 40u
#endif

/* Fewer than 2^(SIZE_CELL_BITS - 3). */
static inline uint64_t size_buckets(unsigned size)
{
	const unsigned last_third = size < 2 * SIZE_TURN ? size : 2 * SIZE_TURN;
	const unsigned doublings = size <= SIZE_TURN ? size : size <= 2 * SIZE_TURN ? 2 * SIZE_TURN - size : size - 2 * SIZE_TURN;
	uint64_t buckets = UINT64_C(1) << doublings;

	for (unsigned s = SIZE_TURN; s < last_third; s++)
		buckets *= 3;
	return buckets;
}

/* Of a number of buckets, rounded down. */
static inline unsigned size_log2(uint64_t buckets)
{
	return 63 - (unsigned)__builtin_clzll(buckets);
}

/* What a cell is multiplied by, so that its bucket is the upper half of the product. */
static inline uint64_t size_factor(unsigned size)
{
	return size_buckets(size) << (64 - SIZE_CELL_BITS);
}

/* The bucket of a hash, in a table of that factor. */
static inline uint64_t size_bucket(uint64_t factor, uint64_t hash)
{
	__extension__ typedef unsigned __int128 product;

	return (uint64_t)((product)(hash >> (64 - SIZE_CELL_BITS)) * factor >> 64);
}

/* The buckets of a table of that factor. */
static inline uint64_t size_factor_buckets(uint64_t factor)
{
	return factor >> (64 - SIZE_CELL_BITS);
}

/* The first hash of a bucket, in a table of so many: bucket * 2^SIZE_CELL_BITS / buckets, rounded up, is its first cell. Of the bucket
 * behind the last one it is 0. Two divisions: not for readers. */
static inline uint64_t size_first_hash(uint64_t buckets, uint64_t bucket)
{
	/* In two steps, so that nothing overflows: buckets < 2^33. */
	const unsigned rest_bits = 5;
	const uint64_t dividend = bucket << (SIZE_CELL_BITS - rest_bits);
	const uint64_t rest = dividend % buckets << rest_bits;

	return ((dividend / buckets << rest_bits) + (rest + buckets - 1) / buckets) << (64 - SIZE_CELL_BITS);
}

/* Of two sizes next to each other: so many buckets of either make a group (S3). */
static inline unsigned size_group_of(unsigned size, unsigned other)
{
	const unsigned smaller = size < other ? size : other;
	const unsigned doubles = smaller < SIZE_TURN || smaller >= 2 * SIZE_TURN;

	return (doubles ? 1 : 2) + (size > other);
}

#endif
