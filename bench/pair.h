/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file pair.h
 * The pairs that benchmarks store: pair number `id` has a key of 16 random-looking bytes and a self-checking value.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "random.h"

#include <stdint.h>
#include <string.h>

#define PAIR_KEY_SIZE 16u
#define PAIR_VALUE_SIZE 32u

/** The key of a pair: distinct for distinct ids, without order or pattern. */
static inline void pair_key(unsigned char key[PAIR_KEY_SIZE], uint64_t id)
{
	uint64_t words[2];

	words[0] = rng_mix(id + UINT64_C(0x9e3779b97f4a7c15));
	words[1] = rng_mix(words[0]);
	memcpy(key, words, sizeof words);
}

#endif
