/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/size: the ladder of sizes, and which bucket a hash is in. Of numbers alone: no table is allocated. */
#include "protocol/size.h"

#include "fixture.h"

#define CELL (UINT64_C(1) << (64 - SIZE_CELL_BITS))

/* The first, the last, some between. */
#define SAMPLES 4000u
static uint64_t sample(uint64_t n, unsigned i, struct rng *rng)
{
	if (n <= SAMPLES)
		return i % n;
	if (i < SAMPLES / 4)
		return i;
	return i < SAMPLES / 2 ? n - 1 - (i - SAMPLES / 4) : rng_below(rng, n);
}

static void the_ladder(void)
{
	unsigned wrong = 0, thirds = 0, last_doublings = 0;

	for (unsigned size = 1; size <= SIZE_LAST; size++) {
		const uint64_t n = size_buckets(size), before = size_buckets(size - 1);

		if (size > SIZE_TURN && size <= 2 * SIZE_TURN)
			thirds += 2 * n == 3 * before;
		else
			wrong += n != 2 * before;
		last_doublings += size > 2 * SIZE_TURN;
		wrong += size_factor(size) / CELL != n || size_factor_buckets(size_factor(size)) != n;
		wrong += size_log2(n) > 32 || n >> size_log2(n) != 1;
	}
	is_int(size_buckets(0), 1, "from one bucket on");
	is_int(wrong, 0, "tables double");
	is_int(thirds, SIZE_TURN, "but for %u steps in the middle, in which two buckets become three", SIZE_TURN);
	ok(last_doublings > 0 && size_buckets(2 * SIZE_TURN) % 2 == 1, "until no factor of two is left");
	ok(size_buckets(SIZE_LAST) <= UINT64_C(1) << (SIZE_CELL_BITS - 3), "each bucket of the largest has eight cells");
}

static void a_group_is_two_or_three_buckets_at_most(void)
{
	unsigned wrong = 0;

	for (unsigned size = 1; size < SIZE_LAST; size++) {
		const unsigned below = size_group_of(size, size + 1), above = size_group_of(size + 1, size);

		wrong += below > 2 || above != below + 1 || size_buckets(size) % below || size_buckets(size + 1) % above ||
			 size_buckets(size) / below != size_buckets(size + 1) / above;
	}
	is_int(wrong, 0, "a step up makes two buckets of one, or three of two: never of more");
}

/* S2. At both ends of each. */
static void buckets_cover_hashes_in_order(void)
{
	unsigned wrong = 0, uneven = 0;
	struct rng rng;

	rng_init(&rng, 1);
	for (unsigned size = 0; size <= SIZE_LAST; size++)
		for (unsigned i = 0; i < SAMPLES; i++) {
			const uint64_t n = size_buckets(size), factor = size_factor(size), bucket = sample(n, i, &rng);
			const uint64_t first = size_first_hash(n, bucket), last = size_first_hash(n, bucket + 1) - 1;
			const uint64_t cells = (last - first) / CELL + 1, share = (UINT64_C(1) << SIZE_CELL_BITS) / n;

			wrong += size_bucket(factor, first) != bucket || size_bucket(factor, last) != bucket || first > last ||
				 first % CELL != 0 || last % CELL != CELL - 1;
			wrong += bucket > 0 && size_bucket(factor, first - 1) != bucket - 1;
			wrong += bucket + 1 < n && size_bucket(factor, last + 1) != bucket + 1;
			uneven += cells < share || cells > share + 1;
		}
	is_int(wrong, 0, "a bucket has the hashes from its first one to the one before the next bucket's, in each size");
	is_int(uneven, 0, "no two differ by more than a cell");
	is_int(size_first_hash(size_buckets(SIZE_LAST), 0), 0, "the first begins with the first hash");
	is_int(size_first_hash(size_buckets(SIZE_LAST), size_buckets(SIZE_LAST)), 0, "the last ends with the last");
}

/* S1. */
static void the_cell_alone_tells_the_bucket(void)
{
	unsigned wrong = 0;
	struct rng rng;

	rng_init(&rng, 2);
	for (unsigned size = 0; size <= SIZE_LAST; size++)
		for (unsigned i = 0; i < SAMPLES; i++) {
			const uint64_t hash = rng_u64(&rng), bucket = size_bucket(size_factor(size), hash);

			wrong += size_bucket(size_factor(size), hash & ~(CELL - 1)) != bucket ||
				 size_bucket(size_factor(size), hash | (CELL - 1)) != bucket;
		}
	is_int(wrong, 0, "the top %u bits of a hash tell its bucket, in each size", SIZE_CELL_BITS);
}

/* S3: of random hashes, and of those on both sides of where a bucket begins. */
static void tables_nest(void)
{
	unsigned wrong = 0;
	struct rng rng;

	rng_init(&rng, 3);
	for (unsigned size = 0; size < SIZE_LAST; size++) {
		const uint64_t n = size_buckets(size + 1), groups = n / size_group_of(size + 1, size);

		for (unsigned i = 0; i < SAMPLES; i++) {
			const uint64_t border = size_first_hash(n, sample(n, i, &rng));
			const uint64_t hashes[] = { rng_u64(&rng), border, border - 1 };

			for (unsigned h = 0; h < 3; h++) {
				const uint64_t below = size_bucket(size_factor(size), hashes[h]) / size_group_of(size, size + 1),
					       above = size_bucket(size_factor(size + 1), hashes[h]) / size_group_of(size + 1, size);

				wrong += below != above || above != size_bucket(groups * CELL, hashes[h]);
			}
		}
	}
	is_int(wrong, 0, "a hash is in the same group of two tables that follow on each other, at each step");
}

int main(void)
{
	the_ladder();
	a_group_is_two_or_three_buckets_at_most();
	buckets_cover_hashes_in_order();
	the_cell_alone_tells_the_bucket();
	tables_nest();
	return tap_done();
}
