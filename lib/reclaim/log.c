/* SPDX-License-Identifier: BSD-2-Clause */
#include "reclaim/log.h"

/* Added to `reserved` to close a block: larger than any number of reservations. */
#define CLOSED (UINT64_C(1) << 62)

void log_init(struct log *log, enum memory_use use, unsigned cells)
{
	log->use = use;
	log->cells = cells < LOG_CELLS ? cells : LOG_CELLS;
}

/* In each block. */
static unsigned cells_of(const struct log *log)
{
	return log->cells ? log->cells : LOG_CELLS;
}

static int create(const struct log *log, struct memory *memory, struct log_block **block)
{
	const unsigned cells = cells_of(log);
	void *p = NULL;
	int error = memory_alloc_for(memory, log->use, LOG_BLOCK_BYTES(cells), 16, &p);

	if (error)
		return error;
	*block = p;
	(*block)->next = NULL;
	(*block)->cells = cells;
	atomic_init(&(*block)->reserved, 1); /* the creator's own */
	for (unsigned i = 0; i < cells; i++)
		atomic_init(&(*block)->cell[i], 0);
	return 0;
}

static void add_to_backlog(struct log *log, uint64_t blocks)
{
	atomic_fetch_add_explicit(&log->backlog, blocks, memory_order_relaxed); /* a hint */
}

int log_reserve(struct log *log, struct memory *memory, log_cell **cell)
{
	_Atomic(struct log_block *) *current = &log->stripe[stripe_index()].current;
	/* [BLOCK acquire] pairs with the [BLOCK seq_cst] below: the cells are 0, the links set. */
	struct log_block *block = atomic_load_explicit(current, memory_order_acquire);

	for (;;) {
		if (block) {
			/* relaxed: the number alone decides whose cell it is (R1) */
			uint64_t i = atomic_fetch_add_explicit(&block->reserved, 1, memory_order_relaxed);

			if (i < block->cells) {
				*cell = &block->cell[i];
				return 0;
			}
		}

		struct log_block *fresh = NULL;
		int error = create(log, memory, &fresh);

		if (error)
			return error;
		fresh->next = block;
		if (block)
			add_to_backlog(log, 1); /* first, so that it is never below 0 */
		/* [BLOCK seq_cst] publishes the block, and hands over the full one behind it. A block that the consumer
		 * took meanwhile makes this fail, with NULL. */
		if (atomic_compare_exchange_strong_explicit(current, &block, fresh, memory_order_seq_cst,
							    memory_order_acquire)) {
			atomic_fetch_add_explicit(&log->blocks, 1, memory_order_relaxed); /* a hint */
			*cell = &fresh->cell[0];
			return 1;
		}
		if (fresh->next)
			add_to_backlog(log, (uint64_t)-1);
		memory_discard_for(memory, log->use, fresh, LOG_BLOCK_BYTES(fresh->cells));
	}
}

bool log_pending(const struct log *log)
{
	struct log *all = (struct log *)log;

	if (log->waiting)
		return true;
	/* seq_cst: after wake_value() and before wake_wait(), against [BLOCK seq_cst] and wake_signal()
	 * (ground/wake.h) */
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		if (atomic_load_explicit(&all->stripe[s].current, memory_order_seq_cst))
			return true;
	return false;
}

/* ------------------------------------------------------------------ taking */

static bool filled(struct log_block *block)
{
	for (uint64_t i = 0; i < block->used; i++)
		/* [CELL acquire] pairs with log_fill(). R2. */
		if (!atomic_load_explicit(&block->cell[i], memory_order_acquire))
			return false;
	return true;
}

/* Closed blocks: into the batch, but for those that are to be `whole` and have an unfilled cell. */
static void sort_block(struct log *log, struct log_batch *batch, struct log_block *block, bool whole)
{
	struct log_block **list = !whole || filled(block) ? &batch->blocks : &log->waiting;

	block->next = *list;
	*list = block;
	if (list == &batch->blocks)
		batch->count++;
}

static void sort_list(struct log *log, struct log_batch *batch, struct log_block *block, bool whole)
{
	while (block) {
		struct log_block *next = block->next;

		sort_block(log, batch, block, whole);
		block = next;
	}
}

