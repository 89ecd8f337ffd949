/* SPDX-License-Identifier: BSD-2-Clause */
#include "reclaim/retire.h"

#include <errno.h>

#ifdef RCUMAP_DEBUG
#define CELLS 4u
#else
#define CELLS 508u
#endif

/* Added to `reserved` to close a block: larger than any number of reservations. */
#define CLOSED (UINT64_C(1) << 62)

struct retire_block {
	struct retire_block *next; /* in `full`, then in the reclaimer's lists, then in `ready` */
	_Atomic uint64_t reserved; /* cells reserved; may pass CELLS */
	uint64_t cells_used; /* once closed */
	retire_cell cell[CELLS];
};

#ifndef RCUMAP_DEBUG
_Static_assert(sizeof(struct retire_block) <= 4096, "a block is a page at most");
#endif

/* In a cancelled cell. */
static char cancelled;

static int create(struct memory *memory, struct retire_block **block)
{
	void *p = NULL;
	int error = memory_alloc(memory, sizeof(struct retire_block), 16, &p);

	if (error)
		return error;
	*block = p;
	(*block)->next = NULL;
	atomic_init(&(*block)->reserved, 1); /* the creator's own */
	for (unsigned i = 0; i < CELLS; i++)
		atomic_init(&(*block)->cell[i], NULL);
	return 0;
}

static void push_full(struct retire *retire, struct retire_block *block)
{
	block->next = atomic_load_explicit(&retire->full, memory_order_relaxed);
	/* [FULL release] publishes the link; pairs with [FULL acquire] in retire_take(), which takes the whole stack. */
	while (!atomic_compare_exchange_weak_explicit(&retire->full, &block->next, block, memory_order_release,
						      memory_order_relaxed));
}

int retire_reserve(struct retire *retire, struct memory *memory, retire_cell **cell)
{
	_Atomic(struct retire_block *) *current = &retire->stripe[stripe_index()].current;
	/* [BLOCK acquire] pairs with the [BLOCK release] below: the cells are NULL. */
	struct retire_block *block = atomic_load_explicit(current, memory_order_acquire);

	for (;;) {
		if (block) {
			/* relaxed: the number alone decides whose cell it is (R1) */
			uint64_t i = atomic_fetch_add_explicit(&block->reserved, 1, memory_order_relaxed);

			if (i < CELLS) {
				*cell = &block->cell[i];
				return 0;
			}
		}

		struct retire_block *fresh = NULL;
		int error = create(memory, &fresh);

		if (error)
			return error;
		/* [BLOCK release] publishes the block. A block that the reclaimer took meanwhile makes this fail,
		 * with NULL. */
		if (atomic_compare_exchange_strong_explicit(current, &block, fresh, memory_order_acq_rel,
							    memory_order_acquire)) {
			if (block)
				push_full(retire, block);
			atomic_fetch_add_explicit(&retire->blocks, 1, memory_order_relaxed); /* a hint */
			*cell = &fresh->cell[0];
			return 1;
		}
		memory_discard(memory, fresh, sizeof *fresh);
	}
}

void retire_fill(retire_cell *cell, void *unlinked)
{
	/* [CELL release] pairs with [CELL acquire] in filled(): the unlinking happened before. R2. */
	atomic_store_explicit(cell, unlinked, memory_order_release);
}

void retire_cancel(retire_cell *cell)
{
	/* [CELL release] as in retire_fill(). */
	atomic_store_explicit(cell, &cancelled, memory_order_release);
}

bool retire_pending(const struct retire *retire)
{
	struct retire *all = (struct retire *)retire;

	if (retire->waiting)
		return true;
	/* seq_cst: after wake_value() and before wake_wait(), against [BLOCK release] and wake_signal()
	 * (ground/wake.h) */
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		if (atomic_load_explicit(&all->stripe[s].current, memory_order_seq_cst))
			return true;
	return atomic_load_explicit(&all->full, memory_order_seq_cst) != NULL;
}

static bool filled(struct retire_block *block)
{
	for (uint64_t i = 0; i < block->cells_used; i++)
		/* [CELL acquire] pairs with retire_fill(). */
		if (!atomic_load_explicit(&block->cell[i], memory_order_acquire))
			return false;
	return true;
}

/* Closed blocks: those that are filled into the batch, the others to the waiting ones. */
static void sort_block(struct retire *retire, struct retire_batch *batch, struct retire_block *block)
{
	struct retire_block **list = filled(block) ? &batch->blocks : &retire->waiting;

	block->next = *list;
	*list = block;
	if (list == &batch->blocks)
		batch->count++;
}

static void sort_list(struct retire *retire, struct retire_batch *batch, struct retire_block *block)
{
	while (block) {
		struct retire_block *next = block->next;

		sort_block(retire, batch, block);
		block = next;
	}
}

