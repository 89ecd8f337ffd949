/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's callback for removed entries: whom the reclaimer tells before it gives an entry back. On the reclaimer's
 * thread alone, outside any section, with nothing held; while the map is closing, too.
 */
#ifndef RCUMAP_REMOVED_H
#define RCUMAP_REMOVED_H

#include "map/map.h"

/* Is there a callback? */
static inline bool removed_is_told(const struct rcumap *map)
{
	return map->removed != NULL;
}

/* An entry whose grace period has passed. Does nothing without a callback. */
void removed_tell(struct rcumap *map, const struct rcumap_entry *entry, enum rcumap_reason reason);

/* At the end of a map that is closing: every entry that is still in it, and stays there until all have been told. */
void removed_tell_remaining(struct rcumap *map);

#endif