static void take_closed(struct log *log, struct log_batch *batch, bool whole)
{
	struct log_block *waiting = log->waiting;
	uint64_t count = 0;

	*batch = (struct log_batch){ 0 };
	log->waiting = NULL;
	sort_list(log, batch, waiting, whole);
	for (unsigned s = 0; s < STRIPE_COUNT; s++) {
		/* [BLOCK seq_cst] takes the blocks from the stripe; pairs with log_reserve(). */
		struct log_block *block = atomic_exchange_explicit(&log->stripe[s].current, NULL, memory_order_seq_cst);

		if (!block)
			continue;
		/* relaxed: R1; what is in the cells is read with [CELL acquire] */
		uint64_t reserved = atomic_fetch_add_explicit(&block->reserved, CLOSED, memory_order_relaxed);

		block->used = reserved < block->cells ? reserved : block->cells;
		for (struct log_block *full = block->next; full; full = full->next, count++)
			full->used = full->cells;
		sort_list(log, batch, block, whole);
	}
	add_to_backlog(log, -count);
}

bool log_take(struct log *log, struct log_batch *batch)
{
	take_closed(log, batch, true);
	return log->waiting != NULL;
}

void log_take_partly(struct log *log, struct log_batch *batch)
{
	take_closed(log, batch, false);
}

void log_put_back(struct log *log, struct log_block *block)
{
	block->next = log->waiting;
	log->waiting = block;
}

void log_reclaim_block(struct log *log, struct memory *memory, struct slab_freer *freer, struct log_block *block)
{
	memory_free_for(memory, log->use, freer, block, LOG_BLOCK_BYTES(block->cells));
	atomic_fetch_sub_explicit(&log->blocks, 1, memory_order_relaxed); /* a hint */
}

void log_reclaim_list(struct log *log, struct memory *memory, struct slab_freer *freer, struct log_block *blocks)
{
	while (blocks) {
		struct log_block *next = blocks->next;

		log_reclaim_block(log, memory, freer, blocks);
		blocks = next;
	}
}

uint64_t log_blocks(const struct log *log)
{
	/* relaxed: a hint */
	return atomic_load_explicit(&((struct log *)log)->blocks, memory_order_relaxed);
}

uint64_t log_bytes(const struct log *log)
{
	return log_blocks(log) * LOG_BLOCK_BYTES(cells_of(log));
}

uint64_t log_backlog(const struct log *log)
{
	/* relaxed: a hint */
	return atomic_load_explicit(&((struct log *)log)->backlog, memory_order_relaxed);
}

/* ------------------------------------------------------------------ after fork(): all relaxed, nobody else is there */

static void cancel_unfilled(struct log_block *block)
{
	uint64_t reserved = atomic_load_explicit(&block->reserved, memory_order_relaxed);

	for (uint64_t i = 0; i < block->cells && i < reserved; i++)
		if (!atomic_load_explicit(&block->cell[i], memory_order_relaxed))
			atomic_store_explicit(&block->cell[i], LOG_CANCELLED, memory_order_relaxed);
}

uint64_t log_adopt_list(struct log_block *blocks)
{
	uint64_t count = 0;

	for (; blocks; blocks = blocks->next, count++)
		cancel_unfilled(blocks);
	return count;
}

void log_adopt(struct log *log, uint64_t taken)
{
	uint64_t blocks = taken + log_adopt_list(log->waiting), backlog = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++) {
		uint64_t here =
			log_adopt_list(atomic_load_explicit(&log->stripe[s].current, memory_order_relaxed));

		blocks += here;
		backlog += here ? here - 1 : 0;
	}
	atomic_store_explicit(&log->blocks, blocks, memory_order_relaxed);
	atomic_store_explicit(&log->backlog, backlog, memory_order_relaxed);
}

static void visit_block(const struct log_block *block, void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	/* Cells that were never reserved are 0. */
	for (unsigned i = 0; i < block->cells; i++) {
		uint64_t word = atomic_load_explicit(&((struct log_block *)block)->cell[i], memory_order_relaxed);

		if (word && word != LOG_CANCELLED)
			visit(ctx, word);
	}
}

void log_each_in(const struct log_block *blocks, void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	for (; blocks; blocks = blocks->next)
		visit_block(blocks, visit, ctx);
}

void log_each(const struct log *log, void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	struct log *all = (struct log *)log;

	log_each_in(log->waiting, visit, ctx);
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		log_each_in(atomic_load_explicit(&all->stripe[s].current, memory_order_relaxed), visit, ctx);
}
