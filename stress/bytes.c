/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As limit.c, in a map with a limit on bytes; in every other round a reader stays in his section for half of it, and then memory runs
 * out.
 *
 *     at no instant more is accounted for than the limit, nor more allocated (where the run's allocator counts)
 *     a store may be refused then, or wait; a delete never is, and what is found is whole (actor.c, cache.h)
 *     when he has left all goes on: the map can be filled until a store evicts, with entries that make up most of the limit
 */
#include "actor.h"
#include "cache.h"
#include "counting.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>

#define LIMIT (UINT64_C(2) << 20)
#define KEYS 65536u
#define WAIT_MS 20u
/* Of the limit entries have so much, at least, when the map is full. */
#define ENTRIES_PART 3u
#define REFUSED_NS_MAX UINT64_C(60000000000)

static void check_limit(const struct run *run)
{
	struct rcumap_stats stats = run_stats(run, run->map);
	/* relaxed: any moment is as good. */
	int64_t allocated = run->counting ? atomic_load_explicit(&run->counting->bytes, memory_order_relaxed) : 0;

	if (stats.accounted_bytes > LIMIT || allocated > (int64_t)LIMIT)
		violation(run, "%ju bytes are accounted for, and %jd allocated, at most %ju may be",
			  (uintmax_t)stats.accounted_bytes, (intmax_t)allocated, (uintmax_t)LIMIT);
}

static void watch(struct actor *me)
{
	while (!actor_stopping(me)) {
		check_limit(me->run);
		actor_turn_reading(me);
	}
}

/* Nobody stays in a section: who is refused now waits in vain for somebody who has gone. */
static void store_at_last(struct actor *outer, uint64_t key)
{
	uint64_t end = now_ns() + REFUSED_NS_MAX;

	while (actor_store(outer, outer->run->map, VERB_ADD, key, cache_next_number(outer->run->ctx, key), 0, NULL) ==
	       -ENOSPC)
		if (now_ns() > end)
			violation(outer->run, "key %ju is refused, though nobody is in a section", (uintmax_t)key);
}

static void check_room(struct actor *outer)
{
	struct run *run = outer->run;
	struct rcumap_stats stats = run_stats(run, run->map);
	const uint64_t evicted = stats.evicted;

	for (uint64_t key = 0; stats.evicted == evicted; key++) {
		if (key == KEYS)
			violation(run, "%u keys were stored, and none was evicted", KEYS);
		store_at_last(outer, key);
		stats = run_stats(run, run->map);
		flavor_quiescent(run->flavor);
	}
	actor_demand(outer, "barrier", 0, rcumap_barrier(run->map), 0);
	stats = run_stats(run, run->map);
	if (stats.entry_bytes < LIMIT / ENTRIES_PART)
		violation(run,
			  "a store has evicted an entry though there were %ju bytes of them, and %ju reserved, of %ju",
			  (uintmax_t)stats.entry_bytes, (uintmax_t)stats.reserved_bytes, (uintmax_t)LIMIT);
	check_limit(run);
}

void bytes_play(struct run *run)
{
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, cache_read },
					{ "writer", (unsigned)run->settings->writers, cache_write },
					{ "stalled", 1, cache_stay },
					{ "watcher", 1, watch } },
			     .may_refuse = true,
			     .universe = KEYS,
			     .check = check_room };

	run->ctx = cache_new(run, KEYS);
	run->map = run_create(run, (struct rcumap_options){ .max_bytes = LIMIT, .wait_ms = WAIT_MS });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	cache_free(run->ctx);
}
