/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table: 2^bits buckets in hash order, and the chain of tables that a map's entries live in.
 *
 *     hash   63 ................................................ 0
 *            | index: bits |
 *                | tag: 16 bits from tag_shift up |
 *
 * The index is the hash's top bits, so bucket i of one table covers the same hashes as buckets 2i and 2i+1 of one
 * twice as large, and any position in hash order means the same place in every table. The tag starts out right below
 * the index and stays where it is while the table grows: the bit that tells the two halves of a bucket apart is then
 * in the slot word, and no entry is read. When fewer than TABLE_TAG_FRESH bits of it lie below the index, growing
 * takes a new tag from the keys.
 *
 * At most one table has no `next`: the newest. `current` is the oldest that is not wholly migrated; a table
 * leaves the chain when all its buckets are, and is retired.
 *
 * Invariants
 * T1 bits, shifts and lines never change; next is set once.
 * T2 Each bucket of a table before `current` is MIGRATED.
 * T3 An overflow line stays in its bucket's chain, and on its table's list, until the table is freed.
 */
#ifndef RCUMAP_TABLE_H
#define RCUMAP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "layout/ghost.h"
#include "layout/hash.h"
#include "layout/line.h"
#include "memory/memory.h"

/* Debug builds start with two buckets. */
#ifdef RCUMAP_DEBUG
#define TABLE_BITS_MIN 1u
#else
#define TABLE_BITS_MIN 3u
#endif
/* A hint (layout/deadline.h) names a bucket of the largest. */
#define TABLE_BITS_MAX 36u

/* Bits of the tag below the index, at least. At 12 one slot in 4096 matches for nothing. Debug builds take new tags
 * often. */
#ifdef RCUMAP_DEBUG
#define TABLE_TAG_FRESH 15u
#else
#define TABLE_TAG_FRESH 12u
#endif

struct table {
	struct line *lines;
	unsigned bits;
	unsigned tag_shift;
	_Atomic(struct table *) next;
	/* Slot words come over from the table before as they are: the tag stays, and tells the halves of a bucket
	 * apart. */
	bool same_tag;
	ghost_word *ghosts; /* one a bucket; NULL in a map without a limit */
	/* What follows is written by whoever migrates or chains lines: apart from the readers' line. */
	_Alignas(64) _Atomic uint64_t swept; /* groups, from the first, that are known to be migrated */
	_Atomic(struct line *) overflow; /* all overflow lines, through their ctl */
	_Atomic uint64_t overflow_lines;
	struct table *retired; /* the list of tables that await a grace period */
};

struct tables {
	_Atomic(struct table *) current;
	struct hash hash;
	struct memory *memory;
	bool have_ghosts;
	_Atomic uint64_t grown, shrunk;
};

static inline struct line *table_line(const struct table *table, uint64_t hash)
{
	return &table->lines[hash >> (64 - table->bits)];
}

/* The first and the last hash that the bucket of `hash` covers. */
static inline uint64_t table_first_hash(const struct table *table, uint64_t hash)
{
	return hash & ~(UINT64_MAX >> table->bits);
}

static inline uint64_t table_last_hash(const struct table *table, uint64_t hash)
{
	return hash | UINT64_MAX >> table->bits;
}

/* The tag of a hash, in the top 16 bits. */
static inline uint64_t table_tag(const struct table *table, uint64_t hash)
{
	return hash >> table->tag_shift << 48;
}

static inline uint64_t table_buckets(const struct table *table)
{
	return UINT64_C(1) << table->bits;
}

static inline struct table *tables_current(const struct tables *tables)
{
	/* [CURRENT seq_cst] pairs with tables_advance(). T2. */
	return atomic_load_explicit(&((struct tables *)tables)->current, memory_order_seq_cst);
}

static inline struct table *table_next(const struct table *table)
{
	/* [NEXT seq_cst] pairs with tables_begin(): the new table is initialized. */
	return atomic_load_explicit(&((struct table *)table)->next, memory_order_seq_cst);
}

/* The smallest table in which `entries` stay under the load at which it grows. */
unsigned table_bits_for(uint64_t entries);

/* Could there be a table of that size? If not, there is no use in doubling towards it. */
bool table_could_have(const struct tables *tables, unsigned bits);

/* The ghosts of the bucket of `hash`, where there are any. */
static inline ghost_word *table_ghost(const struct table *table, uint64_t hash)
{
	return &table->ghosts[hash >> (64 - table->bits)];
}

/* Bytes of a table's array, of so many bits. */
size_t tables_bytes_of(const struct tables *tables, unsigned bits);

/* Create the first table, open for use; `ghosts`: with a word of them for each bucket. 0, -ENOMEM, -EFAULT. */
int tables_init(struct tables *tables, struct memory *memory, const struct hash *hash, unsigned bits, bool ghosts);

/* Free all tables, not the entries. Alone with the map. */
void tables_fini(struct tables *tables, struct slab_freer *freer);

/* Start to migrate into a table of one bit more or less. 0; -EBUSY: a migration is under way already; -ENOMEM, -EFAULT.
 * Inside a read section. Lock-free. */
int tables_begin(struct tables *tables, unsigned bits);

/* All buckets of `table`, the current one, are MIGRATED: go on to the next. True for the one caller who did it: he must
 * retire the table. Inside a read section. */
bool tables_advance(struct tables *tables, struct table *table);

/* Free a table with its overflow lines, which nobody can reach any more. */
void table_free(struct tables *tables, struct table *table, struct slab_freer *freer);

/* A line to chain into `table`, its words UNFILLED or EMPTY(0) with END. 0, -ENOMEM, -EFAULT. Inside a read section. */
enum line_state { LINE_UNFILLED, LINE_OPEN };
int table_alloc_line(struct tables *tables, enum line_state state, struct line **line);

/* After the line was chained: it is freed with the table. Or before, if it was not. Lock-free. */
void table_own_line(struct table *table, struct line *line);
void table_discard_line(struct tables *tables, struct line *line);

/* Bytes of one table. */
uint64_t table_bytes(const struct table *table);

#endif
