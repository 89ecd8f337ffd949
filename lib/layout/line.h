/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bucket: a primary line, and further lines chained behind it when it overflows. One line is one cache line.
 *
 *     0        8                                          56
 *     | ctl    | slot 0 | slot 1 | ... | slot 5           | link   |
 *
 * slot   UNFILLED          0                              a line that migration has not filled yet
 *        EMPTY(n)          n << 2 | 2                     free; n: the version of the entry removed from here, or 0
 *        entry             tag << 48 | address | MAIN | AGED   the tag: 16 bits of the hash (protocol/tag.h)
 *        frozen            any of the above | 1           nothing will change this word any more
 *
 * MAIN 4, AGED: what the eviction has found out about the entry (map/evict.h); never set in a map without a limit. AGED is the
 * bit that an address never has: 47, or 3 (address.h).
 *
 * link   UNFILLED          0                              as above
 *        END               2                              the last line
 *        line              address
 *        frozen            any of the above | 1
 *
 * ctl    INIT              0                              migration is filling it: readers may, writers must help
 *        IDLE(v)           v << 2 | 1                     v: the version of the entry last inserted here, or 0
 *        BUSY(e, position) position << 48 | address | 2   entry e is on its way into the slot at that position
 *        FROZEN            3                              migration is leaving this bucket
 *        MIGRATED          7                              the bucket lives on in the next table
 *
 * In an overflow line, ctl is the link of a list of the table's such lines (table.h).
 *
 * Every access to these words is sequentially consistent, so that operations on different keys are linearizable
 * together: race-free code whose shared atomics are all seq_cst behaves as if there were one interleaving (C11
 * 5.1.2.4, note 17), and doc/protocol.md argues in interleavings. On x86-64 such a load is a plain load. Readers look at a
 * line once more before that, for which slots are worth a load at all; why that is no part of the argument stands in tags.h.
 */
#ifndef RCUMAP_LINE_H
#define RCUMAP_LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "layout/address.h"
#include "layout/entry.h"

/* Debug builds overflow early. */
#ifdef RCUMAP_DEBUG
#define LINE_SLOTS 2u
#define LINE_SIZE 32u
#else
#define LINE_SLOTS 6u
#define LINE_SIZE 64u
#endif

struct line {
	_Alignas(LINE_SIZE) _Atomic uint64_t ctl;
	_Atomic uint64_t slot[LINE_SLOTS];
	_Atomic uint64_t link;
};

_Static_assert(sizeof(struct line) == LINE_SIZE, "a line is one cache line");

#define WORD_FROZEN UINT64_C(1)

/* In the word of an entry. */
#define SLOT_MAIN UINT64_C(4)
#define SLOT_AGED ADDRESS_SPARE
#define SLOT_MARKS (SLOT_MAIN | SLOT_AGED)

#define SLOT_UNFILLED UINT64_C(0)
#define SLOT_EMPTY UINT64_C(2)

#define LINK_UNFILLED UINT64_C(0)
#define LINK_END UINT64_C(2)

#define CTL_INIT UINT64_C(0)
#define CTL_FROZEN UINT64_C(3)
#define CTL_MIGRATED UINT64_C(7)
#define CTL_POSITION_MAX 65535u

/* ------------------------------------------------------------------ what the words say */

static inline uint64_t slot_empty(uint64_t version)
{
	return version << 2 | SLOT_EMPTY;
}

/* `tag` stands in the top 16 bits (table_tag()). */
static inline uint64_t slot_of(const struct rcumap_entry *entry, uint64_t tag, uint64_t marks)
{
	return tag | (uint64_t)(uintptr_t)entry | marks;
}

/* The marks of an entry that comes in: the same for all who help it in. */
static inline uint64_t slot_first_marks(const struct rcumap_entry *entry)
{
	return entry_is_returned(entry) ? SLOT_MAIN : 0;
}

static inline bool slot_is_frozen(uint64_t word)
{
	return word & WORD_FROZEN;
}

/* EMPTY(n), frozen or not. */
static inline bool slot_is_empty(uint64_t word)
{
	return word & SLOT_EMPTY;
}

/* An entry, frozen or not. */
static inline bool slot_has_entry(uint64_t word)
{
	return !(word & SLOT_EMPTY) && (word & ~WORD_FROZEN) != SLOT_UNFILLED;
}

