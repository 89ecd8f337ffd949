/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/tag: what 16 bits of a hash tell about the rest of it. Of numbers alone: no table is allocated. */
#include "protocol/tag.h"

#include "fixture.h"

#define SAMPLES 200u

static struct tag_range hashes_of(unsigned size, uint64_t bucket)
{
	return (struct tag_range){ size_first_hash(size_buckets(size), bucket), size_first_hash(size_buckets(size), bucket + 1) - 1 };
}

static bool lies_in(uint64_t hash, struct tag_range range)
{
	return hash >= range.first && hash <= range.last;
}

static void a_fresh_tag_is_as_low_as_can_be(void)
{
	unsigned ambiguous = 0, high = 0, stale = 0;

	for (unsigned size = SIZE_FIRST; size <= SIZE_LAST; size++) {
		const uint64_t n = size_buckets(size);
		const unsigned shift = tag_fresh_shift(n);

		/* In a bucket of one cell more than its share, too. */
		for (uint64_t i = 0; i < 100 && i < n; i++) {
			const struct tag_range bucket = hashes_of(size, i);

			ambiguous += (bucket.last - bucket.first) >> shift >> 16 != 0;
			high += (bucket.last - bucket.first) >> shift >> 15 == 0;
		}
		stale += !tag_is_fresh(n, shift) || !tag_tells(size, size + 1, shift);
	}
	is_int(ambiguous, 0, "no bucket has more than 2^16 tags of the fresh ones, in each size");
	is_int(high, 0, "and each more than 2^15");
	is_int(stale, 0, "so they are fresh, and tell");
}

/* Is what the tag of a hash says of it true; is it as narrow as can be? */
static unsigned check(struct tag_range bucket, unsigned shift, uint64_t hash)
{
	const struct tag_range range = tag_range(shift, bucket, hash >> shift & 0xffff);
	unsigned wrong = 0;

	wrong += !lies_in(hash, range) || !lies_in(range.first, bucket) || !lies_in(range.last, bucket);
	/* One interval; or all of a bucket that has its first tag again at its end. */
	if (range.last - range.first > (UINT64_C(1) << shift) - 1)
		wrong += range.first != bucket.first || range.last != bucket.last ||
			 (bucket.first >> shift & 0xffff) != (bucket.last >> shift & 0xffff) ||
			 (hash >> shift & 0xffff) != (bucket.first >> shift & 0xffff);
	else
		wrong += range.first >> shift != range.last >> shift;
	return wrong;
}

/* No size of the ladder has such buckets, as it happens. */
static void a_bucket_may_end_with_its_first_tag(void)
{
	unsigned wrong = 0, wide = 0;

	for (unsigned shift = 16; shift <= 40; shift++)
		for (uint64_t skew = 0; skew < 3; skew++) {
			const uint64_t first = (UINT64_C(0x12345) << shift) + (skew << (shift - 2));
			const struct tag_range bucket = { first, first + (UINT64_C(1) << (shift + 16)) - 1 };
			const struct tag_range range = tag_range(shift, bucket, first >> shift & 0xffff);

			wrong += check(bucket, shift, bucket.first) + check(bucket, shift, bucket.last) +
				 check(bucket, shift, first + (UINT64_C(1) << shift)) + check(bucket, shift, bucket.last - (UINT64_C(1) << shift));
			wide += range.first == bucket.first && range.last == bucket.last;
		}
	is_int(wrong, 0, "of a bucket as wide as may be, too, a tag tells no more than is true");
	is_int(wide, 25 * 2, "that which it begins and ends with tells nothing");
}

/* Of what goes from that size to that other with tags at that shift: is each target that is told by the tag that of the hash?
 * How many of random hashes must be read? */
struct told {
	unsigned wrong, asked, random;
};

