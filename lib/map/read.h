/* SPDX-License-Identifier: BSD-2-Clause */
/* The read path: hash, table, bucket, entry, and nothing else. */
#ifndef RCUMAP_READ_H
#define RCUMAP_READ_H

#include "map/map.h"
#include "protocol/bucket.h"

static inline bool read_key_valid(const void *key, size_t key_size)
{
	return key && key_size - 1 < RCUMAP_KEY_SIZE_MAX;
}

/* The key is valid. Inside a read section. Wait-free. */
static inline const struct rcumap_entry *read_find(const struct rcumap *map, const void *key, size_t key_size)
{
	return bucket_find(&map->tables, hash_key(&map->tables.hash, key, key_size), key, key_size);
}

#endif
