/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving back what was retired: batch after batch, each a grace period after it was taken. Work of the reclaimer's
 * thread, in bounded turns; writers help with it when it is late. With max_bytes it is theirs first, some entries for each
 * that they store, and the reclaimer's after a while, or when anybody waits.
 *
 * Invariants
 * C1 What is reclaimed was retired before a grace period began that has ended.
 * C2 One batch is under way at a time; later retirements wait for the next.
 * C3 A barrier is done when all that was retired before it was asked for has been reclaimed, or left to those who
 *    hold it (layout/entry.h, E4).
 * C4 What is retired while a batch is under way needs no waking: the next take finds it. Else the reclaimer has said that it
 *    is idle before it looked for blocks in vain, and who begins one looks whether it is after that.
 */
#ifndef RCUMAP_RECLAIM_H
#define RCUMAP_RECLAIM_H

#include "map/map.h"

/* A writer who has begun a block of retired entries: give back others in return, if the reclaimer is late. Bounded
 * work. True: garbage piles up all the same, and the writer should yield when he has left his section. Lock-free. */
bool reclaimer_help(struct rcumap *map);

/* A writer who is about to allocate an entry: with max_bytes, give back some of what is ready. Bounded work. Lock-free. */
void reclaimer_share(struct rcumap *map, unsigned stripe);

/* Whoever was the last to release an orphan: it is given back, with no further grace period. Any thread, with or without
 * a section. Lock-free. */
void reclaimer_hand_over(struct rcumap *map, struct rcumap_entry *entry);

/*
 * A part of the reclaimer's turn: give back the batch whose grace period has ended, take the next. How long the
 * reclaimer may sleep then. It needs no section.
 */
uint64_t reclaimer_reclaim(struct rcumap *map);

/* A writer who has begun a block of retired entries: must he wake the reclaimer? Wait-free. */
static inline bool reclaimer_is_idle(const struct rcumap *map)
{
	/* [IDLE seq_cst] after [BLOCK seq_cst] in log_reserve(), against reclaim_batch(). C4. */
	return atomic_load_explicit(&((struct rcumap *)map)->reclaimer.idle, memory_order_seq_cst);
}

/* Is there anything that a batch would take, or that was handed over? */
bool reclaimer_has_work(const struct rcumap *map);

/* In a child of fork(), alone with the map. */
void reclaim_adopt(struct rcumap *map);

/* Alone with the map, and nobody in a section: give back all at once. */
void reclaim_drain(struct rcumap *map);

/*
 * The parts of that, for tests that have no thread, one caller at a time:
 * take() takes what is retired into the batch (C2: the last one was given back); false if there was nothing.
 * give_back() frees the batch, a grace period after it was taken; false if another thread is still helping with it.
 */
bool reclaimer_take(struct rcumap *map);
bool reclaimer_give_back(struct rcumap *map);

#endif
