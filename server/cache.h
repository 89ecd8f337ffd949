/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file cache.h
 * The map, and what belongs to this run of it: its epoch, by which versions of one run differ from those of another, and its
 * clock of whole seconds, by which items remember when they were stored.
 */
#ifndef RCUMAPD_CACHE_H
#define RCUMAPD_CACHE_H

#include "config.h"

#include <rcumap.h>
#include <sodium.h>

struct cache {
	struct rcumap *map;
	uint64_t epoch;	   /* random */
	uint64_t start_ns; /* CLOCK_MONOTONIC_COARSE */
	uint64_t max_bytes;
	unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

/** 0 or -errno. The struct must stay where it is. */
int cache_open(struct cache *cache, const struct config *config);

/** All readers are gone, nothing is held. */
void cache_close(struct cache *cache);

/** Seconds since cache_open(), as of the coarse clock. */
uint32_t cache_seconds(const struct cache *cache);

#endif
