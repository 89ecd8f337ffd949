/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "map/expiry.h"
#include "map/map.h"
#include "map/stall.h"
#include "protocol/load.h"

/* The sums of the stripes. */
struct totals {
	uint64_t inserted, replaced, deleted, expired, evicted, placeholders, retired_bytes, expiring, held_entries, held_bytes;
};

static struct totals add_up(const struct rcumap *map)
{
	struct totals totals = { 0 };
	unsigned stripes = stripe_used();

	for (unsigned s = 0; s < stripes; s++) {
		struct map_stripe *stripe = &((struct rcumap *)map)->stripe[s];

		/* relaxed: statistics. `deleted` first: what was deleted had been inserted before, so entries do not
		 * look negative while one thread works; with several they may, see entries_of(). */
		totals.deleted += atomic_load_explicit(&stripe->deleted, memory_order_relaxed);
		totals.evicted += atomic_load_explicit(&stripe->evicted, memory_order_relaxed);
		totals.expired += atomic_load_explicit(&stripe->expired, memory_order_relaxed);
		totals.placeholders -= atomic_load_explicit(&stripe->placeholders_gone, memory_order_relaxed);
		totals.placeholders += atomic_load_explicit(&stripe->placeholders, memory_order_relaxed);
		totals.retired_bytes += atomic_load_explicit(&stripe->retired_bytes, memory_order_relaxed);
		totals.expiring += atomic_load_explicit(&stripe->expiring, memory_order_relaxed);
		totals.held_entries += atomic_load_explicit(&stripe->held_entries, memory_order_relaxed);
		totals.held_bytes += atomic_load_explicit(&stripe->held_bytes, memory_order_relaxed);
		totals.replaced += atomic_load_explicit(&stripe->replaced, memory_order_relaxed);
		totals.inserted += atomic_load_explicit(&stripe->inserted, memory_order_relaxed);
	}
	return totals;
}

/* One thread inserts, another deletes, and their stripes are read one after the other: never below zero, nor above the limit.
 * Who is held up meanwhile sees what came later, and not what was evicted for it, and would let the table grow. */
static uint64_t entries_of(const struct rcumap *map, const struct totals *totals)
{
	const uint64_t removed = totals->deleted + totals->expired + totals->evicted, limit = map->eviction.entries.limit;
	const uint64_t entries = totals->inserted > removed ? totals->inserted - removed : 0;

	return limit && entries > limit ? limit : entries;
}

/* A sum of what goes up on one stripe and down on another. */
static uint64_t not_negative(uint64_t sum)
{
	return (int64_t)sum > 0 ? sum : 0;
}

uint64_t map_count(const struct rcumap *map)
{
	struct totals totals = add_up(map);

	return entries_of(map, &totals);
}

uint64_t map_occupied(const struct rcumap *map)
{
	struct totals totals = add_up(map);

	return entries_of(map, &totals) + not_negative(totals.placeholders);
}

uint64_t map_expiring(const struct rcumap *map)
{
	struct totals totals = add_up(map);

	return not_negative(totals.expiring);
}

bool map_holds(const struct rcumap *map)
{
	struct totals totals = add_up(map);

	return not_negative(totals.held_entries) != 0;
}

static uint64_t relaxed(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_relaxed); /* a statistic */
}

uint64_t map_retired_bytes(const struct rcumap *map)
{
	/* First, or more might seem reclaimed than was ever retired. */
	uint64_t reclaimed = relaxed(&map->reclaimer.reclaimed_bytes);
	struct totals totals = add_up(map);

	return not_negative(totals.retired_bytes - reclaimed);
}

void map_adopt_retired(struct rcumap *map, uint64_t entries, uint64_t bytes)
{
	struct totals totals = add_up(map);

	/* relaxed: nobody else is there */
	atomic_store_explicit(&map->reclaimer.reclaimed, totals.replaced + totals.deleted + totals.expired + totals.evicted -
				      entries,
			      memory_order_relaxed);
	atomic_store_explicit(&map->reclaimer.reclaimed_bytes, totals.retired_bytes - bytes, memory_order_relaxed);
}

uint64_t rcumap_count(const struct rcumap *map)
{
	if (!map)
		return 0;
	map_assert_alive(map);
	return map_count(map);
}

static void add_tables(const struct rcumap *map, struct rcumap_stats *stats)
{
	map->section->lock();

	const struct table *ahead = tables_ahead(&map->tables);

	for (struct table *table = tables_current(&map->tables); table; table = table_next(table)) {
		if (table == ahead)
			ahead = NULL; /* it was taken and is in use by now */
		stats->table_bytes += table_bytes(table);
		stats->overflow_lines += table_overflow_lines(table);
		stats->table_slots = load_slots(table->size);
	}
	if (ahead)
		stats->table_bytes += table_bytes(ahead);
	map->section->unlock();
}

static void add_budget(const struct rcumap *map, struct rcumap_stats *stats)
{
	const struct budget *budget = &map->memory.budget;

	stats->refused = relaxed(&map->spare.refused);
	stats->waited = relaxed(&map->spare.waited);
	if (!budget_is_on(budget))
		return;
	stats->accounted_bytes = budget_accounted(budget);
	stats->reserved_bytes = not_negative(stats->accounted_bytes - stats->memory_bytes);
	stats->entry_bytes = budget_entries(budget);
}

int rcumap_stats(const struct rcumap *map, struct rcumap_stats *stats, size_t size)
{
	if (!map || !stats || !size)
		return -EINVAL;
	map_assert_alive(map);

	const struct reclaimer *reclaimer = &map->reclaimer;
	struct rcumap_stats now = { 0 };
	/* Before the totals, or more might seem reclaimed than was ever retired. */
	uint64_t reclaimed = relaxed(&reclaimer->reclaimed);
	uint64_t reclaimed_bytes = relaxed(&reclaimer->reclaimed_bytes);
	struct totals totals = add_up(map);
	uint64_t retired = totals.replaced + totals.deleted + totals.expired + totals.evicted;

	now.entries = entries_of(map, &totals);
	now.inserted = totals.inserted;
	now.replaced = totals.replaced;
	now.deleted = totals.deleted;
	now.reclaimed = reclaimed;
	now.retired_pending = retired > reclaimed ? retired - reclaimed : 0;
	now.expired = totals.expired;
	now.evicted = totals.evicted;
	now.expiring = not_negative(totals.expiring);
	now.hints = expiry_hints(map);
	now.hint_bytes = expiry_bytes(map);
	now.retired_bytes = not_negative(totals.retired_bytes - reclaimed_bytes);
	now.held_entries = not_negative(totals.held_entries);
	now.held_bytes = not_negative(totals.held_bytes);
	now.memory_bytes = memory_bytes(&map->memory) + sizeof *map;
	add_budget(map, &now);
	now.grown = relaxed(&map->tables.grown);
	now.shrunk = relaxed(&map->tables.shrunk);
	now.growth_failed = relaxed(&reclaimer->growth_failed);
	now.grace_periods = relaxed(&reclaimer->grace_periods);
	now.stalls = relaxed(&reclaimer->stalls);
	now.stalled_ms = stall_ms(map);
	add_tables(map, &now);

	memset(stats, 0, size);
	memcpy(stats, &now, size < sizeof now ? size : sizeof now);
	return 0;
}
