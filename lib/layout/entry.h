/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An entry: one block with header, key and value.
 *
 *     0               8           12        14     16
 *     | head          | value_size | key_size| holds | deadline, if any | key bytes ...  | value bytes ... |
 *
 * head   heat << 62 | returned << 61 | apart << 60 | version
 *
 * With a key of 16 and a value of 32 bytes and no deadline it is one 64-byte line.
 *
 * Invariants
 * E1 Nothing in an entry changes once a compare-and-swap has made it reachable, but for `holds`, the deadline word, and
 *    the heat.
 * E2 A version is drawn once per value stored, and never again in the map's life. A copy that only changes the
 *    deadline keeps it, and takes the place of the original in one exchange: so at any time one entry that can be
 *    reached has it.
 * E3 A deadline word changes by compare-and-swap, or is sealed; once DEAD, or sealed, it is given no other deadline.
 * E4 `holds` counts those who hold the entry. ORPHAN is set once, when no reader can have it any more but those; then
 *    whoever brings the count to zero gives the entry back. (Where none was ever held nobody looks: retire.h.)
 * E5 The heat, how often the entry was found since a hand of the eviction was last there, is a hint: readers and hands
 *    store what they make of the head as they loaded it, and of two who do so at the same time one is forgotten. Nothing
 *    else in the head ever changes, so no store harms it. In a map without a limit it is HOT from the beginning, and nobody stores.
 */
#ifndef RCUMAP_ENTRY_H
#define RCUMAP_ENTRY_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ground/copy.h"
#include "layout/address.h"
#include "layout/deadline.h"

struct rcumap_entry {
	_Atomic uint64_t head;
	uint32_t value_bits; /* the value's size; the top bit: there is a deadline word */
	uint16_t key_size;
	_Atomic uint16_t holds;
	unsigned char bytes[];
};

_Static_assert(offsetof(struct rcumap_entry, bytes) == 16, "the header is two words");
_Static_assert(sizeof(struct rcumap_entry) == 16, "no padding");

/* Versions use 60 bits: a version also serves as the number in IDLE and EMPTY words (line.h). */
#define ENTRY_VERSION_BITS 60
#define ENTRY_APART (UINT64_C(1) << 60)
#define ENTRY_RETURNED (UINT64_C(1) << 61)
#define ENTRY_HEAT_SHIFT 62
#define ENTRY_HOT 3u

#define ENTRY_HAS_DEADLINE (UINT32_C(1) << 31)

#define ENTRY_ORPHAN UINT16_C(0x8000)
#define ENTRY_HOLDS_MAX 0x7fffu

/* ------------------------------------------------------------------ head */

/* Before the entry is published, or once it is the caller's alone. */
static inline void entry_set_head(struct rcumap_entry *entry, uint64_t version, unsigned heat, bool returned)
{
	atomic_init(&entry->head, (uint64_t)heat << ENTRY_HEAT_SHIFT | (returned ? ENTRY_RETURNED : 0) | version);
}

static inline uint64_t entry_head(const struct rcumap_entry *entry)
{
	/* relaxed: published with the entry, but for the heat, a hint. E5. */
	return atomic_load_explicit(&((struct rcumap_entry *)entry)->head, memory_order_relaxed);
}

static inline uint64_t entry_version(const struct rcumap_entry *entry)
{
	return entry_head(entry) & ((UINT64_C(1) << ENTRY_VERSION_BITS) - 1);
}

/* The key had been evicted a short while before it was stored. */
static inline bool entry_is_returned(const struct rcumap_entry *entry)
{
	return entry_head(entry) & ENTRY_RETURNED;
}

/* Before the entry is published, if it is none of the map's contents: what stands for an absent key (placeholder.h), or a
 * value that was loaded and not stored. It is counted nowhere, and nobody is told of it. */
static inline void entry_set_apart(struct rcumap_entry *entry)
{
	atomic_init(&entry->head, entry_head(entry) | ENTRY_APART);
}