static inline struct rcumap_entry *slot_entry(uint64_t word)
{
	return (struct rcumap_entry *)(uintptr_t)(word & ADDRESS_MASK);
}

/* The word of an entry, not frozen, with another in its place: tag and marks stay. */
static inline uint64_t slot_with(uint64_t word, const struct rcumap_entry *entry)
{
	return (word & ~ADDRESS_MASK) | (uint64_t)(uintptr_t)entry;
}

/* Do the top 16 bits equal the tag's? */
static inline bool slot_has_tag(uint64_t word, uint64_t tag)
{
	return (word ^ tag) >> 48 == 0;
}

/* Is there a line behind? As link_line(), without its mask. */
static inline bool link_has_line(uint64_t link)
{
	return link > (LINK_END | WORD_FROZEN);
}

static inline struct line *link_line(uint64_t link)
{
	return (struct line *)(uintptr_t)(link & ADDRESS_MASK);
}

static inline uint64_t ctl_idle(uint64_t version)
{
	return version << 2 | 1;
}

static inline uint64_t ctl_busy(const struct rcumap_entry *entry, unsigned position)
{
	return (uint64_t)position << 48 | (uint64_t)(uintptr_t)entry | 2;
}

static inline bool ctl_is_idle(uint64_t ctl)
{
	return (ctl & 3) == 1;
}

static inline bool ctl_is_busy(uint64_t ctl)
{
	return (ctl & 3) == 2;
}

static inline struct rcumap_entry *ctl_entry(uint64_t ctl)
{
	return (struct rcumap_entry *)(uintptr_t)(ctl & ADDRESS_MASK);
}

static inline unsigned ctl_position(uint64_t ctl)
{
	return (unsigned)(ctl >> 48);
}

/* ------------------------------------------------------------------ loads and compare-and-swaps */

static inline uint64_t ctl_load(const struct line *line)
{
	/* [CTL seq_cst] pairs with ctl_cas(): whoever sees MIGRATED sees the bucket filled in the next table, whoever
	 * sees BUSY sees the entry. M1, I3. */
	return atomic_load_explicit(&((struct line *)line)->ctl, memory_order_seq_cst);
}

/* Strong: BUSY must not stay because a weak exchange failed for no reason. */
static inline bool ctl_cas(struct line *line, uint64_t from, uint64_t to)
{
	/* [CTL seq_cst] pairs with ctl_load(). */
	return atomic_compare_exchange_strong_explicit(&line->ctl, &from, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

static inline uint64_t slot_load(const struct line *line, size_t i)
{
	/* [SLOT seq_cst] pairs with slot_cas(): whoever sees the word sees the entry's bytes. E1. */
	return atomic_load_explicit(&((struct line *)line)->slot[i], memory_order_seq_cst);
}

/* Strong: a spurious failure in bucket_help() would lose an insert. */
static inline bool slot_cas(struct line *line, size_t i, uint64_t from, uint64_t to)
{
	/* [SLOT seq_cst] publishes the entry; pairs with slot_load(). */
	return atomic_compare_exchange_strong_explicit(&line->slot[i], &from, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

/* The word as it now stays for ever. */
static inline uint64_t slot_freeze(struct line *line, unsigned i)
{
	/* [SLOT seq_cst] orders the freeze among the compare-and-swaps on the slot. I4. */
	return atomic_fetch_or_explicit(&line->slot[i], WORD_FROZEN, memory_order_seq_cst) | WORD_FROZEN;
}

static inline uint64_t link_load(const struct line *line)
{
	/* [LINK seq_cst] pairs with link_cas(): whoever sees the line sees its words initialized. */
	return atomic_load_explicit(&((struct line *)line)->link, memory_order_seq_cst);
}

static inline bool link_cas(struct line *line, uint64_t from, uint64_t to)
{
	/* [LINK seq_cst] publishes the chained line; pairs with link_load(). */
	return atomic_compare_exchange_strong_explicit(&line->link, &from, to, memory_order_seq_cst,
						       memory_order_seq_cst);
}

static inline uint64_t link_freeze(struct line *line)
{
	/* [LINK seq_cst] orders the freeze among the compare-and-swaps on the link. I4. */
	return atomic_fetch_or_explicit(&line->link, WORD_FROZEN, memory_order_seq_cst) | WORD_FROZEN;
}

/* The line behind this one, or NULL. */
static inline struct line *line_next(const struct line *line)
{
	return link_line(link_load(line));
}

#endif
