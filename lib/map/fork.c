/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/fork.h"

#include <assert.h>

#include "map/expiry.h"
#include "map/flight.h"
#include "map/reclaimer.h"
#include "section/bp.h"
#include "section/watch.h"

/* All under `lock`, which the forking thread holds across fork(). */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rcumap *maps;
	unsigned turns; /* under way */
	bool forking; /* no turn begins */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool is_ours(const struct rcumap *map)
{
	return map->section == &section_bp;
}

void fork_enlist(struct rcumap *map)
{
	if (!is_ours(map))
		return;
	pthread_mutex_lock(&registry.lock);
	map->next = registry.maps;
	if (map->next)
		map->next->link = &map->next;
	map->link = &registry.maps;
	registry.maps = map;
	pthread_mutex_unlock(&registry.lock);
}

void fork_delist(struct rcumap *map)
{
	if (!is_ours(map))
		return;
	pthread_mutex_lock(&registry.lock);
	*map->link = map->next;
	if (map->next)
		map->next->link = map->link;
	pthread_mutex_unlock(&registry.lock);
}

/* ------------------------------------------------------------------ turns */

void fork_turn_begin(struct rcumap *map)
{
	if (!is_ours(map))
		return;
	pthread_mutex_lock(&registry.lock);
	while (registry.forking)
		pthread_cond_wait(&registry.changed, &registry.lock);
	registry.turns++;
	pthread_mutex_unlock(&registry.lock);
	map->reclaimer.in_turn = true;
}

void fork_turn_end(struct rcumap *map)
{
	if (!is_ours(map))
		return;
	map->reclaimer.in_turn = false;
	pthread_mutex_lock(&registry.lock);
	if (--registry.turns == 0 && registry.forking)
		pthread_cond_broadcast(&registry.changed);
	pthread_mutex_unlock(&registry.lock);
}

bool fork_turn_leave(struct rcumap *map)
{
	bool left = map->reclaimer.in_turn;

	if (left)
		fork_turn_end(map);
	return left;
}

void fork_turn_enter_again(struct rcumap *map, bool left)
{
	if (left)
		fork_turn_begin(map);
}

/* ------------------------------------------------------------------ around fork() */

void rcumap_before_fork(void)
{
	assert(!section_bp.inside());
	urcu_bp_before_fork();
	pthread_mutex_lock(&registry.lock);
	registry.forking = true;
	while (registry.turns)
		pthread_cond_wait(&registry.changed, &registry.lock);
	for (struct rcumap *map = registry.maps; map; map = map->next) {
		pthread_mutex_lock(&map->reclaimer.lock);
		expiry_lock(map); /* a writer who helps waits for nobody */
	}
	flight_before_fork();
	grace_before_fork(&section_bp);
}

void rcumap_after_fork_parent(void)
{
	grace_after_fork_parent(&section_bp);
	flight_after_fork_parent();
	for (struct rcumap *map = registry.maps; map; map = map->next) {
		expiry_unlock(map);
		pthread_mutex_unlock(&map->reclaimer.lock);
	}
	registry.forking = false;
	pthread_cond_broadcast(&registry.changed);
	pthread_mutex_unlock(&registry.lock);
	urcu_bp_after_fork_parent();
}

void rcumap_after_fork_child(void)
{
	urcu_bp_after_fork_child();
	watch_after_fork_child();
	grace_after_fork_child(&section_bp);
	flight_after_fork_child();
	for (struct rcumap *map = registry.maps; map; map = map->next) {
		reclaimer_adopt(map);
		expiry_unlock(map);
		pthread_mutex_unlock(&map->reclaimer.lock);
	}
	/* Those who start now begin their first turn when all are there: callbacks may create maps. */
	for (struct rcumap *map = registry.maps; map; map = map->next)
		(void)reclaimer_start(map);
	registry.turns = 0; /* a callback that was under way had left its turn */
	registry.forking = false;
	pthread_cond_init(&registry.changed, NULL); /* those who waited are gone */
	pthread_mutex_unlock(&registry.lock);
}
