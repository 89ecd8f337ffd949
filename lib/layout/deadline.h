/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deadline word of an entry, and the hint that reminds of it.
 *
 *     word   63 ................. 11 | 10     | 9 ........ 0
 *            | deadline, microseconds | sealed | arm        |
 *     hint   63 .......................... 10 | 9 ........ 0
 *            | top 54 bits of the hash        | arm          |
 *     short  39 .......................... 10 | 9 ........ 0
 *            | top 30 bits of the hash        | arm          |
 *
 * A deadline of 0 is DEAD: an expiry, or somebody who stores over an expired entry, has claimed it; nobody gives it a
 * new life. All ones is NEVER. A hint is kept until the deadline and then looked at: it finds the entry by its hash, and
 * `arm` says whether it is the entry's own: each time that an entry cannot do with the hint that it has, it takes a
 * new arm, and the old hint is void. It is told whole, in a log, and kept short, in a timing wheel, for there is one for every
 * entry (map/expiry.h).
 *
 * A void hint may pass for good: if an entry in its place has the bits of the tag that it has, and its arm. That costs looks,
 * and loses nothing: what matches something is kept, until the earliest of what it matches, and an entry's own hint matches it
 * whatever else does. So H1 (map/expiry.h) does not rest on how seldom that is; H2 does. Other entries have the same tag seldom, but
 * for keys whose hashes are the same, and one in 1008 of these has the arm: all of it is kept, for with four bits of it eleven
 * keys of one hash would keep every other void hint, and so more at each pass. The entry itself comes to the same arm again: but arms
 * count up where an entry displaces another, or is touched, so the last DEADLINE_ARMS of a key that stays differ. An absent key
 * draws its arm.
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
/* Arms are 1 to this; 0: no hint has been told. Neither a word of all zeros nor one of all ones is for a log. */
#define DEADLINE_ARMS 1008u
#define DEADLINE_SHIFT (DEADLINE_ARM_BITS + 1)

/* In microseconds. */
#define DEADLINE_DEAD UINT64_C(0)
#define DEADLINE_NEVER (UINT64_MAX >> DEADLINE_SHIFT)

/* Bits of the hash in a short hint, of the arm, and of the whole. */
#define HINT_HASH_BITS 30
#define HINT_ARM_BITS DEADLINE_ARM_BITS
#define HINT_BITS (HINT_HASH_BITS + HINT_ARM_BITS)
#define HINT_HASH_SHIFT (64 - HINT_HASH_BITS)
#define HINT_ARM ((UINT64_C(1) << HINT_ARM_BITS) - 1)

/* Bits of a hint that are known: of a short one, of one as it was told. */
#define HINT_SHORT (UINT64_MAX << HINT_HASH_SHIFT | HINT_ARM)
#define HINT_WHOLE UINT64_MAX

_Static_assert(DEADLINE_ARMS < DEADLINE_ARM, "what is said of arms");

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

/* The arm that follows on one. */
static inline uint64_t deadline_arm_after(uint64_t arm)
{
	return arm % DEADLINE_ARMS + 1;
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

/* The first and the last hash of which these bits are known: in few buckets that stand side by side, nearly always one. Of a whole hint
 * they are the same: bits below are no part of an index or a tag (protocol/size.h, tag.h). */
static inline uint64_t hint_first_hash(uint64_t hint)
{
	return hint & ~DEADLINE_ARM;
}

static inline uint64_t hint_last_hash(uint64_t hint, uint64_t known)
{
	return (hint & ~DEADLINE_ARM) | (~known & ~DEADLINE_ARM);
}

static inline bool hint_is_of(uint64_t hint, uint64_t known, uint64_t word)
{
	return ((hint ^ word) & known & DEADLINE_ARM) == 0;
}

static inline uint64_t hint_shorten(uint64_t hint)
{
	return hint >> HINT_HASH_SHIFT << HINT_ARM_BITS | (hint & HINT_ARM);
}

/* HINT_SHORT of it is known. */
static inline uint64_t hint_of_short(uint64_t hint)
{
	return hint >> HINT_ARM_BITS << HINT_HASH_SHIFT | (hint & HINT_ARM);
}

#endif
