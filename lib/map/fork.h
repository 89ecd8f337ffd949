/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps of the bp flavor across fork(): the child's copy of each is in a state from which the forking thread alone can go
 * on. Writers may stop anywhere, by the protocol's own guarantee; the reclaimer may not: fork() waits until each is between
 * two turns, or in a callback of the user's. The child then adopts what it finds, and starts reclaimers of its own.
 *
 * Locks, in the order in which rcumap_before_fork() takes them:
 *
 *     liburcu's    waits for the grace period that is under way; so first, while nobody waits for anything of ours
 *     the registry here; then waits for turns to end. Nobody enters his first section, which needs liburcu's, in a turn
 *     of each map  reclaimer.lock, then expiry_lock(): a writer may be at work under it, who waits for nobody
 *     map/flight.c's  held for moments, by threads that wait for nobody meanwhile
 *     the grace module's
 *
 * None of ours is held while anybody waits for a reader.
 */
#ifndef RCUMAP_FORK_H
#define RCUMAP_FORK_H

#include "map/map.h"

/* A map lives from here on, to there. Maps of other flavors are none of ours. Do not wait for readers. */
void fork_enlist(struct rcumap *map);
void fork_delist(struct rcumap *map);

/* The reclaimer's thread: around each turn, in which the map's own state may be halfway. No fork() happens meanwhile. */
void fork_turn_begin(struct rcumap *map);
void fork_turn_end(struct rcumap *map);

/* The same thread, around a callback of the user's, in a turn or not. leave() returns what enter_again() wants. */
bool fork_turn_leave(struct rcumap *map);
void fork_turn_enter_again(struct rcumap *map, bool left);

#endif
