/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What writers have unlinked and the reclaimer has not taken yet: arrays of pointers, one per stripe, so that entries need no
 * link and a retirement is one fetch_add and one store. Knows no map types.
 *
 * A writer reserves a cell before it unlinks (the only step that can fail), then fills it with what it unlinked, or cancels.
 * Both happen inside one read section.
 *
 * Invariants
 * R1 A cell is filled once, by whoever reserved it. Once a block is closed nobody reserves in it.
 * R2 What is in a filled cell was unlinked before it was filled. So a grace period that begins after the reclaimer has seen
 *    the cell filled is one that began after the unlinking.
 * R3 A block is freed only after a grace period that began when it was closed and its cells were filled: whoever
 *    still holds a pointer to it was in a section by then.
 */
#ifndef RCUMAP_RETIRE_H
#define RCUMAP_RETIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"

struct retire_block;
typedef _Atomic(void *) retire_cell;

struct retire {
	struct {
		_Alignas(64) _Atomic(struct retire_block *) current;
	} stripe[STRIPE_COUNT];
	_Atomic(struct retire_block *) full;
	struct retire_block *waiting; /* the reclaimer's: closed, with cells that were not filled when it looked */
};

/* A batch of blocks whose cells are all filled. */
struct retire_batch {
	struct retire_block *blocks;
	uint64_t count; /* retired pointers in it */
};

/* Set *cell to a reserved cell. 0; 1: as 0, and the reclaimer must be woken once the cell is filled or cancelled; -ENOMEM,
 * -EFAULT. Inside a read section. Lock-free. */
int retire_reserve(struct retire *retire, struct memory *memory, retire_cell **cell);

/* Fill the cell with something unlinked, or give it up. Wait-free. */
void retire_fill(retire_cell *cell, void *unlinked);
void retire_cancel(retire_cell *cell);

/* The reclaimer: take all that can be taken. True if blocks stay behind because a cell in them is not filled yet. */
bool retire_take(struct retire *retire, struct retire_batch *batch);

/* Is there anything to take? */
bool retire_pending(const struct retire *retire);

/* After a grace period: call `reclaim` for each pointer, then free the blocks. */
void retire_reclaim(struct retire_batch *batch, struct memory *memory,
		    void (*reclaim)(void *ctx, void *unlinked), void *ctx);

#endif