bool retire_take(struct retire *retire, struct retire_batch *batch)
{
	struct retire_block *waiting = retire->waiting;

	*batch = (struct retire_batch){ 0 };
	retire->waiting = NULL;
	sort_list(retire, batch, waiting);
	for (unsigned s = 0; s < STRIPE_COUNT; s++) {
		/* [BLOCK acquire] takes the block from the stripe; pairs with [BLOCK release] in retire_reserve(). */
		struct retire_block *block =
			atomic_exchange_explicit(&retire->stripe[s].current, NULL, memory_order_acq_rel);

		if (!block)
			continue;
		/* relaxed: R1; what is in the cells is read with [CELL acquire] */
		uint64_t reserved = atomic_fetch_add_explicit(&block->reserved, CLOSED, memory_order_relaxed);

		block->cells_used = reserved < CELLS ? reserved : CELLS;
		sort_block(retire, batch, block);
	}

	/* [FULL acquire] takes the stack; pairs with push_full(). */
	struct retire_block *full = atomic_exchange_explicit(&retire->full, NULL, memory_order_acquire);

	for (struct retire_block *block = full; block; block = block->next)
		block->cells_used = CELLS;
	sort_list(retire, batch, full);
	/* A writer replaces a full block in his stripe, pushes it, then fills his cell in the new one. So if a block
	 * is still on the way to `full`, it has arrived by now, or that cell was found unfilled. [FULL acquire] as
	 * above. */
	return retire->waiting || atomic_load_explicit(&retire->full, memory_order_acquire);
}

/* ------------------------------------------------------------------ giving back */

/* Nobody waits for it: whoever holds it may have been descheduled. */
static bool lock_ready(struct retire *retire)
{
	/* [READY acquire] pairs with [READY release] in unlock_ready(). */
	return !atomic_exchange_explicit(&retire->popping, true, memory_order_acquire);
}

static void unlock_ready(struct retire *retire)
{
	/* [READY release] pairs with [READY acquire] in lock_ready(). */
	atomic_store_explicit(&retire->popping, false, memory_order_release);
}

bool retire_ready(struct retire *retire, struct retire_batch *batch)
{
	if (!batch->blocks)
		return true;
	if (!lock_ready(retire))
		return false;
	/* relaxed: before the blocks can be popped, by [READY] */
	atomic_fetch_add_explicit(&retire->unreclaimed, batch->count, memory_order_relaxed);
	while (batch->blocks) {
		struct retire_block *block = batch->blocks;

		batch->blocks = block->next;
		block->next = retire->ready;
		retire->ready = block;
	}
	unlock_ready(retire);
	batch->count = 0;
	return true;
}

uint64_t retire_unreclaimed(const struct retire *retire)
{
	/* [EMPTIED acquire] pairs with [EMPTIED release] in retire_reclaim(): what its helpers gave back is given
	 * back. */
	return atomic_load_explicit(&((struct retire *)retire)->unreclaimed, memory_order_acquire);
}

uint64_t retire_blocks(const struct retire *retire)
{
	/* relaxed: a hint */
	return atomic_load_explicit(&((struct retire *)retire)->blocks, memory_order_relaxed);
}

static struct retire_block *pop_ready(struct retire *retire)
{
	if (!lock_ready(retire))
		return NULL;

	struct retire_block *block = retire->ready;

	if (block)
		retire->ready = block->next;
	unlock_ready(retire);
	return block;
}

int retire_reclaim(struct retire *retire, struct memory *memory, struct slab_freer *freer,
		   void (*reclaim)(void *ctx, void *unlinked), void *ctx)
{
	/* Entries were last used by other cores: their lines are fetched this many ahead. */
	enum { AHEAD = 8 };

	struct retire_block *block = pop_ready(retire);

	if (!block)
		return 0;
	for (uint64_t i = 0; i < block->cells_used; i++) {
		/* relaxed: filled() has acquired them */
		void *unlinked = atomic_load_explicit(&block->cell[i], memory_order_relaxed);

		if (i + AHEAD < block->cells_used)
			__builtin_prefetch(atomic_load_explicit(&block->cell[i + AHEAD], memory_order_relaxed));
		if (unlinked != &cancelled)
			reclaim(ctx, unlinked);
	}
	memory_free(memory, freer, block, sizeof *block);
	atomic_fetch_sub_explicit(&retire->blocks, 1, memory_order_relaxed); /* a hint */
	/* [EMPTIED release] pairs with [EMPTIED acquire] in retire_unreclaimed(). */
	return atomic_fetch_sub_explicit(&retire->unreclaimed, 1, memory_order_release) == 1 ? 2 : 1;
}
