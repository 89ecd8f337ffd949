/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What many writers tell one consumer: 64-bit words in arrays, one array per stripe, so that telling is one fetch_add
 * and one store. Knows nothing of what the words mean.
 *
 * A writer reserves a cell before he does what he will tell (the only step that can fail), then fills it, or cancels.
 * Both happen inside one read section. A block of cells then goes this way:
 *
 *     stripe[].current --full or taken--> closed --all cells filled--> batch --the consumer's; a grace period--> freed
 *
 * Who begins a new block links it before the full one, by the same exchange: the consumer, who takes all blocks of a stripe
 * at once, waits for nobody to hand one over.
 *
 * A consumer who can do with a part of a block need not wait for the last cell: he takes the block as soon as it is closed,
 * cancels each word that he has taken, and puts the block back until he has found all cells filled.
 *
 * Invariants
 * R1 A cell is filled once, by whoever reserved it; then it is the consumer's. Once a block is closed nobody reserves in
 *    it.
 * R2 Who takes a word sees all that its writer did before he filled the cell.
 * R3 A block is freed only after all its cells were filled, and then a grace period that began when it was closed, or
 *    later: whoever still holds a pointer to it, to reserve in it, was in a section by then. Its words may be read as soon
 *    as it is taken.
 */
#ifndef RCUMAP_LOG_H
#define RCUMAP_LOG_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ground/stripe.h"
#include "memory/memory.h"

#ifdef RCUMAP_DEBUG
#define LOG_CELLS 4u
#else
#define LOG_CELLS 508u
#endif

typedef _Atomic uint64_t log_cell; /* 0: not filled yet */

/* In a cancelled cell. */
#define LOG_CANCELLED UINT64_MAX

struct log_block {
	struct log_block *next; /* the full one before it; then in `waiting`; of a taken block, the consumer's */
	_Atomic uint64_t reserved; /* cells reserved; may pass `cells` */
	uint64_t used; /* once closed: cells that count */
	uint64_t cells; /* that it has */
	log_cell cell[];
};

/* Bytes of a block. */
#define LOG_BLOCK_BYTES(cells) (sizeof(struct log_block) + (cells) * sizeof(log_cell))
_Static_assert(LOG_BLOCK_BYTES(LOG_CELLS) <= 4096, "a block is a page at most");

/* All zero at first, or as log_init() sets it. */
struct log {
	enum memory_use use; /* of its blocks */
	unsigned cells; /* in each; 0: LOG_CELLS */
	struct {
		_Alignas(64) _Atomic(struct log_block *) current;
	} stripe[STRIPE_COUNT];
	_Atomic uint64_t blocks; /* all that there are */
	_Atomic uint64_t backlog; /* full ones that the consumer has not taken yet */
	struct log_block *waiting; /* the consumer's: closed, with cells that were not filled when he looked */
};

/* Taken blocks: closed; and all their cells filled or cancelled, unless they were taken by log_take_partly(). */
struct log_batch {
	struct log_block *blocks;
	uint64_t count;
};

/* The log of a map that has little memory: `cells` in a block, up to LOG_CELLS, of which less lie idle. */
void log_init(struct log *log, enum memory_use use, unsigned cells);

/* Set *cell to a reserved cell. 0; 1: as 0, and the consumer must be woken once the cell is filled or cancelled;
 * -ENOMEM, -EFAULT, -ENOSPC. Inside a read section. Lock-free. */
int log_reserve(struct log *log, struct memory *memory, log_cell **cell);

/* The same, if the block that the stripe has is not full: the cell, or NULL. Wait-free. */
static inline log_cell *log_reserve_here(struct log *log, unsigned stripe)
{
	/* [BLOCK acquire] pairs with the [BLOCK seq_cst] in log_reserve(): the cells are 0. */
	struct log_block *block = atomic_load_explicit(&log->stripe[stripe].current, memory_order_acquire);

	if (!block)
		return NULL;

	/* relaxed: the number alone decides whose cell it is (R1) */
	const uint64_t i = atomic_fetch_add_explicit(&block->reserved, 1, memory_order_relaxed);

	return i < block->cells ? &block->cell[i] : NULL;
}

/* Fill the cell with a word that is neither 0 nor LOG_CANCELLED. Wait-free. */
static inline void log_fill(log_cell *cell, uint64_t word)
{
	assert(word && word != LOG_CANCELLED);
	/* [CELL release] pairs with [CELL acquire] in filled() and log_peek(). R2. */
	atomic_store_explicit(cell, word, memory_order_release);
}

/* Give the cell up; or, the consumer's, of a taken block: its word is not seen again. Wait-free. */
static inline void log_cancel(log_cell *cell)
{
	/* [CELL release] as in log_fill(). */
	atomic_store_explicit(cell, LOG_CANCELLED, memory_order_release);
}

/* The consumer: take all that can be taken. True if blocks stay behind because a cell in them is not filled yet. */
bool log_take(struct log *log, struct log_batch *batch);

/* The consumer, instead: also blocks with cells that are not filled yet. He reads them by log_peek(), and puts back those in
 * which he has met such a cell: they come with the next take. */
void log_take_partly(struct log *log, struct log_batch *batch);
void log_put_back(struct log *log, struct log_block *block);

/* The consumer: is there anything to take? */
bool log_pending(const struct log *log);

/* The word in cell i of a taken block; 0: it was cancelled, or i is `used` or more. */
static inline uint64_t log_word(const struct log_block *block, uint64_t i)
{
	if (i >= block->used)
		return 0;

	/* relaxed: filled() has acquired it */
	uint64_t word = atomic_load_explicit(&((struct log_block *)block)->cell[i], memory_order_relaxed);

	return word == LOG_CANCELLED ? 0 : word;
}

/* The same, of a block that was taken by log_take_partly(). *unfilled is set if the cell is not filled yet: 0. */
static inline uint64_t log_peek(const struct log_block *block, uint64_t i, bool *unfilled)
{
	if (i >= block->used)
		return 0;

	/* [CELL acquire] pairs with log_fill(). R2. */
	uint64_t word = atomic_load_explicit(&((struct log_block *)block)->cell[i], memory_order_acquire);

	*unfilled |= word == 0;
	return word == LOG_CANCELLED ? 0 : word;
}

/* Free a taken block, or a list of them, after a grace period that began when it had been taken (R3). Any thread. */
void log_reclaim_block(struct log *log, struct memory *memory, struct slab_freer *freer, struct log_block *block);

void log_reclaim_list(struct log *log, struct memory *memory, struct slab_freer *freer, struct log_block *blocks);

/* Blocks that writers have begun and nobody has freed yet; full ones that have not been taken. Wait-free. */
uint64_t log_blocks(const struct log *log);
uint64_t log_backlog(const struct log *log);

/* What all of them take. Wait-free. */
uint64_t log_bytes(const struct log *log);

/* In a child of fork(), where no other thread of the parent is: cells that are reserved and not filled are cancelled,
 * so that no block waits for their writers. `taken`: the blocks that the consumer has taken and not freed. */
void log_adopt(struct log *log, uint64_t taken);

/* Likewise, first, for blocks that the consumer has taken by log_take_partly(). How many it is. */
uint64_t log_adopt_list(struct log_block *blocks);

/* Likewise: call `visit` for each word in these blocks, and in those that the consumer has not taken. */
void log_each_in(const struct log_block *blocks, void (*visit)(void *ctx, uint64_t word), void *ctx);
void log_each(const struct log *log, void (*visit)(void *ctx, uint64_t word), void *ctx);

#endif
