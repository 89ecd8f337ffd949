/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing and shrinking: who decides upon a size, moves buckets on, and answers those who wait for room
 * (map/reserve.c). Work of the reclaimer's thread, in bounded turns; of a writer only if it is far too late.
 */
#ifndef RCUMAP_RESIZE_H
#define RCUMAP_RESIZE_H

#include "map/map.h"

/*
 * `table` is far too small and the reclaimer late: begin to grow, or help on, with bounded work. 0: growth began here;
 * -EBUSY: growth is under way, or done; -ENOMEM, -EFAULT. Inside a read section. Lock-free.
 */
int reclaimer_grow_urgently(struct rcumap *map, const struct table *table);

/* A part of the reclaimer's turn: begin or go on to grow or shrink. True if there is more to do at once. */
bool reclaimer_resize(struct rcumap *map);

#endif
