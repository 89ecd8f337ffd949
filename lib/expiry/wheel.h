/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hierarchical timing wheel (Varghese and Lauck, 1987): hints, filed by the tick at which somebody must look at
 * what they remind of. A hint is a number of WHEEL_HINT_BITS bits that means nothing here; a tick is a unit of time of the caller's choice, and
 * every uint64_t is one. Knows no map types.
 *
 * One thread owns a wheel and calls everything but wheel_hints() and wheel_bytes(), which are for all.
 *
 * A tick is a number of WHEEL_LEVELS digits. A hint for tick t > now lies at the level of the highest digit in which t
 * and `now` differ, in the slot that this digit of t names. With digits of 0 to 7, and now = 152 (octal):
 *
 *     level 2   0 1 2 3 4 5 6 7   slot s: ticks s00 to s77; what is for tick 234 lies in slot 2
 *                 ^
 *     level 1   0 1 2 3 4 5 6 7   slot s: ticks 1s0 to 1s7; what is for tick 171 lies in slot 7
 *                         ^
 *     level 0   0 1 2 3 4 5 6 7   slot s: tick 15s
 *                   ^ now
 *
 * As `now` moves on, the slots that it has passed are due as a whole. So is one that it has entered, although most of
 * what lies there is for later: the wheel keeps no ticks, the owner knows them. He pops each hint that is due, looks,
 * and adds it again if its time has not come. It then goes to a lower level: a hint is popped at most WHEEL_LEVELS
 * times, unless the wheel is compacted or restarted.
 *
 * A slot is a ring of small blocks of hints, so that many slots with a few hints each cost little.
 *
 * Invariants
 * X1 A hint that was added for tick t is popped by the first drain after wheel_advance(now >= t), or earlier; for
 *    t <= now, as if t were now + 1. It is never lost and never doubled. (A drain: wheel_pop() until it is false.)
 * X2 At each level, slots up to that of `now` are empty; what is in a slot agrees with `now` in all digits above.
 * X3 What is added during a drain is not popped by it: an add files behind `now`, and what is due lies apart.
 * X4 In a ring all blocks but the last are full, and none is empty. So there are at most hints / WHEEL_HINTS blocks,
 *    one for each slot that is not empty, WHEEL_SPARES, and three more.
 * X5 wheel_unpop() needs no memory: the block that the hint was popped from stays until the next wheel_pop().
 */
#ifndef RCUMAP_WHEEL_H
#define RCUMAP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"

/* Debug builds have more levels, more blocks and fewer spares, so that hints often cross levels and memory often runs
 * out. With 49 hints of five bytes a block has 254 bytes, and 256 is a size class of the slab. Blocks of twice that would take 0.1
 * bytes less a hint where there are many, and 128 bytes more for each slot that is not empty. */
#ifdef RCUMAP_DEBUG
#define WHEEL_DIGIT_BITS 3u
#define WHEEL_HINTS 2u
#define WHEEL_SPARES 2u
#else
#define WHEEL_DIGIT_BITS 6u
#define WHEEL_HINTS 49u
#define WHEEL_SPARES 16u
#endif
#define WHEEL_SLOTS (1u << WHEEL_DIGIT_BITS)
#define WHEEL_HINT_BITS 40u
/* A pointer, five bytes for each hint, their number. */
#define WHEEL_BLOCK_BYTES ((8u + 5u * WHEEL_HINTS + 1u + 7u) & ~7u)
#define WHEEL_LEVELS ((64u + WHEEL_DIGIT_BITS - 1) / WHEEL_DIGIT_BITS)

struct wheel_block;

/* A ring of blocks, known by its last one, which leads to the first; NULL: none. */
typedef struct wheel_block *wheel_ring;

struct wheel {
	struct memory *memory;
	struct slab_freer *freer; /* the owner's */
	uint64_t now; /* below UINT64_MAX, so that there is a tick behind it */
	uint64_t occupied[WHEEL_LEVELS]; /* bit s: slot s is not empty */
	uint64_t unvisited[WHEEL_LEVELS]; /* of these, the slots that the compaction under way has yet to visit */
	wheel_ring slot[WHEEL_LEVELS][WHEEL_SLOTS];
	wheel_ring due; /* from slots that `now` has passed */
	wheel_ring again; /* from slots that `now` has entered, and from compaction: mostly to be added again */
	struct wheel_block *popping; /* what wheel_pop() takes from */
	struct wheel_block *spares;
	unsigned spare_count;
	_Atomic uint64_t hints, blocks; /* statistics: the owner's alone to write */
};

/* An empty wheel. `memory` and the owner's `freer` outlive it. */
void wheel_init(struct wheel *wheel, struct memory *memory, struct slab_freer *freer, uint64_t now);

/* At the end of the map, alone: the wheel is gone with all its hints. */
void wheel_fini(struct wheel *wheel);

/* File a hint for tick `tick`; 0, or -ENOMEM, -EFAULT as from memory_alloc(): it is not filed. Inside a read section.
 * The wheel should have been told the time: the further its `now` lags behind, the more often the hint is popped. */
int wheel_add(struct wheel *wheel, uint64_t tick, uint64_t hint);

/* It is `now`: all slots that were passed or entered since are due. An earlier `now` than the wheel's changes nothing.
 * In O(levels + slots due), however far `now` jumps. */
void wheel_advance(struct wheel *wheel, uint64_t now);

/* It is `now`, and it may have been later before: all hints are due. */
void wheel_restart(struct wheel *wheel, uint64_t now);

/* Take a hint that is due, first of all from slots that were passed. False if none is. */
bool wheel_pop(struct wheel *wheel, uint64_t *hint);

/* Put back, as due, the hint that was popped last and could not be added again; once per pop. Between the two anything
 * but another pop may have been called. */
void wheel_unpop(struct wheel *wheel, uint64_t hint);

/* The earliest tick at which wheel_advance() will find something due; the wheel's `now` if something is due already;
 * UINT64_MAX if the wheel is empty. */
uint64_t wheel_next(const struct wheel *wheel);

/* Compaction: a pass in which the owner looks at every hint, so that he can drop those that have become void.
 * wheel_compact() makes the hints of one more slot due; false if it has visited all slots that there were when the pass
 * began, however they have been filled since. Then, and once these are popped, each hint that was in the wheel when the
 * pass began has been popped: once, or more often if `now` moved on meanwhile. At most WHEEL_LEVELS * WHEEL_SLOTS
 * steps. To begin a pass during another is to start over. */
void wheel_compact_begin(struct wheel *wheel);
bool wheel_compact(struct wheel *wheel);

/* Hints in the wheel, due ones included; and what it holds for them. Any thread. Wait-free. */
uint64_t wheel_hints(const struct wheel *wheel);
uint64_t wheel_bytes(const struct wheel *wheel);

/* Do the invariants hold? Visits every block. */
bool wheel_check(const struct wheel *wheel);

#endif
