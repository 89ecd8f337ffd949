/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a map with max_bytes keeps free of entries, by charging it to `live` (memory/budget.h):
 *
 *     fund   for the next table, in step with the entries that bring its time nearer: when that has come, its memory is
 *            there, and nothing need be evicted for it at once. And for a smaller one that could not be had
 *     slack  for garbage: so much that stores need not wait for grace periods. It grows with each batch that a store had
 *            to wait for, and shrinks slowly without such
 *
 * And the wait itself: a store for which there is no memory leaves its section and waits for the next batch that is given
 * back.
 */
#ifndef RCUMAP_SPARE_H
#define RCUMAP_SPARE_H

#include "map/map.h"
#include "protocol/table.h"

/* After the budget. */
void spare_init(struct rcumap *map, uint64_t wait_ms);

/* Is there room for the next table beside this one, with as many entries as this one has when it is full? If not, the map would
 * lose by growing: its buckets become fuller instead. Always so without max_bytes. */
bool spare_may_grow(const struct rcumap *map, const struct table *table, uint64_t entries);

/* So many entries are in the table, which is the newest: adjust the fund. Cost: some atomics, and a pass over the stripes. */
void spare_plan(struct rcumap *map, const struct table *table, uint64_t entries);

/* A smaller table of so many bytes could not be had: they are collected; 0: none is wanted any more. The reclaimer. */
void spare_want(struct rcumap *map, uint64_t bytes);

/* Somebody stores what so many bytes are lacking for: give up what is kept free for garbage and for a smaller table, if that is enough. */
void spare_yield(struct rcumap *map, uint64_t lacking);

/* A table has been begun: the fund has been used. */
void spare_begun(struct rcumap *map);

/* The reclaimer has given all of a batch back: adjust the slack, and let those who wait try again. */
void spare_given(struct rcumap *map);

/* A store was refused with -ENOSPC. */
struct spare_wait {
	bool claims; /* what it lacks (memory/budget.h) */
	uint64_t until_ns; /* 0: it has not waited yet */
	uint64_t at_most_ns; /* whatever is given back meanwhile */
	uint64_t batches; /* given back when it was tried last */
};

/* Outside of the store's section: true: try again, some memory may have come back. False: the refusal stands. */
bool spare_wait(struct rcumap *map, struct spare_wait *wait);

/* A store that has waited has its result: if it is a refusal, count it. */
void spare_end(struct rcumap *map, struct spare_wait *wait, int result);

/* In a child of fork(), alone with the map. */
void spare_adopt(struct rcumap *map);

#endif
