/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deadline word of an entry, and the hint that reminds of it.
 *
 *     word   63 ................. 11 | 10     | 9 ..... 0
 *            | deadline, microseconds | sealed | arm      |
 *     hint   63 ................................ 10 | 9 .. 0
 *            | top bits of the hash                   | arm  |
 *
 * A deadline of 0 is DEAD: an expiry, or somebody who stores over an expired entry, has claimed it; nobody gives it a
 * new life. All ones is NEVER. A hint is kept until the deadline and then looked at: it finds the entry by its hash, and
 * `arm` says whether it is the entry's own: each time that an entry cannot do with the hint that it has, it takes a
 * new arm, and the old hint is void. Two arms in 1024 are the same: then a void hint passes for good and is
 * dropped later.
 *
 * A sealed word does not change any more but to DEAD: somebody who has found the entry live is about to displace it,
 * perhaps by one that takes the word over, and what is given to this one would be lost. Who wants to touch the entry
 * makes a copy instead.
 */
#ifndef RCUMAP_DEADLINE_H
#define RCUMAP_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define DEADLINE_ARM_BITS 10
#define DEADLINE_ARM ((UINT64_C(1) << DEADLINE_ARM_BITS) - 1)
#define DEADLINE_SEALED (UINT64_C(1) << DEADLINE_ARM_BITS)
#define DEADLINE_SHIFT (DEADLINE_ARM_BITS + 1)

/* In microseconds. */
#define DEADLINE_DEAD UINT64_C(0)
#define DEADLINE_NEVER (UINT64_MAX >> DEADLINE_SHIFT)

static inline uint64_t deadline_word(uint64_t us, uint64_t arm)
{
	return us << DEADLINE_SHIFT | (arm & DEADLINE_ARM);
}

static inline uint64_t deadline_us(uint64_t word)
{
	return word >> DEADLINE_SHIFT;
}

static inline uint64_t deadline_arm(uint64_t word)
{
	return word & DEADLINE_ARM;
}

static inline bool deadline_is_sealed(uint64_t word)
{
	return word & DEADLINE_SEALED;
}

static inline bool deadline_is_finite(uint64_t word)
{
	return deadline_us(word) != DEADLINE_NEVER;
}

static inline bool deadline_has_passed(uint64_t word, uint64_t now_us)
{
	return deadline_us(word) <= now_us;
}

static inline uint64_t hint_of(uint64_t hash, uint64_t word)
{
	return (hash & ~DEADLINE_ARM) | deadline_arm(word);
}

/* A hash with the same index and tag in every table (table.h): these are its top 54 bits at most. */
static inline uint64_t hint_hash(uint64_t hint)
{
	return hint & ~DEADLINE_ARM;
}

static inline bool hint_is_of(uint64_t hint, uint64_t word)
{
	return deadline_arm(hint) == deadline_arm(word);
}

#endif
