/* SPDX-License-Identifier: BSD-2-Clause */
#include "reclaim/retire.h"

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

bool retire_ready(struct retire *retire, struct log_batch *batch)
{
	if (!batch->blocks)
		return true;
	if (!lock_ready(retire))
		return false;
	/* relaxed: before the blocks can be popped, by [READY] */
	atomic_fetch_add_explicit(&retire->unreclaimed, batch->count, memory_order_relaxed);
	while (batch->blocks) {
		struct log_block *block = batch->blocks;

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

static struct log_block *pop_ready(struct retire *retire)
{
	if (!lock_ready(retire))
		return NULL;

	struct log_block *block = retire->ready;

	if (block)
		retire->ready = block->next;
	unlock_ready(retire);
	return block;
}

static void *unlinked_of(uint64_t word)
{
	return (void *)(uintptr_t)(word & ~(uint64_t)RETIRE_REASON_MAX);
}

int retire_reclaim(struct retire *retire, struct memory *memory, struct slab_freer *freer,
		   void (*reclaim)(void *ctx, void *unlinked, unsigned reason), void *ctx)
{
	/* Entries were last used by other cores: their lines are fetched this many ahead. */
	enum { AHEAD = 8 };

	struct log_block *block = pop_ready(retire);

	if (!block)
		return 0;
	for (uint64_t i = 0; i < block->used; i++) {
		uint64_t word = log_word(block, i);

		__builtin_prefetch(unlinked_of(log_word(block, i + AHEAD)));
		if (word)
			reclaim(ctx, unlinked_of(word), (unsigned)(word & RETIRE_REASON_MAX));
	}
	log_reclaim_block(&retire->log, memory, freer, block);
	/* [EMPTIED release] pairs with [EMPTIED acquire] in retire_unreclaimed(). */
	return atomic_fetch_sub_explicit(&retire->unreclaimed, 1, memory_order_release) == 1 ? 2 : 1;
}

void retire_adopt(struct retire *retire, const struct log_batch *batch)
{
	uint64_t ready = 0;

	/* Of one popping, `ready` is as before or as after: it changes by one store. */
	for (struct log_block *block = retire->ready; block; block = block->next)
		ready++;
	/* relaxed, both: nobody else is there */
	atomic_store_explicit(&retire->popping, false, memory_order_relaxed);
	atomic_store_explicit(&retire->unreclaimed, ready, memory_order_relaxed);
	log_adopt(&retire->log, ready + batch->count);
}
