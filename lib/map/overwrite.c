/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/overwrite.h"

#include <errno.h>

#include "map/evict.h"

void overwrite_init(struct rcumap *map)
{
	const bool slab = memory_needs_section(&map->memory, SLAB_BLOCK_MAX);

	/* With a limit there is more to be counted and marked; larger ones are built outside of the section. */
	if (evict_is_on(map))
		return;
	map->overwrite.size_max = slab ? SLAB_BLOCK_MAX : BUILD_OUTSIDE_MIN - 1;
	map->overwrite.small = slab && !map->tables.hash.fn;
}

int overwrite_refused(struct rcumap *map, int error)
{
	if (error == -ENOMEM)
		wake_signal(&map->reclaimer.wake);
	return error;
}
