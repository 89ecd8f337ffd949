/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map's background thread: grows and shrinks the table, and gives back what was retired. It sleeps when there is
 * nothing to do, never waits for a grace period itself (reclaim/grace.h does), and holds nothing while it works.
 *
 * Invariants
 * C1 What is reclaimed was retired before a grace period began that has ended.
 * C2 One batch is under way at a time; later retirements wait for the next.
 * C3 A barrier is done when all that was retired before it was asked for has been reclaimed.
 */
#ifndef RCUMAP_RECLAIMER_H
#define RCUMAP_RECLAIMER_H

#include "map/map.h"

void reclaimer_init(struct rcumap *map);
void reclaimer_fini(struct rcumap *map);

/* Start and stop the thread. Start: 0 or -EAGAIN. Stop reclaims everything first: it may wait for a grace period. */
int reclaimer_start(struct rcumap *map);
void reclaimer_stop(struct rcumap *map);

/*
 * `table` is far too small and the reclaimer late: begin to grow, or help on, with bounded work. 0: growth began here;
 * -EBUSY: growth is under way, or done; -ENOMEM, -EFAULT. Inside a read section. Lock-free.
 */
int reclaimer_grow_urgently(struct rcumap *map, const struct table *table);

/* A writer who has begun a block of retired entries: give back others in return, if the reclaimer is late. Bounded
 * work. True: garbage piles up all the same, and the writer should yield when he has left his section. Lock-free. */
bool reclaimer_help(struct rcumap *map);

/*
 * The parts of a turn, for the thread, and for tests that have none, one caller at a time:
 * resize() begins or goes on to grow or shrink; true if there is more to do at once.
 * take() takes what is retired into the batch (C2: the last one was given back); false if there was nothing.
 * give_back() frees the batch, a grace period after it was taken; false if another thread is still helping with it.
 */
bool reclaimer_resize(struct rcumap *map);
bool reclaimer_take(struct rcumap *map);
bool reclaimer_give_back(struct rcumap *map);

#endif
