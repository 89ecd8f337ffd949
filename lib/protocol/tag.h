/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the 16 bits of a hash stand that are in a slot's word, and what they tell about the rest of it.
 *
 *     hash   63 ................................................ 0
 *            | cell: 36 bits, which tell the bucket       | ... |
 *                     | tag: 16 bits from shift up |
 *
 * A fresh tag stands as low as is possible so that no bucket has more than 2^(shift + 16) hashes: each tag is that of one interval of
 * 2^shift of them; or, at most, of a piece at the bucket's beginning and another at its end.
 *
 * A tag stays where it is while the table grows. From a bucket and a tag one knows between which hashes an entry's is, and with that
 * its bucket in the next table, unless one begins there between. Only then the entry is read: one in thousands in tables of less
 * than 2^20 buckets; in larger ones none, for there all buckets begin with a tag: a cell has 2^28 hashes, and the shift is 28 at most.
 */
#ifndef RCUMAP_TAG_H
#define RCUMAP_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/size.h"

/* In a bucket occur two thirds of 2^TAG_FRESH tags, at least. At 12 one slot in 2731 matches for nothing; and however large the table was at
 * first, it grows to 16 times the size, or more, from one time that new tags are taken from the entries to the next (test_tag.c). Debug builds take
 * new ones often. */
#ifdef RCUMAP_DEBUG
#define TAG_FRESH 15u
#else
#define TAG_FRESH 12u
#endif

/* The shift of a fresh tag: 2^(shift + 16) is at least 2^64 / buckets. */
static inline unsigned tag_fresh_shift(uint64_t buckets)
{
	return 48 - size_log2(buckets);
}

/* Do enough tags at that shift occur in each of so many buckets? */
static inline bool tag_is_fresh(uint64_t buckets, unsigned shift)
{
	return buckets <= UINT64_C(3) << (63 - TAG_FRESH - shift);
}

/* Do tags at that shift, in a table of size `from`, tell the buckets in one of size `to`? */
static inline bool tag_tells(unsigned from, unsigned to, unsigned shift)
{
	return shift >= tag_fresh_shift(size_buckets(from)) || size_group_of(to, from) == 1;
}

/* Hashes from the first to the last, both included. */
struct tag_range {
	uint64_t first, last;
};

/* Of the hashes in `bucket`, no more than 2^(shift + 16), those that a tag, which occurs there, may stand for. */
static inline struct tag_range tag_range(unsigned shift, struct tag_range bucket, uint64_t tag)
{
	/* In intervals of one tag each, from that of the bucket's first hash on: the one that is meant, and the last one. */
	const uint64_t start = bucket.first >> shift, meant = (tag - start) & 0xffff, end = (bucket.last >> shift) - start;
	struct tag_range range = bucket;

	/* With its first tag a bucket may also end: then all of it may be meant. */
	if (meant == 0 && end > 0xffff)
		return range;
	if (meant > 0)
		range.first = (start + meant) << shift;
	if (meant < end)
		range.last = ((start + meant + 1) << shift) - 1;
	return range;
}

#endif
