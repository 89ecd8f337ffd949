/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limits of an explored map: smaller than a user's may be; and what is there of it, counted entry by entry and block by
 * block, which units and bytes must agree with.
 */
#ifndef EXPLORER_MAP_LIMITS_H
#define EXPLORER_MAP_LIMITS_H

#include "map/map.h"

#include <stdbool.h>
#include <stdint.h>

struct map_count {
	unsigned entries;
	unsigned main;	   /* of these, in the main part */
	unsigned expiring; /* of these, with a deadline */
	unsigned expired;  /* with one that has passed */
	int64_t bytes, main_bytes; /* what they count in a map with max_bytes, placeholders too */
	/* Not of these: what stands for keys that are absent; for a time alone; for one that has passed. */
	unsigned placeholders, remembered, forgotten;
};

/* Every key, as `k`. */
#define MAP_EVERY_KEY KEYS_MAX

/* Entries of key k in a bucket. */
void map_count_bucket(struct map_count *count, const struct rcumap *map, const struct line *line, unsigned k);
/* In all buckets that hold some: each once, when nobody migrates. */
struct map_count map_count_all(const struct rcumap *map);

/* Before there is a map: all its memory comes from here. */
void map_limits_reset(void);
void *map_limits_alloc(void *ctx, size_t size, size_t align);
void map_limits_free(void *ctx, void *p, size_t size);

/* Those of the variant, in a map that has only its first table; they are watched from then on. */
void map_limits_set(struct rcumap *map, unsigned variant);

/* When nobody is inside a call: a failure if any unit or byte is lost, or counted wrongly. */
void map_limits_check(const struct map_count *all);

/* As of struct subject. */
unsigned map_limits_evicts(unsigned keys, unsigned threads);
bool map_limits_refuses(unsigned others);

#endif
