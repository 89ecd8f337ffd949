/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ground/random.h"
#include "map/evict.h"
#include "map/expiry.h"
#include "map/fork.h"
#include "map/map.h"
#include "map/options.h"
#include "map/overwrite.h"
#include "map/reclaimer.h"
#include "map/spare.h"
#include "map/verbs.h"
#include "protocol/migrate.h"

/* ------------------------------------------------------------------ use after destroy */

#ifdef RCUMAP_DEBUG

#define DESTROYED_KEPT 8u

/* The maps destroyed last. */
static _Atomic(const struct rcumap *) destroyed[DESTROYED_KEPT];
static _Atomic unsigned destroyed_next;

static void note_destroyed(const struct rcumap *map)
{
	/* relaxed: a report of misuse may be missed, never wrong */
	unsigned i = atomic_fetch_add_explicit(&destroyed_next, 1, memory_order_relaxed) % DESTROYED_KEPT;

	atomic_store_explicit(&destroyed[i], map, memory_order_relaxed);
}

/* The allocator gave the address of a destroyed map to a new one. */
static void note_created(const struct rcumap *map)
{
	for (unsigned i = 0; i < DESTROYED_KEPT; i++) {
		const struct rcumap *expected = map;

		atomic_compare_exchange_strong_explicit(&destroyed[i], &expected, NULL, memory_order_relaxed,
							memory_order_relaxed);
	}
}

void map_assert_alive(const struct rcumap *map)
{
	for (unsigned i = 0; i < DESTROYED_KEPT; i++)
		if (atomic_load_explicit(&destroyed[i], memory_order_relaxed) == map) {
			assert(false && "a map was used after rcumap_destroy()");
			abort();
		}
}

#else

static void note_destroyed(const struct rcumap *map)
{
	(void)map;
}

static void note_created(const struct rcumap *map)
{
	(void)map;
}

#endif

/* ------------------------------------------------------------------ creation */

/* What the allocator may add to the map itself. */
#define ROOT_SLACK 512u

static int alloc_map(const struct rcumap_allocator *allocator, struct rcumap **map)
{
	void *p = NULL;
	int error = memory_alloc_root(allocator, sizeof **map, _Alignof(struct rcumap), &p);

	if (error)
		return error;
	*map = p;
	memset(*map, 0, sizeof **map);
	memory_init(&(*map)->memory, allocator);
	return 0;
}

static void free_map(struct rcumap *map)
{
	const struct rcumap_allocator user = map->memory.outside.user;

	memory_fini(&map->memory);
	memory_free_root(&user, map, sizeof *map);
}

static void limit_bytes(struct rcumap *map, uint64_t max_bytes)
{
	struct budget *budget = &map->memory.budget;

	memory_limit(&map->memory, max_bytes, sizeof *map + ROOT_SLACK, LOG_BLOCK_BYTES(0), LOG_CELLS);
	log_init(&map->retire.log, MEMORY_RECORD, budget->record_cells);
	log_init(&map->expiry.log, MEMORY_STRUCTURE, budget->record_cells);
}

int map_new(struct rcumap **created, const struct rcumap_options *options)
{
	struct map_settings settings;
	struct rcumap *map = NULL;
	int error = options_check(options, &settings);

	if (!error)
		error = alloc_map(&settings.allocator, &map);
	if (error)
		return error;

	struct hash hash = hash_with(settings.hash, settings.hash_ctx, random_seed());

	note_created(map);
	map->section = settings.section;
	map->verbs = verbs_of(settings.section);
	map->clock = settings.clock;
	map->default_ttl_ms = settings.default_ttl_ms;
	map->removed = settings.removed;
	map->removed_ctx = settings.removed_ctx;
	map->stalled = settings.stalled;
	map->stalled_ctx = settings.stalled_ctx;
	map->stall_ns = settings.stall_ms * 1000000; /* RCUMAP_TTL_MAX fits twice */
	reclaimer_init(map);
	map->reclaimer.size_min = map->reclaimer.size_now = settings.table_size;
	if (settings.max_bytes) {
		limit_bytes(map, settings.max_bytes);
		spare_init(map, settings.wait_ms);
	}
	if (settings.max_entries || settings.max_bytes)
		evict_init(map, settings.max_entries);
	/* Told of in its callback, or from an allocator that keeps its own notes beside a block. */
	if (map->removed || settings.max_bytes || map->memory.outside.user.alloc)
		retire_must_be_read(&map->retire);
	expiry_init(map);
	error = tables_init(&map->tables, &map->memory, &hash, settings.table_size,
			    evict_is_on(map)); /* alone: no section is needed */
	if (error) {
		reclaimer_fini(map);
		free_map(map);
		return error;
	}
	map->short_keys = map->section->is_quick() ? hash.short_keys : 0;
	overwrite_init(map);
	*created = map;
	return 0;
}

