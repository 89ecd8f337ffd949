/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file cache.h
 * Many more keys than a map may hold, written and read by every verb: what the scenarios with a limit have in common.
 *
 * What is found was begun to be stored: a counter per key says so. All else that can be said of one operation says actor.h.
 */
#ifndef STRESS_CACHE_H
#define STRESS_CACHE_H

#include "run.h"

struct cache;

/** For run->ctx; keys are below `keys`. */
struct cache *cache_new(const struct run *run, uint64_t keys);
void cache_free(struct cache *cache);

/** The number that a key is stored with next. */
uint64_t cache_next_number(struct cache *cache, uint64_t key);

/** Parts of a plan. Who writes stores, deletes, touches, gives short lives; no store is refused, unless the plan says so. */
void cache_write(struct actor *me);
void cache_read(struct actor *me);
/** In every other round he stays in his section for half of it. */
void cache_stay(struct actor *me);

#endif
