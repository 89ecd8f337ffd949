/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/hash: XXH3 with a seed, or the user's function, mixed. */
#include "layout/hash.h"

#include "fixture.h"
#include "ground/random.h"

static uint64_t number_of_key(void *ctx, const void *key, size_t key_size)
{
	uint64_t number = 0;

	memcpy(&number, key, key_size < 8 ? key_size : 8);
	return number + (ctx ? *(uint64_t *)ctx : 0);
}

static unsigned bits_set(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

static void mixing_loses_nothing(void)
{
	struct rng rng;
	unsigned wrong = 0;

	/* Its inverse, step by step: so it is a bijection. */
	rng_init(&rng, 1);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t x = rng_u64(&rng), h = hash_mix(x);

		h ^= h >> 33;
		h *= UINT64_C(0x9cb4b2f8129337db);
		h ^= h >> 33;
		h *= UINT64_C(0x4f74430c22a54005);
		h ^= h >> 33;
		wrong += h != x;
	}
	is_int(wrong, 0, "distinct numbers stay distinct: mixing has an inverse");
}

/* Flip each bit of many numbers: each bit of the mixed number changes in about half of the cases. */
static void mixing_spreads_every_bit(void)
{
	enum { NUMBERS = 1000 };
	unsigned worst_low = NUMBERS, worst_high = 0;
	static unsigned flips[64][64];

	memset(flips, 0, sizeof flips);
	for (uint64_t n = 0; n < NUMBERS; n++)
		for (unsigned in = 0; in < 64; in++) {
			uint64_t changed = hash_mix(n) ^ hash_mix(n ^ UINT64_C(1) << in);

			for (unsigned out = 0; out < 64; out++)
				flips[in][out] += (unsigned)(changed >> out & 1);
		}
	for (unsigned in = 0; in < 64; in++)
		for (unsigned out = 0; out < 64; out++) {
			worst_low = flips[in][out] < worst_low ? flips[in][out] : worst_low;
			worst_high = flips[in][out] > worst_high ? flips[in][out] : worst_high;
		}
	/* 500 on average, with a standard deviation of 16; of 4096 some are 5 away. */
	ok(worst_low > 350 && worst_high < 650,
	   "each bit changes each other bit in about half of all numbers (%u to %u of %u)", worst_low, worst_high,
	   (unsigned)NUMBERS);
}

static void a_users_hash_is_mixed(void)
{
	uint64_t offset = 1000, key = 5;
	struct hash hash = hash_with(number_of_key, NULL, 12345), shifted = hash_with(number_of_key, &offset, 12345);
	unsigned char indices[256] = { 0 };
	unsigned distinct = 0;

	is_int(hash_key(&hash, &key, 8), hash_mix(5), "a user's hash is mixed");
	is_int(hash_key(&shifted, &key, 8), hash_mix(1005), "he gets his context");
	hash.seed = 54321;
	is_int(hash_key(&hash, &key, 8), hash_mix(5), "the seed does not matter");
	is_int(hash_key(&hash, &key, 4), hash_mix(5), "he gets the key's size");
	/* Tables take the high bits as index: small numbers must not all have the same. */
	for (key = 0; key < 256; key++)
		indices[hash_key(&hash, &key, 8) >> 56]++;
	for (unsigned i = 0; i < 256; i++)
		distinct += indices[i] > 0;
	/* 256 keys over 256 places leave e^-1 of them empty. */
	ok(distinct > 128 && distinct < 224, "keys 0 to 255 spread over the 8 high bits: %u places", distinct);
}

static void seeds_differ(void)
{
	struct hash one = hash_with(NULL, NULL, 1), two = hash_with(NULL, NULL, 2);
	unsigned same = 0, same_again = 0, bits = 0;

	for (uint64_t key = 0; key < 1000; key++) {
		uint64_t a = hash_key(&one, &key, 8), b = hash_key(&two, &key, 8);

		same += a == b;
		bits += bits_set(a ^ b);
		same_again += a == hash_key(&one, &key, 8);
	}
	is_int(same_again, 1000, "a key's hash depends on its bytes and the seed alone");
	is_int(same, 0, "another seed gives other hashes");
	ok(bits > 1000 * 30 && bits < 1000 * 34, "in half of their bits");
}

static void sizes_differ(void)
{
	struct hash hash = hash_with(NULL, NULL, 7);
	static const unsigned char zeros[300];
	uint64_t seen[300];
	unsigned same = 0;

	for (unsigned size = 1; size < 300; size++) {
		seen[size] = hash_key(&hash, zeros, size);
		for (unsigned other = 1; other < size; other++)
			same += seen[other] == seen[size];
	}
	is_int(same, 0, "keys of zeros differ by their size");
}

static void random_seeds_differ(void)
{
	enum { SEEDS = 100 };
	uint64_t seeds[SEEDS], zeros = UINT64_MAX, ones = 0;
	unsigned same = 0;

	for (unsigned i = 0; i < SEEDS; i++) {
		seeds[i] = random_seed();
		zeros &= seeds[i];
		ones |= seeds[i];
		for (unsigned j = 0; j < i; j++)
			same += seeds[i] == seeds[j];
	}
	is_int(same, 0, "each map gets a seed of its own");
	ok(zeros == 0 && ones == UINT64_MAX, "all its 64 bits are random");
}

int main(void)
{
	mixing_loses_nothing();
	mixing_spreads_every_bit();
	a_users_hash_is_mixed();
	seeds_differ();
	sizes_differ();
	random_seeds_differ();
	return tap_done();
}
