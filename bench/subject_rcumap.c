/* SPDX-License-Identifier: BSD-2-Clause */
/* librcumap with its defaults, once per flavor. */
#include "subject.h"

#include "clock.h"
#include "flavor.h"
#include "protocol/load.h"
#include "rcumap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Slots of a fresh map with these options: the same for all. Written by create(), before any thread works on a map. */
static uint64_t first_slots;

static void *create(enum flavor flavor)
{
	struct rcumap_options options = { .size = sizeof options, .flavor = flavor_rcu(flavor) };
	struct rcumap_stats stats;
	struct rcumap *map;

	if (rcumap_create(&map, &options) != 0)
		return NULL;
	rcumap_stats(map, &stats, sizeof stats);
	first_slots = stats.table_slots;
	return map;
}

static void destroy(void *map, enum flavor flavor)
{
	flavor_register(flavor);
	rcumap_destroy(map);
	flavor_unregister(flavor);
}

/* The newest table is the only one in use: as many steps up the ladder as have been taken. And it is large enough: or the next one is being
 * prepared. */
static bool has_one_table(void *map)
{
	struct rcumap_stats stats;
	unsigned size = SIZE_FIRST;

	rcumap_stats(map, &stats, sizeof stats);
	while (load_slots(size) < first_slots)
		size++;
	size += (unsigned)(stats.grown - stats.shrunk);
	return stats.table_slots == load_slots(size) && !load_must_grow(stats.entries, size);
}

/* After the first barrier the reclaimer has been round once: a table that must grow has begun to. After the last one the
 * old table is given back. */
static void settle(void *map, enum flavor flavor)
{
	flavor_register(flavor);
	rcumap_barrier(map);
	while (!has_one_table(map)) {
		flavor_offline(flavor);
		sleep_ns(1000000);
		flavor_online(flavor);
	}
	rcumap_barrier(map);
	flavor_unregister(flavor);
}

static int get(void *map, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	return rcumap_get(map, key, key_size, buffer, buffer_size, value_size, NULL);
}

static int reserve(void *map, uint64_t pairs)
{
	return rcumap_reserve(map, pairs);
}

static size_t get_batch(void *map, size_t n, const void *const key[], size_t key_size, void *const buffer[], size_t buffer_size,
			size_t value_size[])
{
	struct rcumap_key keys[SUBJECT_BATCH];
	struct rcumap_copy copies[SUBJECT_BATCH];
	size_t there, i = 0;

	if (n == 0 || n > SUBJECT_BATCH)
		return 0;
	do {
		keys[i] = (struct rcumap_key){ key[i], key_size };
		copies[i] = (struct rcumap_copy){ .buffer = buffer[i], .buffer_size = buffer_size };
	} while (++i < n);
	there = rcumap_get_batch(map, keys, n, copies);
	for (i = 0; i < n; i++)
		value_size[i] = copies[i].result == 0 ? copies[i].value_size : SIZE_MAX;
	return there;
}

static int put(void *map, const void *key, size_t key_size, const void *value, size_t value_size)
{
	return rcumap_put(map, key, key_size, value, value_size, RCUMAP_TTL_DEFAULT, NULL);
}

static int put_for(void *map, const void *key, size_t key_size, const void *value, size_t value_size, uint64_t ttl_ms)
{
	return rcumap_put(map, key, key_size, value, value_size, ttl_ms, NULL);
}

static int remove_key(void *map, const void *key, size_t key_size)
{
	return rcumap_delete(map, key, key_size);
}

static uint64_t count(void *map)
{
	return rcumap_count(map);
}

static uint64_t memory(void *map)
{
	struct rcumap_stats stats;

	return rcumap_stats(map, &stats, sizeof stats) == 0 ? stats.memory_bytes : 0;
}

static struct subject_books books(void *map)
{
	struct rcumap_stats s;

	rcumap_stats(map, &s, sizeof s);
	return (struct subject_books){ .inserted = s.inserted,
				       .replaced = s.replaced,
				       .deleted = s.deleted,
				       .expired = s.expired,
				       .left = s.entries,
				       .reclaimed = s.reclaimed };
}

static struct subject_fill fill(void *map)
{
	struct rcumap_stats s;

	rcumap_stats(map, &s, sizeof s);
	return (struct subject_fill){ .slots = (double)s.entries / (double)s.table_slots,
				      .overflow = (double)s.overflow_lines * LINE_SLOTS / (double)s.table_slots };
}

/* The value is copied out of the entry, as rcumap_get() does. */
static int find(void *map, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	const struct rcumap_entry *entry = rcumap_find(map, key, key_size);

	if (!entry)
		return -ENOENT;
	*value_size = rcumap_entry_value_size(entry);
	if (*value_size > buffer_size)
		return -ENOBUFS;
	memcpy(buffer, rcumap_entry_value(entry), *value_size);
	return 0;
}

/* clang-format off */
#define RCUMAP_SUBJECT(name_, flavor_)                                                                   \
	static void *create_##name_(uint64_t pairs) { (void)pairs; return create(flavor_); }             \
	static void destroy_##name_(void *map) { destroy(map, flavor_); }                                \
	static void settle_##name_(void *map) { settle(map, flavor_); }                                  \
	static void enter_##name_(void) { flavor_register(flavor_); }                                    \
	static void leave_##name_(void) { flavor_unregister(flavor_); }                                  \
	static void pause_##name_(void) { flavor_quiescent(flavor_); }                                   \
	static void begin_##name_(void) { rcumap_read_lock_##name_(); }                                  \
	static void end_##name_(void) { rcumap_read_unlock_##name_(); }                                  \
	const struct subject subject_rcumap_##name_ = {                                                  \
		.name = "rcumap-" #name_, .what = "librcumap, flavor " #name_ ", defaults otherwise",     \
		.create = create_##name_, .destroy = destroy_##name_, .settle = settle_##name_,          \
		.thread_enter = enter_##name_, .thread_leave = leave_##name_, .thread_pause = pause_##name_, \
		.section_begin = begin_##name_, .section_end = end_##name_,                                     \
		.reserve = reserve, .get = get, .get_batch = get_batch, .put = put, .put_for = put_for,              \
		.remove = remove_key, .count = count, .memory = memory, .books = books, .fill = fill,                          \
	};                                                                                               \
	static void enter_section_##name_(void) { flavor_register(flavor_); rcumap_read_lock_##name_(); }            \
	static void leave_section_##name_(void) { rcumap_read_unlock_##name_(); flavor_unregister(flavor_); }        \
	static void pause_section_##name_(void)                                                          \
	{                                                                                                \
		rcumap_read_unlock_##name_();                                                            \
		flavor_quiescent(flavor_);                                                               \
		rcumap_read_lock_##name_();                                                              \
	}                                                                                                \
	const struct subject subject_find_##name_ = {                                                    \
		.name = "find-" #name_, .what = "librcumap, flavor " #name_ ", find in the caller's section",      \
		.create = create_##name_, .destroy = destroy_##name_, .settle = settle_##name_,          \
		.thread_enter = enter_section_##name_, .thread_leave = leave_section_##name_,                    \
		.thread_pause = pause_section_##name_, .reserve = reserve, .get = find, .put = put, .put_for = put_for, \
		.remove = remove_key, .count = count, .memory = memory, .books = books, .fill = fill,                          \
	}
/* clang-format on */

RCUMAP_SUBJECT(bp, FLAVOR_BP);
RCUMAP_SUBJECT(memb, FLAVOR_MEMB);
RCUMAP_SUBJECT(qsbr, FLAVOR_QSBR);