static inline bool entry_is_apart(const struct rcumap_entry *entry)
{
	return entry_head(entry) & ENTRY_APART;
}

static inline unsigned entry_heat(const struct rcumap_entry *entry)
{
	return (unsigned)(entry_head(entry) >> ENTRY_HEAT_SHIFT);
}

/* A reader has found it. One store at most, and none once it is hot. */
static inline void entry_warm(const struct rcumap_entry *entry)
{
	if (__builtin_expect(entry_heat(entry) == ENTRY_HOT, 1))
		return;

	const uint64_t head = entry_head(entry);

	/* relaxed: a hint. E5. */
	if (head >> ENTRY_HEAT_SHIFT != ENTRY_HOT)
		atomic_store_explicit(&((struct rcumap_entry *)entry)->head, head + (UINT64_C(1) << ENTRY_HEAT_SHIFT),
				      memory_order_relaxed);
}

/* A hand has been there. */
static inline void entry_cool(struct rcumap_entry *entry, unsigned heat)
{
	uint64_t head = entry_head(entry) & ~((uint64_t)ENTRY_HOT << ENTRY_HEAT_SHIFT);

	/* relaxed: a hint. E5. */
	atomic_store_explicit(&entry->head, head | (uint64_t)heat << ENTRY_HEAT_SHIFT, memory_order_relaxed);
}

/* ------------------------------------------------------------------ key and value */

static inline size_t entry_size(size_t key_size, size_t value_size, bool has_deadline)
{
	return sizeof(struct rcumap_entry) + (has_deadline ? sizeof(uint64_t) : 0) + key_size + value_size;
}

/* An entry of up to a line must not straddle two: so one of up to half a line is aligned to a quarter. Larger ones are aligned to
 * what their words need. */
static inline size_t entry_align(size_t size)
{
	if (size > 64)
		return ADDRESS_ALIGN;
	return size > 32 ? 64 : 16;
}

static inline bool entry_has_deadline(const struct rcumap_entry *entry)
{
	return entry->value_bits & ENTRY_HAS_DEADLINE;
}

static inline size_t entry_value_size(const struct rcumap_entry *entry)
{
	return entry->value_bits & ~ENTRY_HAS_DEADLINE;
}

static inline size_t entry_size_of(const struct rcumap_entry *entry)
{
	return entry_size(entry->key_size, entry_value_size(entry), entry_has_deadline(entry));
}

/* Without a branch: 8 if there is a deadline word, else 0. */
static inline const unsigned char *entry_key(const struct rcumap_entry *entry)
{
	return entry->bytes + (entry->value_bits >> 28 & 8);
}

static inline const unsigned char *entry_value(const struct rcumap_entry *entry)
{
	return entry_key(entry) + entry->key_size;
}

/* A new entry, its head apart, of entry_size(). A deadline word is set by entry_set_deadline(). */
static inline void entry_fill(struct rcumap_entry *entry, const void *key, size_t key_size, const void *value,
			      size_t value_size, bool has_deadline)
{
	entry->value_bits = (uint32_t)value_size | (has_deadline ? ENTRY_HAS_DEADLINE : 0);
	entry->key_size = (uint16_t)key_size;
	atomic_init(&entry->holds, 0);

	unsigned char *at = entry->bytes + (has_deadline ? sizeof(uint64_t) : 0);

	copy_key(at, key, key_size);
	copy_value(at + key_size, value, value_size);
}

