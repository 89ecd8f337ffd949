/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file pair.h
 * The pairs that benchmarks store: pair number `id` has a key of 16 random-looking bytes and a self-checking value.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "random.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAIR_KEY_SIZE 16u
#define PAIR_VALUE_SIZE 32u

/** The key of a pair: distinct for distinct ids, without order or pattern. */
static inline void pair_key(unsigned char key[PAIR_KEY_SIZE], uint64_t id)
{
	uint64_t words[2];

	/* Odd factors: neither product comes twice. */
	words[0] = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);
	words[1] = words[0] * UINT64_C(0xd1342543de82ef95);
	memcpy(key, words, sizeof words);
}

/*
 * The value: id, number, a checksum of both, and the number's complement: no two of the words fit two different values of a
 * pair. payload.h checks any size, at 120 instructions for these 32 bytes: as many as a lookup, so fewer lookups would overlap
 * and every map would look slower, the fastest most. This check is inlined and takes a dozen.
 */
static inline uint64_t pair_checksum(uint64_t id, uint64_t number)
{
	return id + number * UINT64_C(0x9e3779b97f4a7c15);
}

static inline void pair_value(unsigned char value[PAIR_VALUE_SIZE], uint64_t id, uint64_t number)
{
	uint64_t check = pair_checksum(id, number), words[4] = { id, number, check, ~number };

	memcpy(value, words, sizeof words);
}

/** Is that a value of this pair, and whole? */
static inline bool pair_value_is_of(const unsigned char value[PAIR_VALUE_SIZE], uint64_t id)
{
	uint64_t words[4];

	memcpy(words, value, sizeof words);
	return words[0] == id && words[2] == pair_checksum(id, words[1]) && words[3] == ~words[1];
}

#endif
