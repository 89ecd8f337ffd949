/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eviction: what makes room in a map with a limit.
 *
 * Two hands go round the table in hash order, and each removes entries of one part:
 *
 *     stored --> probation --found since--> main --not found for a round or more--> evicted
 *                    |                       ^
 *                    +--> evicted, leaves a fingerprint (layout/ghost.h); stored again soon, it starts here
 *
 * An entry's part and age stand in its slot word (layout/line.h), and how often it was found, up to three times, in its
 * head (layout/entry.h), where readers count. While the main part has more than nine tenths of what the limit allows
 * its hand goes on: it takes one off an entry's heat, or evicts what has none. Else the hand of probation does: it
 * promotes what was found since it came, passes what it meets for the first time, and evicts the rest. Expired entries
 * go whenever a hand meets them. That is S3-FIFO (Yang and others, SOSP 2023) without its queues: hash order is as
 * good as arrival order where an age says who has been passed once. doc/eviction.md has the figures.
 *
 * Invariants
 * V1 Each entry that can be found in a map with max_entries has one unit of `entries`; who removes it gives the unit
 *    back or keeps it for an entry of his own. So no more than the limit can be found at any instant. In a map with
 *    max_bytes it has as many units of the budget's `live` as it counts bytes (memory/budget.h), likewise.
 * V2 All that a hand finds out is a hint, but for its removals, which are by identity: what has come into the place of
 *    an entry is left alone.
 */
#ifndef RCUMAP_EVICT_H
#define RCUMAP_EVICT_H

#include "map/attempt.h"

/* Set up by options that have been checked, after the budget. */
void evict_init(struct rcumap *map, uint64_t max_entries);

static inline bool evict_is_on(const struct rcumap *map)
{
	return map->eviction.on;
}

/* The heat of an entry that is stored: readers count from here. */
static inline unsigned evict_first_heat(const struct rcumap *map)
{
	return evict_is_on(map) ? 0 : ENTRY_HOT;
}

/* Secure a unit for an entry that is about to be stored under an absent key; evict for it. Bounded: at most EVICT_STEPS
 * entries are looked at. Idempotent. 0, -ENOMEM, -EFAULT; -ENOSPC: all units are in the hands of others. */
int evict_secure(struct attempt *attempt);

/* Likewise what an entry of `size` bytes counts at most, under whatever key. What is evicted for it counts less than twice
 * that before the last one, or less than that if no structure has grown meanwhile. Also -EFBIG: it will never fit. */
int evict_secure_bytes(struct attempt *attempt, size_t size);

/* What an overflow line takes, with all that an allocator may add to it. */
#define EVICT_LINE_BYTES (4 * sizeof(struct line))

/* A structure was had, or could not be, and is nobody's who stores: while there is a debt, evict so many bytes for it, or one
 * entry more. In relieve() the reclaimer, on its own, inside a section. Bounded, as above. */
void evict_pay(struct attempt *attempt, size_t bytes);
void evict_relieve(struct rcumap *map, size_t bytes);

/* attempt->entry has been allocated: what it counts is known. */
void evict_built(struct attempt *attempt);

/* The unit of an entry that was not stored after all; its bytes. */
void evict_release(struct attempt *attempt);
void evict_release_bytes(struct attempt *attempt);

/* An entry with these marks has come in, with what was secured. */
void evict_count_in(struct attempt *attempt, uint64_t marks);

/* It has come into the place of the entry with this slot word, whose bytes are free. */
void evict_count_over(struct attempt *attempt, uint64_t word);

/* An entry with this slot word has been removed, and counted: its unit and its bytes are free. It is the caller's section. In
 * this order nobody who stores in its place sees it counted as there. */
void evict_leave(struct attempt *attempt, uint64_t word);

/* In a child of fork(), alone with the map: what vanished threads had in their hands is free again. Cost: a pass over the
 * table. */
void evict_adopt(struct rcumap *map);

/* Is the key stored again a short while after it was evicted? Then that is forgotten. */
bool evict_has_returned(const struct table *table, uint64_t hash);

#endif