int rcumap_create(struct rcumap **created, const struct rcumap_options *options)
{
	struct rcumap *map;

	if (!created)
		return -EINVAL;

	int error = map_new(&map, options);

	if (error)
		return error;
	error = reclaimer_start(map);
	if (error) {
		map_free(map);
		return error;
	}
	fork_enlist(map);
	*created = map;
	return 0;
}

/* ------------------------------------------------------------------ destruction */

static void each_word_of(const struct line *line, void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	for (; line; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i);

			if (slot_has_entry(word))
				visit(ctx, word);
		}
}

/* Left FROZEN by a thread that a fork() has ended, or one that had no memory. Its group is asked for once, at its first bucket, the first to be
 * frozen and to be MIGRATED: if that stays FROZEN, for there is still no memory, all words are visited where they are, and none must come
 * into the next table after that. If it is MIGRATED all words are in the next table, and the others need no memory to follow. */
static bool may_migrate(const struct table *table, uint64_t index)
{
	const uint64_t first = index - index % size_group_of(table->size, table_next(table)->size);

	return index == first || ctl_load(&table->lines[first]) != CTL_FROZEN;
}

static void each_word_at(struct rcumap *map, struct table *table, uint64_t index,
			 void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	struct line *line = &table->lines[index];
	uint64_t ctl = ctl_load(line);

	if (ctl == CTL_FROZEN && may_migrate(table, index))
		(void)migrate_bucket(&map->tables, table, size_first_hash(table_buckets(table), index));
	if (ctl_is_busy(ctl))
		bucket_help(&map->tables, table, line, ctl);
	ctl = ctl_load(line);
	/* A bucket that migrated lives on in the next table; one that is being filled still in the one before. */
	if (ctl != CTL_MIGRATED && ctl != CTL_INIT)
		each_word_of(line, visit, ctx);
}

void map_each_word(struct rcumap *map, void (*visit)(void *ctx, uint64_t word), void *ctx)
{
	for (struct table *table = tables_current(&map->tables); table; table = table_next(table))
		for (uint64_t i = 0; i < table_buckets(table); i++)
			each_word_at(map, table, i, visit, ctx);
}

static void free_entry(void *ctx, uint64_t word)
{
	struct rcumap *map = ctx;
	struct rcumap_entry *entry = slot_entry(word);

	memory_abandon(&map->memory, entry, entry_size_of(entry));
}

void map_free(struct rcumap *map)
{
	note_destroyed(map);
	/* Entries in the slab go with it. */
	if (memory_has_large(&map->memory))
		map_each_word(map, free_entry, map);
	expiry_fini(map);
	tables_fini(&map->tables, &map->reclaimer.freer);
	slab_flush(&map->memory.slab, &map->reclaimer.freer);
	reclaimer_fini(map);
	free_map(map);
}

int rcumap_destroy(struct rcumap *map)
{
	if (!map)
		return 0;
	map_assert_alive(map);

	const struct section_ops *section = map->section;
	bool paused;
	int error = reclaimer_leave_section(map, &paused);

	if (error)
		return error;
	error = reclaimer_close(map);
	if (!error) {
		fork_delist(map);
		reclaimer_stop(map);
		map_free(map);
	}
	section->resume(paused);
	return error;
}