static void tell(struct told *told, unsigned from, unsigned to, unsigned shift, uint64_t hash, bool is_random)
{
	const uint64_t factor = size_factor(to);
	const struct tag_range bucket = hashes_of(from, size_bucket(size_factor(from), hash));
	const struct tag_range range = tag_range(shift, bucket, hash >> shift & 0xffff);
	const uint64_t target = size_bucket(factor, range.first);

	told->wrong += check(bucket, shift, hash);
	told->random += is_random;
	if (target != size_bucket(factor, range.last))
		told->asked += is_random;
	else
		told->wrong += target != size_bucket(factor, hash);
}

static void tell_step(struct told *told, unsigned from, unsigned to, unsigned shift, struct rng *rng)
{
	const uint64_t n = size_buckets(from), targets = size_buckets(to);

	for (unsigned i = 0; i < SAMPLES; i++) {
		const uint64_t border = i % 2 ? size_first_hash(n, rng_below(rng, n)) : size_first_hash(targets, rng_below(rng, targets));

		/* Around the ends of sources and targets, up to two tags away. */
		for (int offset = -2; offset <= 2; offset++) {
			const uint64_t near = border + (uint64_t)offset * (UINT64_C(1) << shift);

			tell(told, from, to, shift, near, false);
			tell(told, from, to, shift, near - 1, false);
		}
		tell(told, from, to, shift, rng_u64(rng), true);
	}
}

static void the_target_follows_from_bucket_and_tag(void)
{
	struct told small = { 0 }, large = { 0 };
	unsigned steps = 0;
	struct rng rng;

	rng_init(&rng, 1);
	/* Each shift that a table may have: fresh at any size before. */
	for (unsigned from = SIZE_FIRST; from <= SIZE_LAST; from++)
		for (unsigned to = from - 1; to <= from + 1; to += 2)
			for (unsigned shift = tag_fresh_shift(size_buckets(from)); shift <= 48; shift++) {
				if (to < SIZE_FIRST || to > SIZE_LAST || !tag_is_fresh(size_buckets(from), shift))
					continue;
				steps++;
				tell_step(shift > 64 - SIZE_CELL_BITS ? &small : &large, from, to, shift, &rng);
			}
	ok(steps > SIZE_LAST - SIZE_FIRST, "%u steps, up and down, with tags wherever they may stand", steps);
	is_int(small.wrong + large.wrong, 0, "what a tag says of a hash, and of its bucket in the next table, is true");
	ok(small.asked * 1000 <= small.random, "where a bucket may begin amid a tag it tells nothing of %u of %u", small.asked, small.random);
	ok(large.asked == 0 && large.random > 0, "in large tables it always tells");
}

/* As tables do: fresh tags at the first size, and then whenever there are too few. */
static void new_ones_are_taken_once_in_four_doublings(void)
{
	unsigned often = 0, taken = 0, steps = 0, untold = 0;

	for (unsigned first = SIZE_FIRST; first < SIZE_LAST; first++) {
		unsigned shift = tag_fresh_shift(size_buckets(first));
		uint64_t before = 0;

		for (unsigned size = first + 1; size <= SIZE_LAST; size++) {
			const uint64_t n = size_buckets(size);

			steps++;
			untold += !tag_tells(size - 1, size, shift);
			if (tag_is_fresh(n, shift))
				continue;
			/* From the first time on entries have been read. */
			often += before && n < before << (16 - TAG_FRESH);
			taken++;
			before = n;
			shift = tag_fresh_shift(n);
		}
	}
	ok(taken > 0 && taken < steps, "of %u steps %u take new tags", steps, taken);
	is_int(often, 0, "from one to the next the table grows %u times, at least, from whatever size on", 1u << (16 - TAG_FRESH));
	is_int(untold, 0, "none is taken because it does not tell where entries go");
}

int main(void)
{
	a_fresh_tag_is_as_low_as_can_be();
	a_bucket_may_end_with_its_first_tag();
	the_target_follows_from_bucket_and_tag();
	new_ones_are_taken_once_in_four_doublings();
	return tap_done();
}
