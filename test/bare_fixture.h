/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file bare_fixture.h
 * Maps without a reclaimer: the test does its work, when it wants to. As long as it is the only thread it needs no grace period.
 */
#ifndef BARE_FIXTURE_H
#define BARE_FIXTURE_H

#include "allocator_fixture.h"

#include "map/reclaim.h"
#include "map/reclaimer.h"
#include "map/resize.h"

/* A map of the turn's flavor, with `options` for the rest; NULL: defaults. */
static inline struct rcumap *bare_map(const struct rcumap_options *options)
{
	struct rcumap_options o;
	struct rcumap *map = NULL;

	memset(&o, 0, sizeof o);
	if (options)
		o = *options;
	o.size = sizeof o;
	o.flavor = flavor_rcu(fixture_flavor);
	if (map_new(&map, &o) != 0)
		bail("map_new");
	return map;
}

/* With room for `capacity` entries; on `allocator`, which is fresh then, if that is not NULL. */
static inline struct rcumap *bare_map_on(struct fault_allocator *allocator, uint64_t capacity)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.capacity = capacity;
	if (allocator) {
		fault_init(allocator);
		options.allocator = fault_allocator(allocator);
	}
	return bare_map(&options);
}

/* Take and give back until nothing is left. Outside sections. */
static inline void bare_reclaim(struct rcumap *map)
{
	while (reclaimer_take(map))
		(void)reclaimer_give_back(map);
	(void)reclaimer_give_back(map);
}

static inline void bare_destroy(struct rcumap *map)
{
	bare_reclaim(map);
	map_free(map);
}

/* Grow and shrink until the table fits. */
static inline void bare_resize(struct rcumap *map)
{
	while (reclaimer_resize(map))
		;
}

static inline unsigned bare_size(const struct rcumap *map)
{
	return tables_current(&map->tables)->size;
}

#endif
