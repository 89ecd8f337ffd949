/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table: buckets in hash order (protocol/size.h), and the chain of tables that a map's entries live in.
 *
 * Slot words carry a tag of the hash (protocol/tag.h), which stays while the table grows for as long as enough of its values occur in a
 * bucket: then words are copied, and no entry is read.
 *
 * At most one table has no `next`: the newest. `current` is the oldest that is not wholly migrated; a table
 * leaves the chain when all its buckets are, and is retired.
 *
 * Invariants
 * T1 size, factor, tag_shift, lines and stripes never change; next is set once.
 * T2 Each bucket of a table before `current` is MIGRATED.
 * T3 An overflow line stays in its bucket's chain, and on one of its table's lists, until the table is freed.
 * T4 A table that is ahead has never been in the chain. The reclaimer alone puts one there, where there is none; who takes it out is its
 *    only owner, and brings it into the chain or has it retired. The reclaimer alone frees it, then.
 */
#ifndef RCUMAP_TABLE_H
#define RCUMAP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ground/stripe.h"
#include "layout/ghost.h"
#include "layout/hash.h"
#include "layout/line.h"
#include "memory/memory.h"
#include "protocol/tag.h"

/* The largest number of them. */
#define TABLE_STRIPES STRIPE_OWN

/* A list of overflow lines. A large table has one for each stripe, so that those who chain lines do not all write to one; a small one has
 * one for all. */
struct table_stripe {
	_Alignas(64) _Atomic(struct line *) overflow; /* through their ctl */
	_Atomic uint64_t lines;
};

struct table {
	struct line *lines;
	uint64_t factor; /* of its size: protocol/size.h */
	unsigned tag_shift;
	unsigned size;
	_Atomic(struct table *) next;
	/* Slot words come over from the table before as they are: the tag stays. */
	bool same_tag;
	unsigned stripes; /* 1 or TABLE_STRIPES */
	ghost_word *ghosts; /* one a bucket; NULL in a map without a limit */
	/* What follows is written by whoever migrates: apart from the readers' line. */
	_Alignas(64) _Atomic uint64_t swept; /* groups, from the first, that are known to be migrated */
	struct table *retired; /* the list of tables that await a grace period */
	uint64_t touched; /* bytes of its array, from the first, whose pages were touched before it was used. The reclaimer's */
	struct table_stripe stripe[]; /* all overflow lines */
};

struct tables {
	_Atomic(struct table *) current;
	struct hash hash;
	struct memory *memory;
	bool have_ghosts;
	_Atomic(struct table *) ahead; /* the next one, while its pages are being touched; NULL: there is none */
	_Atomic uint64_t grown, shrunk;
};

static inline uint64_t table_bucket(const struct table *table, uint64_t hash)
{
	return size_bucket(table->factor, hash);
}

static inline struct line *table_line(const struct table *table, uint64_t hash)
{
	return &table->lines[table_bucket(table, hash)];
}

static inline uint64_t table_buckets(const struct table *table)
{
	return size_factor_buckets(table->factor);
}

/* The first and the last hash that the bucket of `hash` covers. */
static inline uint64_t table_first_hash(const struct table *table, uint64_t hash)
{
	return size_first_hash(table_buckets(table), table_bucket(table, hash));
}

static inline uint64_t table_last_hash(const struct table *table, uint64_t hash)
{
	return size_first_hash(table_buckets(table), table_bucket(table, hash) + 1) - 1;
}

/* The tag of a hash, in the top 16 bits. */
static inline uint64_t table_tag(const struct table *table, uint64_t hash)
{
	return hash >> table->tag_shift << 48;
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

/* The size of the smallest table in which `entries` stay under the load at which it grows; SIZE_LAST + 1: in none. */
unsigned table_size_for(uint64_t entries);

/* Could there be a table of that size? If not, there is no use in growing towards it. */
bool table_could_have(const struct tables *tables, unsigned size);

/* The ghosts of the bucket of `hash`, where there are any. */
static inline ghost_word *table_ghost(const struct table *table, uint64_t hash)
{
	return &table->ghosts[table_bucket(table, hash)];
}

/* Bytes of a table's array; of the struct table beside it. */
size_t tables_bytes_of(const struct tables *tables, unsigned size);
size_t table_struct_bytes(unsigned size);

/* Create the first table, open for use; `ghosts`: with a word of them for each bucket. 0; -ENOMEM, also where no table is that
 * large; -EFAULT. */
int tables_init(struct tables *tables, struct memory *memory, const struct hash *hash, unsigned size, bool ghosts);

/* Free all tables, not the entries. Alone with the map. */
void tables_fini(struct tables *tables, struct slab_freer *freer);

/* Start to migrate into a table of the next size, or of the one before. 0; -EBUSY: a migration is under way already; -ENOMEM, -EFAULT.
 * Inside a read section. Lock-free. */
int tables_begin(struct tables *tables, unsigned size);

/* The same with a table that the caller owns (T4), of the size that was asked for. 0: it is in the chain. -EBUSY: it is the caller's still, to
 * be retired: others may look at it. Inside a read section. Lock-free. */
int tables_begin_with(struct tables *tables, struct table *fresh);

/* Have a table of that size ahead, where there is none: the reclaimer. 0, -ENOMEM, -EFAULT, -ENOSPC. */
int tables_prepare(struct tables *tables, unsigned size);

/* Are the arrays of such tables mapped, so that their pages come when they are touched? */
bool tables_are_mapped(const struct tables *tables, unsigned size);

/* Touch the next pages of such a table that was ahead, and that others may have taken out meanwhile, and use: the reclaimer. Takes 1 ms at
 * most on most machines. */
void table_touch(const struct tables *tables, struct table *table);

/* Are they all there? The reclaimer. */
bool table_is_touched(const struct table *table);

/* The table that is ahead, or NULL. Inside a read section, or the reclaimer. Wait-free. */
static inline struct table *tables_ahead(const struct tables *tables)
{
	/* [PREPARED acquire] pairs with [PREPARED release] in tables_prepare(): its size is there. */
	return atomic_load_explicit(&((struct tables *)tables)->ahead, memory_order_acquire);
}

/* Is there one of that size? The same. */
static inline bool tables_have_ahead(const struct tables *tables, unsigned size)
{
	const struct table *ahead = tables_ahead(tables);

	return ahead && ahead->size == size;
}

/* Take it out, if it is of that size: the caller's. Or NULL. Inside a read section. Wait-free. */
struct table *tables_take_ahead(struct tables *tables, unsigned size);

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

/* Lines on its lists; bytes in all. Wait-free. */
uint64_t table_overflow_lines(const struct table *table);
uint64_t table_bytes(const struct table *table);

#endif
