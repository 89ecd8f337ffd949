/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the memory of a map with max_bytes may take: two quotas.
 *
 *     held   every block, from before it is allocated until after it is given back; so the limit holds at any instant
 *     live   what can be found, and what that needs: entries until they are removed, structures, and what is kept free.
 *            Who stores an entry makes room here first, by evicting others. What is removed counts no more, though its
 *            memory is held until its grace period has ended
 *
 * So what is held and not live is garbage, and `live` is smaller than `held` by what is kept free for that. An entry is
 * secured in `live` before it is taken from `held`: who is refused has evicted for himself alone, and the next who comes
 * finds that room.
 *
 * Structures cannot evict. They are charged to `live`, which may be in debt then; those who store entries pay it off. So are
 * entries that somebody holds when their grace period has ended, up to a quarter of the limit: they are no garbage that will come
 * back soon. Beyond that nothing is evicted for them, or a map whose evicted entries are all held would end up empty.
 *
 * Two things must be had when nothing is left, for removals: the records of what is retired, and the overflow lines of a
 * table that others migrate into. For the first each entry counts RECORD_BYTES more, and the blocks of records that may be
 * open are set aside (B2); for the second each table counts a part more (B3), of which writers draw only while nobody migrates.
 * A table that was overfull, because the reclaimer came late, may need more: then it waits until somebody has evicted as much.
 *
 * Invariants
 * B1 `held` is never charged, so all blocks that it was taken for and all that is set aside are within the limit.
 * B2 A block of records is full of removed entries, each with RECORD_BYTES set aside, or one of RECORD_BLOCKS.
 * B3 What is in `line_credit` was taken from `held`, with a table or for a line. What is there beyond the parts of the
 *    living tables goes back when one is freed.
 */
#ifndef RCUMAP_BUDGET_H
#define RCUMAP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "ground/quota.h"

/* What a block is for. */
enum memory_use {
	MEMORY_STRUCTURE,
	MEMORY_ENTRY, /* secured in `live` by whoever stores it */
	MEMORY_LINE, /* an overflow line */
	MEMORY_RECORD, /* a block of records of what is retired */
};

/* Two cells of a record each, for some are cancelled. */
#define RECORD_BYTES 16u
/* Blocks of records that may be partly empty: of each stripe the current one, those of the batch that awaits its grace period
 * and of the one that is being given back; and as many for those who race to begin one. Of hundreds of threads who are all held up
 * in the midst of that more might be. */
#define RECORD_BLOCKS (6u * STRIPE_COUNT)
/* A table counts one in so many bytes more, for overflow lines. A table that has grown is up to five ninths full: then one bucket
 * in twenty has such a line, a small table now and then more. */
#define LINE_PART 8u

/*
 * Who has waited for `held` may claim what he lacks, one at a time: until he is served, or gives up, others take nothing that
 * would not leave him as much. Else small stores take each byte that comes back, and a large one waits forever. A claim is a
 * hint, and binds no more than the next takes.
 */
struct budget {
	struct quota held; /* limit 0: no budget */
	struct quota live;
	_Atomic int64_t line_credit, line_parts; /* what is there for lines, what tables brought; B3 */
	_Atomic uint64_t claimed; /* 0: nothing */
	_Atomic int64_t orphans; /* bytes of removed entries that somebody holds beyond their grace period */
	uint64_t set_aside; /* of max_bytes, neither held nor free: the map itself, and for records */
	unsigned record_cells; /* in a block of records */
};

/* `budget` is zeroed; `map_bytes` is what the map itself takes. max_bytes is at least RCUMAP_MAX_BYTES_MIN. */
void budget_init(struct budget *budget, uint64_t max_bytes, size_t map_bytes, size_t record_header, unsigned record_cells_max);

static inline bool budget_is_on(const struct budget *budget)
{
	return budget->held.limit != 0;
}

/* Take the bytes of a block before it is allocated; give them back after it was freed. False: they are not to be had.
 * Lock-free. */
bool budget_take(struct budget *budget, enum memory_use use, size_t bytes);
void budget_give(struct budget *budget, enum memory_use use, size_t bytes);

/* A store is about to be tried: it has not been refused anything. */
void budget_begin_try(void);

/* After a refusal, in the same thread: claim as much, if nobody has a claim. False: somebody has. And give it up. Wait-free. */
bool budget_claim(struct budget *budget);
void budget_disclaim(struct budget *budget);
static inline bool budget_is_claimed(const struct budget *budget)
{
	/* relaxed: a hint */
	return atomic_load_explicit(&((struct budget *)budget)->claimed, memory_order_relaxed) != 0;
}

/* The grace period of an entry has ended that counts so many bytes, and somebody holds it: so many more; or it has been released: so
 * many less. Wait-free. */
void budget_orphan(struct budget *budget, int64_t change);

/* What a table counts: its array, and its part for lines. */
static inline size_t budget_table_bytes(size_t array)
{
	return array + array / LINE_PART;
}

/* The same for a table's array, with its overflow lines. */
bool budget_take_table(struct budget *budget, size_t bytes);
void budget_give_table(struct budget *budget, size_t bytes);

/* Could a block of so many bytes ever be had? */
bool budget_could_hold(const struct budget *budget, size_t bytes);

/* Of max_bytes, what counts. Wait-free. */
uint64_t budget_accounted(const struct budget *budget);

/* What the entries count that can be found, or are about to. Wait-free. */
uint64_t budget_entries(const struct budget *budget);

#endif
