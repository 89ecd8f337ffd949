/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file random.h
 * Random numbers for tests, stress and bench: the same seed gives the same sequence on every machine.
 *
 * A generator belongs to one thread. Threads that work on one seed take different streams of it.
 */
#ifndef HARNESS_RANDOM_H
#define HARNESS_RANDOM_H

#include <stdint.h>

/** xoshiro256** (Blackman and Vigna, 2018): period 2^256 - 1, under 1 ns a number. */
struct rng {
	uint64_t s[4];
};

/** Start a generator from a seed; every seed is good, also 0. */
void rng_init(struct rng *r, uint64_t seed);

/** As rng_init(), with one of 2^64 independent streams of the seed: the thread's index, say. */
void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream);

/** A seed that differs in every run, for when the user gave none. Print it. */
uint64_t rng_fresh_seed(void);

/** Mixes all bits of `x` (splitmix64's finalizer, a bijection): for scrambling key numbers. */
static inline uint64_t rng_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/** 64 random bits. */
static inline uint64_t rng_u64(struct rng *r)
{
	uint64_t *s = r->s, x = s[1] * 5, result = ((x << 7) | (x >> 57)) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return result;
}

/** A number in [0, n); n > 0. The bias is below n / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_u64(r) * n) >> 64);
}

/** A number in [0, 1), 53 bits of it. */
static inline double rng_double(struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

/**
 * Zipf's distribution over the ranks 0 to n - 1: rank i has weight 1 / (i + 1)^theta.
 *
 * Exact, without tables, O(1) a number: rejection-inversion (Hoermann and Derflinger, 1996). Constant after
 * zipf_init(), so threads may share one.
 */
struct zipf {
	double n, theta;
	double h_first, h_last; /* integral of the weight up to 1.5, less 1; and up to n + 0.5 */
	double accept;          /* a rank this close below its inverse is taken without a check */
};

/** n >= 1; theta >= 0 (0 is uniform, 0.99 what YCSB uses). */
void zipf_init(struct zipf *z, uint64_t n, double theta);

/** A rank, 0 the most frequent. Scramble it with rng_mix() where neighbours in rank must not be neighbours in key. */
uint64_t zipf_next(const struct zipf *z, struct rng *r);

#endif
