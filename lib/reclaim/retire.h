/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What writers have unlinked, on its way to be reclaimed: pointers, each with the reason and the size, in a log (reclaim/log.h), so
 * that entries need no link, and need not be looked at again to be given back. Knows no map types.
 *
 *     log --taken--> batch --a grace period--> ready --popped, emptied--> freed
 *
 * Blocks in `ready` are popped by the reclaimer, and by writers who help when it is late. Popping is under a lock of
 * a few instructions, for which nobody waits: a writer who does not get it does not help, the reclaimer goes on with
 * other work. Writers may also empty blocks cell by cell, each stripe its own; what they have begun the reclaimer ends.
 *
 * Invariant
 * R4 What is in a filled cell was unlinked before it was filled. So a grace period that begins after the reclaimer has
 *    taken it is one that began after the unlinking (R2).
 * R5 `read` is set, once, before or inside the section in which something was found that must be looked at when it is
 *    reclaimed. So whoever reclaims it, a grace period later, sees it set.
 */
#ifndef RCUMAP_RETIRE_H
#define RCUMAP_RETIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "layout/address.h"
#include "memory/memory.h"
#include "reclaim/log.h"

typedef log_cell retire_cell; /* size << 48 | address | reason */

/* Reasons are 1 to this: they stand where an address has zeros. */
#define RETIRE_REASON_MAX (ADDRESS_ALIGN - 1)
/* Larger sizes are told as 0; and the word is never all ones. */
#define RETIRE_SIZE_MAX 0xfffeu

/* What happens to each: its size is 0 if nobody knows it but the pointer. */
typedef void retire_fn(void *ctx, void *unlinked, unsigned reason, size_t size);

/* All zero at first. */
struct retire {
	struct log log;
	_Atomic bool read; /* whoever reclaims reads what he is given: it is fetched ahead */
	_Atomic bool popping; /* guards `ready`, */
	_Atomic(struct log_block *) ready; /* which others look at before they try */
	_Atomic uint64_t unreclaimed; /* blocks that are in `ready`, or popped and not emptied yet */
	struct retire_share {
		_Alignas(64) _Atomic bool busy; /* guards what follows; nobody waits for it either */
		struct log_block *block; /* popped; the cells that were reclaimed are cancelled */
		uint64_t at; /* the first of its cells that may not be: where to go on */
	} share[STRIPE_COUNT];
};

/* As log_reserve(). */
static inline int retire_reserve(struct retire *retire, struct memory *memory, retire_cell **cell)
{
	return log_reserve(&retire->log, memory, cell);
}

/* As log_reserve_here(). */
static inline retire_cell *retire_reserve_here(struct retire *retire, unsigned stripe)
{
	return log_reserve_here(&retire->log, stripe);
}

/* Fill the cell with something unlinked (R4), whose address is as any block's (layout/address.h), or give it up. `size`: 0 if whoever
 * reclaims it shall look. Wait-free. */
static inline void retire_fill(retire_cell *cell, void *unlinked, unsigned reason, size_t size)
{
	assert(((uintptr_t)unlinked & ~ADDRESS_MASK) == 0 && reason && reason <= RETIRE_REASON_MAX);
	log_fill(cell, (uint64_t)(size <= RETIRE_SIZE_MAX ? size : 0) << 48 | (uintptr_t)unlinked | reason);
}

/* Must whoever reclaims read what he is given? Wait-free. */
static inline bool retire_is_read(const struct retire *retire)
{
	/* relaxed: pairs with retire_must_be_read(), ordered by the grace period that has passed. R5. */
	return atomic_load_explicit(&((struct retire *)retire)->read, memory_order_relaxed);
}

/* He must, from now on. Wait-free. */
static inline void retire_must_be_read(struct retire *retire)
{
	/* relaxed, both: set once, and seen after a grace period. R5. */
	if (!retire_is_read(retire))
		atomic_store_explicit(&retire->read, true, memory_order_relaxed);
}

static inline void retire_cancel(retire_cell *cell)
{
	log_cancel(cell);
}

/* The reclaimer: as log_take(). */
static inline bool retire_take(struct retire *retire, struct log_batch *batch)
{
	return log_take(&retire->log, batch);
}

/* The reclaimer: is there anything to take? */
static inline bool retire_pending(const struct retire *retire)
{
	return log_pending(&retire->log);
}

/* After a grace period: the batch's blocks are ready. The reclaimer. False: somebody is popping; nothing happened. */
bool retire_ready(struct retire *retire, struct log_batch *batch);

/* Blocks that are ready or being emptied. Wait-free. */
uint64_t retire_unreclaimed(const struct retire *retire);

/* Blocks that writers have begun and nobody has emptied yet. Wait-free. */
static inline uint64_t retire_blocks(const struct retire *retire)
{
	return log_blocks(&retire->log);
}

/* Take a ready block, or one that a writer has begun, call `reclaim` for each pointer in it, and free it. 0: there is none, or
 * others are at it; 1: done; 2: done, and it was the last one that was not reclaimed. */
int retire_reclaim(struct retire *retire, struct memory *memory, struct slab_freer *freer,
		   retire_fn *reclaim, void *ctx);

/* Call `reclaim` for so many pointers in the stripe's own block, which is a ready one. Results as above, 1 also if the block has
 * more. Lock-free. */
int retire_reclaim_share(struct retire *retire, struct memory *memory, struct slab_freer *freer, unsigned stripe, unsigned cells,
			 retire_fn *reclaim, void *ctx);

/* The same as retire_reclaim(), if nobody helps, for a `reclaim` that may be interrupted by fork(): the child finds the
 * block, and in it what `reclaim` was not called for. */
int retire_reclaim_in_place(struct retire *retire, struct memory *memory, struct slab_freer *freer,
			    retire_fn *reclaim, void *ctx);

/* In a child of fork(), where no other thread of the parent is: nobody is popping, nobody fills a cell any more. The
 * reclaimer was in none of the calls above. `batch`: what it had taken and not made ready. Blocks that helpers had
 * popped are lost, with what is in them; of those that they emptied cell by cell, the cell in their hands. */
void retire_adopt(struct retire *retire, const struct log_batch *batch);

/* After that: call `visit` for all that is not reclaimed. */
void retire_each(const struct retire *retire, const struct log_batch *batch,
		 retire_fn *visit, void *ctx);

#endif
