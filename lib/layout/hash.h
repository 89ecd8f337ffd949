/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash of a key: seeded XXH3, or the user's function, mixed. Tables take its high bits as index and the bits
 * below as tag, so all bits must be good.
 */
#ifndef RCUMAP_HASH_H
#define RCUMAP_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rcumap.h>

struct hash {
	rcumap_hash_fn *fn; /* NULL: XXH3 */
	void *ctx;
	uint64_t seed;
	size_t short_keys; /* HASH_SHORT_KEYS; or 0, with fn: so one comparison tells whether a key is short and there is none */
};

/* Of 8 to 16 bytes, as most keys are, and the map's own hash: what is made as short as it can be for these. */
#define HASH_SHORT_MIN 8u
#define HASH_SHORT_KEYS 9u

static inline struct hash hash_with(rcumap_hash_fn *fn, void *ctx, uint64_t seed)
{
	return (struct hash){ fn, ctx, seed, fn ? 0 : HASH_SHORT_KEYS };
}

/* The finalizer of MurmurHash3 (Austin Appleby, public domain), a bijection: it spreads what distinct bits there are. */
static inline uint64_t hash_mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static inline bool hash_is_short(const struct hash *hash, size_t key_size)
{
	return key_size - HASH_SHORT_MIN < hash->short_keys;
}

/* hash_key() of such a key. */
static inline uint64_t hash_short(const struct hash *hash, const void *key, size_t key_size)
{
	/* The caller has asked. Here it says so to the compiler. */
	if (key_size - HASH_SHORT_MIN >= HASH_SHORT_KEYS)
		__builtin_unreachable();
	return XXH3_64bits_withSeed(key, key_size, hash->seed);
}

static inline uint64_t hash_key(const struct hash *hash, const void *key, size_t key_size)
{
	if (__builtin_expect(hash->fn != NULL, 0))
		return hash_mix(hash->fn(hash->ctx, key, key_size));
	return XXH3_64bits_withSeed(key, key_size, hash->seed);
}

#endif
