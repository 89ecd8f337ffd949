/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clearing: one walk in hash order. A position in hash order means the same place in every table, so the walk goes on
 * where it was however the table changes meanwhile, and meets every bucket once.
 */
#include <errno.h>

#include "map/map.h"
#include "map/write.h"

/* Buckets per section: a section stays short. */
#define BUCKETS_PER_SECTION 64u

int rcumap_clear(struct rcumap *map)
{
	uint64_t hash = 0, last = 0;
	int error = 0;

	if (!map)
		return -EINVAL;
	map_assert_alive(map);
	if (map->closing)
		return -ESHUTDOWN;
	do {
		map->section->lock();
		for (unsigned i = 0; i < BUCKETS_PER_SECTION && !error; i++) {
			error = write_remove_all_at(map, hash, &last);
			hash = last + 1;
			if (last == UINT64_MAX)
				break;
		}
		map->section->unlock();
	} while (!error && last != UINT64_MAX);
	return error;
}
