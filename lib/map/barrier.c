/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "map/map.h"
#include "map/reclaimer.h"

int rcumap_barrier(struct rcumap *map)
{
	bool paused;

	if (!map)
		return -EINVAL;
	map_assert_alive(map);

	int error = reclaimer_leave_section(map, &paused);

	if (error)
		return error;

	struct reclaimer *reclaimer = &map->reclaimer;

	if (reclaimer->orphaned) {
		map->section->resume(paused);
		return -EAGAIN;
	}

	/* [WANTED release] pairs with [WANTED acquire] in reclaimer_take(). */
	uint64_t mine = atomic_fetch_add_explicit(&reclaimer->barriers_wanted, 1, memory_order_acq_rel) + 1;

	wake_signal(&reclaimer->wake);
	grace_hasten(&reclaimer->grace);
	pthread_mutex_lock(&reclaimer->lock);
	/* [DONE acquire] pairs with [DONE release] in reclaimer_give_back(). */
	while (atomic_load_explicit(&reclaimer->barriers_done, memory_order_acquire) < mine)
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
	pthread_mutex_unlock(&reclaimer->lock);
	map->section->resume(paused);
	return 0;
}
