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

/* relaxed, both: changed under the lock alone; without it a hint */
static struct log_block *first_ready(const struct retire *retire)
{
	return atomic_load_explicit(&((struct retire *)retire)->ready, memory_order_relaxed);
}

static void set_first_ready(struct retire *retire, struct log_block *block)
{
	atomic_store_explicit(&retire->ready, block, memory_order_relaxed);
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
		block->next = first_ready(retire);
		set_first_ready(retire, block);
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
	if (!first_ready(retire) || !lock_ready(retire))
		return NULL;

	struct log_block *block = first_ready(retire);

	if (block)
		set_first_ready(retire, block->next);
	unlock_ready(retire);
	return block;
}

static void *unlinked_of(uint64_t word)
{
	return (void *)(uintptr_t)(word & ADDRESS_MASK);
}

static void call(retire_fn *fn, void *ctx, uint64_t word)
{
	fn(ctx, unlinked_of(word), (unsigned)(word & RETIRE_REASON_MAX), (size_t)(word >> 48));
}

/* All in it is reclaimed. */
static int finish_block(struct retire *retire, struct memory *memory, struct slab_freer *freer,
			struct log_block *block)
{
	log_reclaim_block(&retire->log, memory, freer, block);
	/* [EMPTIED release] pairs with [EMPTIED acquire] in retire_unreclaimed(). */
	return atomic_fetch_sub_explicit(&retire->unreclaimed, 1, memory_order_release) == 1 ? 2 : 1;
}

/* The cell is cancelled first: a child of fork(), and whoever takes the rest of the block, never sees its word again. */
static void reclaim_cell(struct log_block *block, uint64_t i, bool read, retire_fn *reclaim, void *ctx)
{
	/* Entries were last used by other cores: their lines are fetched this many ahead. */
	enum { AHEAD = 8 };

	uint64_t word = log_word(block, i);

	if (read)
		__builtin_prefetch(unlinked_of(log_word(block, i + AHEAD)));
	if (!word)
		return;
	log_cancel(&block->cell[i]);
	call(reclaim, ctx, word);
}

/* ------------------------------------------------------------------ cell by cell */

static bool lock_share(struct retire_share *share)
{
	/* [SHARE acquire] pairs with [SHARE release] in unlock_share(). */
	return !atomic_exchange_explicit(&share->busy, true, memory_order_acquire);
}

static void unlock_share(struct retire_share *share)
{
	/* [SHARE release] pairs with [SHARE acquire] in lock_share(). */
	atomic_store_explicit(&share->busy, false, memory_order_release);
}

/* What is left of its block: cells that were reclaimed are cancelled, so it is a block like any other. */
static struct log_block *end_share(struct retire_share *share)
{
	struct log_block *block = share->block;

	share->block = NULL;
	share->at = 0;
	return block;
}

int retire_reclaim_share(struct retire *retire, struct memory *memory, struct slab_freer *freer, unsigned stripe, unsigned cells,
			 retire_fn *reclaim, void *ctx)
{
	struct retire_share *share = &retire->share[stripe];
	int result = 0;

	if (!lock_share(share))
		return 0;
	if (!share->block)
		share->block = pop_ready(retire);
	if (share->block) {
		for (; cells && share->at < share->block->used; cells--)
			reclaim_cell(share->block, share->at++, true, reclaim, ctx);
		result = share->at < share->block->used ? 1 : finish_block(retire, memory, freer, end_share(share));
	}
	unlock_share(share);
	return result;
}

/* What a writer has begun: the caller's now. */
static struct log_block *take_share(struct retire *retire)
{
	struct log_block *block = NULL;

	for (unsigned s = 0; s < STRIPE_COUNT && !block; s++) {
		if (!lock_share(&retire->share[s]))
			continue;
		block = end_share(&retire->share[s]);
		unlock_share(&retire->share[s]);
	}
	return block;
}

/* ------------------------------------------------------------------ whole blocks */

int retire_reclaim(struct retire *retire, struct memory *memory, struct slab_freer *freer,
		   retire_fn *reclaim, void *ctx)
{
	struct log_block *block = pop_ready(retire);

	if (!block && retire_unreclaimed(retire))
		block = take_share(retire);
	if (!block)
		return 0;

	const bool read = retire_is_read(retire);

	for (uint64_t i = 0; i < block->used; i++)
		reclaim_cell(block, i, read, reclaim, ctx);
	return finish_block(retire, memory, freer, block);
}

int retire_reclaim_in_place(struct retire *retire, struct memory *memory, struct slab_freer *freer,
			    retire_fn *reclaim, void *ctx)
{
	struct log_block *block = first_ready(retire);

	if (!block)
		return 0;
	for (uint64_t i = 0; i < block->used; i++)
		reclaim_cell(block, i, true, reclaim, ctx);
	set_first_ready(retire, block->next);
	return finish_block(retire, memory, freer, block);
}

/* What is left of it becomes a ready one. */
static void adopt_share(struct retire *retire, struct retire_share *share)
{
	struct log_block *block = end_share(share);

	/* relaxed: nobody else is there */
	atomic_store_explicit(&share->busy, false, memory_order_relaxed);
	if (!block)
		return;
	block->next = first_ready(retire);
	set_first_ready(retire, block);
}

void retire_adopt(struct retire *retire, const struct log_batch *batch)
{
	uint64_t ready = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		adopt_share(retire, &retire->share[s]);
	/* Of one popping, `ready` is as before or as after: it changes by one store. */
	for (struct log_block *block = first_ready(retire); block; block = block->next)
		ready++;
	/* relaxed, both: nobody else is there */
	atomic_store_explicit(&retire->popping, false, memory_order_relaxed);
	atomic_store_explicit(&retire->unreclaimed, ready, memory_order_relaxed);
	log_adopt(&retire->log, ready + batch->count);
}

struct visitor {
	retire_fn *visit;
	void *ctx;
};

static void visit_word(void *ctx, uint64_t word)
{
	struct visitor *visitor = ctx;

	call(visitor->visit, visitor->ctx, word);
}

void retire_each(const struct retire *retire, const struct log_batch *batch,
		 retire_fn *visit, void *ctx)
{
	struct visitor visitor = { visit, ctx };

	log_each_in(first_ready(retire), visit_word, &visitor);
	log_each_in(batch->blocks, visit_word, &visitor);
	log_each(&retire->log, visit_word, &visitor);
}
