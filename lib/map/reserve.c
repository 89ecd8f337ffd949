/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for room: the reclaimer's turns answer the wishes (map/resize.c). */
#include <errno.h>

#include "map/map.h"
#include "map/options.h"
#include "map/reclaimer.h"

static void add_wish(struct reclaimer *reclaimer, struct reclaimer_wish *wish)
{
	wish->next = reclaimer->wishes;
	reclaimer->wishes = wish;
}

static void drop_wish(struct reclaimer *reclaimer, struct reclaimer_wish *wish)
{
	struct reclaimer_wish **link = &reclaimer->wishes;

	while (*link != wish)
		link = &(*link)->next;
	*link = wish->next;
}

/* Wait until the table has that size, or the reclaimer has failed to make it grow. */
static int wait_for_size(struct reclaimer *reclaimer, unsigned size)
{
	struct reclaimer_wish wish = { .size = size };

	pthread_mutex_lock(&reclaimer->lock);
	add_wish(reclaimer, &wish);
	wake_signal(&reclaimer->wake);
	while (!wish.error && reclaimer->size_now < size)
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
	drop_wish(reclaimer, &wish);
	if (reclaimer->size_now >= size) {
		wish.error = 0;
		if (reclaimer->size_min < size)
			reclaimer->size_min = size;
	}
	pthread_mutex_unlock(&reclaimer->lock);
	return wish.error;
}

int rcumap_reserve(struct rcumap *map, uint64_t capacity)
{
	bool paused;

	if (!map || capacity > RCUMAP_CAPACITY_MAX)
		return -EINVAL;
	map_assert_alive(map);

	unsigned size = table_size_for(options_cut(capacity, map->eviction.entries.limit));
	int error = reclaimer_leave_section(map, &paused);

	if (error)
		return error;
	/* Each step on the way might be granted, and fill the machine, before the last is refused. */
	if (map->reclaimer.orphaned)
		error = -EAGAIN;
	else
		error = table_could_have(&map->tables, size) ? wait_for_size(&map->reclaimer, size) : -ENOMEM;
	map->section->resume(paused);
	return error;
}
