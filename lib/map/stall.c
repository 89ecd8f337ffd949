/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/stall.h"

#include "section/watch.h"

#define NS_PER_MS UINT64_C(1000000)

static void report(struct rcumap *map, uint64_t now_ns, uint64_t age_ns)
{
	/* Who entered while the grace period was beginning is waited for, too; who entered long after is innocent. */
	struct rcumap_stall stall = {
		.age_ms = age_ns / NS_PER_MS,
		.bytes = map_retired_bytes(map),
		.thread = watch_longest(map->section->flavor, now_ns - age_ns / 2),
	};

	if (!map->stalled)
		return;
	/* The callback may call the map. */
	map->section->resume(map->reclaimer.paused);
	map->stalled(map->stalled_ctx, &stall);
	map->reclaimer.paused = map->section->pause();
}

void stall_turn(struct rcumap *map, uint64_t *sleep_ns)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	uint64_t look_ns = map->stall_ns, since_ns, now_ns, age_ns;

	if (!reclaimer->batch_waits || reclaimer->batch_passed)
		return;
	since_ns = grace_since_ns(&reclaimer->grace);
	if (since_ns) {
		now_ns = clock_system_ns(CLOCK_MONOTONIC);
		age_ns = now_ns - since_ns;
		if (reclaimer->stall_since_ns != since_ns) {
			reclaimer->stall_since_ns = since_ns;
			reclaimer->stall_due_ns = map->stall_ns;
		}
		if (age_ns >= reclaimer->stall_due_ns) {
			if (reclaimer->stall_due_ns == map->stall_ns)
				atomic_fetch_add_explicit(&reclaimer->stalls, 1, memory_order_relaxed); /* a statistic */
			reclaimer->stall_due_ns = 2 * age_ns;
			report(map, now_ns, age_ns);
		}
		look_ns = reclaimer->stall_due_ns - age_ns;
	}
	if (*sleep_ns > look_ns)
		*sleep_ns = look_ns;
}

uint64_t stall_ms(const struct rcumap *map)
{
	uint64_t since_ns = grace_since_ns(&map->reclaimer.grace);
	uint64_t age_ns = since_ns ? clock_system_ns(CLOCK_MONOTONIC) - since_ns : 0;

	return age_ns >= map->stall_ns ? age_ns / NS_PER_MS : 0;
}