static inline uint64_t entry_load_eight(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* As most keys are: the first eight bytes and the last eight, which may overlap. */
static inline bool entry_equal_short(const unsigned char *a, const unsigned char *b, size_t size)
{
	return ((entry_load_eight(a) ^ entry_load_eight(b)) | (entry_load_eight(a + size - 8) ^ entry_load_eight(b + size - 8))) == 0;
}

static inline bool entry_has_key(const struct rcumap_entry *entry, const void *key, size_t key_size)
{
	if (entry->key_size != key_size)
		return false;
	if (key_size - 8 <= 8)
		return entry_equal_short(entry_key(entry), key, key_size);
	return memcmp(entry_key(entry), key, key_size) == 0;
}

/* ------------------------------------------------------------------ the deadline word, where there is one */

static inline _Atomic uint64_t *entry_deadline_at(const struct rcumap_entry *entry)
{
	return (_Atomic uint64_t *)(uintptr_t)entry->bytes;
}

/* Before the entry is published. */
static inline void entry_set_deadline(struct rcumap_entry *entry, uint64_t word)
{
	atomic_init(entry_deadline_at(entry), word);
}

static inline uint64_t entry_deadline(const struct rcumap_entry *entry)
{
	/* [DEADLINE seq_cst] pairs with entry_deadline_cas(); one order with the slots, see line.h. E3. */
	return atomic_load_explicit(entry_deadline_at(entry), memory_order_seq_cst);
}

static inline bool entry_deadline_cas(struct rcumap_entry *entry, uint64_t from, uint64_t to)
{
	/* [DEADLINE seq_cst] pairs with entry_deadline(). */
	return atomic_compare_exchange_strong_explicit(entry_deadline_at(entry), &from, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

/* From now on it changes to DEAD at most. Returns the word as it was. */
static inline uint64_t entry_deadline_seal(struct rcumap_entry *entry)
{
	/* [DEADLINE seq_cst] pairs with entry_deadline_cas(). */
	return atomic_fetch_or_explicit(entry_deadline_at(entry), DEADLINE_SEALED, memory_order_seq_cst);
}

/* ------------------------------------------------------------------ holding */

/* Before the entry is published: somebody holds it already. */
static inline void entry_set_held(struct rcumap_entry *entry)
{
	atomic_init(&entry->holds, 1);
}

/* Inside the section in which the entry was found, or while it is held. False: held as often as can be. *first: nobody
 * held it before. Lock-free. */
static inline bool entry_hold(struct rcumap_entry *entry, bool *first)
{
	uint16_t holds = atomic_load_explicit(&entry->holds, memory_order_relaxed);

	do {
		if ((holds & ENTRY_HOLDS_MAX) == ENTRY_HOLDS_MAX)
			return false;
		/* relaxed: who counts up has the entry already; what orders him before the free is his section, or
		 * the release of who held it before him. */
	} while (!atomic_compare_exchange_weak_explicit(&entry->holds, &holds, (uint16_t)(holds + 1),
							memory_order_relaxed, memory_order_relaxed));
	*first = (holds & ENTRY_HOLDS_MAX) == 0;
	return true;
}

/* Does anybody hold it? A hint. */
static inline bool entry_is_held(const struct rcumap_entry *entry)
{
	/* relaxed: a hint */
	return (atomic_load_explicit(&((struct rcumap_entry *)entry)->holds, memory_order_relaxed) & ENTRY_HOLDS_MAX) != 0;
}

/* True: the caller was the last, and the entry an orphan: it is his to give back. *last: nobody holds it now. */
static inline bool entry_release(struct rcumap_entry *entry, bool *last)
{
	/* [HOLDS acq_rel] pairs with itself and entry_orphan(): who gives the entry back comes after all who used it.
	 * E4. */
	uint16_t holds = atomic_fetch_sub_explicit(&entry->holds, 1, memory_order_acq_rel);

	assert((holds & ENTRY_HOLDS_MAX) && "an entry was released that nobody holds");
	*last = (holds & ENTRY_HOLDS_MAX) == 1;
	return holds == (ENTRY_ORPHAN | 1);
}

/* After the grace period. True: nobody holds the entry, it is the caller's to give back. False: the last to release it
 * will. */
static inline bool entry_orphan(struct rcumap_entry *entry)
{
	/* [HOLDS acq_rel] pairs with entry_release(). E4. */
	return atomic_fetch_or_explicit(&entry->holds, ENTRY_ORPHAN, memory_order_acq_rel) == 0;
}

#endif
