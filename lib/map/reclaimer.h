/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map's background thread: grows and shrinks the table (map/resize.h), removes what has expired (map/expiry.h), and
 * gives back what was retired (map/reclaim.h), a bounded share of each in turn. It sleeps when there is nothing to do,
 * never waits for a grace period itself (reclaim/grace.h does), and holds nothing while it works.
 */
#ifndef RCUMAP_RECLAIMER_H
#define RCUMAP_RECLAIMER_H

#include "map/map.h"

void reclaimer_init(struct rcumap *map);
void reclaimer_fini(struct rcumap *map);

/*
 * Start and stop the thread. Start: 0 or -EAGAIN. Stop reclaims everything first: it may wait for a grace period. Close
 * comes before it, if the map is to be destroyed; nobody else uses the map any more. 0: from now on callbacks store,
 * remove and hold nothing, and when the thread ends they are told of what is still there. -EBUSY: something is held; all
 * is as before.
 */
int reclaimer_start(struct rcumap *map);
int reclaimer_close(struct rcumap *map);
void reclaimer_stop(struct rcumap *map);

/* In a child of fork(), with all locks held: bring into order what the parent's threads left, but start none. */
void reclaimer_adopt(struct rcumap *map);

/* False: the caller is inside a section, or in a callback of the map, and would wait for himself. */
bool reclaimer_caller_may_wait(const struct rcumap *map);

/* Before waiting for the reclaimer. 0: *paused goes to the section's resume(); -EDEADLK: the caller would wait for
 * himself, in a section or in a callback. */
int reclaimer_leave_section(const struct rcumap *map, bool *paused);

#endif
