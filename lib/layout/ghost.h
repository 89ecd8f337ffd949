/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was evicted from a bucket a short while ago: a word beside each bucket with the fingerprints of the last four keys
 * that left it for want of being found again. A key that is stored while its fingerprint is there has returned.
 *
 * Hints, all of it: two who change a word at the same time lose one of the changes, and one fingerprint in 255 is that
 * of another key.
 */
#ifndef RCUMAP_GHOST_H
#define RCUMAP_GHOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint32_t ghost_word; /* newest in the low byte; 0: none */

/* The bucket and the tag are told by the top bits of a hash. */
static inline uint32_t ghost_fingerprint(uint64_t hash)
{
	return 1 + (uint32_t)(hash & 0xffff) % 255;
}

static inline void ghost_add(ghost_word *ghost, uint64_t hash)
{
	/* relaxed: hints */
	uint32_t word = atomic_load_explicit(ghost, memory_order_relaxed);

	atomic_store_explicit(ghost, word << 8 | ghost_fingerprint(hash), memory_order_relaxed);
}

/* Is it there? Then it is not any more. */
static inline bool ghost_take(ghost_word *ghost, uint64_t hash)
{
	/* relaxed: hints */
	uint32_t word = atomic_load_explicit(ghost, memory_order_relaxed), wanted = ghost_fingerprint(hash);

	for (unsigned shift = 0; shift < 32; shift += 8) {
		uint32_t newer = word & ((UINT32_C(1) << shift) - 1);

		if ((word >> shift & 255) != wanted)
			continue;
		/* Older ones move up. */
		atomic_store_explicit(ghost, newer | (shift < 24 ? word >> (shift + 8) << shift : 0),
				      memory_order_relaxed);
		return true;
	}
	return false;
}

/* A bucket's fingerprints go with it into another table; where two come together the newer two of each stay. */
static inline void ghost_carry(ghost_word *from, ghost_word *to)
{
	/* relaxed: hints */
	uint32_t word = atomic_load_explicit(from, memory_order_relaxed), there = atomic_load_explicit(to, memory_order_relaxed);

	if (word && word != there)
		atomic_store_explicit(to, there ? (word & 0xffff) | there << 16 : word, memory_order_relaxed);
}

#endif
