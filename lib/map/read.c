/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/read.h"

#include <errno.h>

#include "map/verbs.h"

#define READ_OUT_OF_LINE __attribute__((noinline))

READ_OUT_OF_LINE const struct rcumap_entry *read_again(const struct rcumap *map, const void *key, size_t key_size,
						       uint64_t now_us)
{
	const struct rcumap_entry *entry =
		bucket_find(&map->tables, hash_key(&map->tables.hash, key, key_size), key, key_size);
	struct read_moment moment = { true, now_us };

	return entry && read_is_alive_at(map, entry, &moment) ? entry : NULL;
}

READ_OUT_OF_LINE const struct rcumap_entry *read_judge(const struct rcumap *map, const struct rcumap_entry *entry,
						       const void *key, size_t key_size)
{
	const uint64_t now_us = clock_coarse_us(&map->clock);

	if (__builtin_expect(deadline_has_passed(entry_deadline(entry), now_us), 0))
		entry = read_again(map, key, key_size, now_us);
	if (entry)
		entry_warm(entry);
	return entry;
}

READ_OUT_OF_LINE const struct rcumap_entry *read_find_any(const struct rcumap *map, const void *key, size_t key_size)
{
	const uint64_t hash = hash_key(&map->tables.hash, key, key_size);

	return read_found(map, bucket_find(&map->tables, hash, key, key_size), key, key_size);
}

READ_QUICK const struct rcumap_entry *rcumap_find(const struct rcumap *map, const void *key, size_t key_size)
{
	if (!map || !read_key_valid(key, key_size))
		return NULL;
	map_assert_alive(map);
	return read_find(map, key, key_size);
}

int rcumap_get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version)
{
	if (!map)
		return -EINVAL;
	map_assert_alive(map);
	return map->verbs->get(map, key, key_size, buffer, buffer_size, value_size, version);
}

void rcumap_read_lock(const struct rcumap *map)
{
	if (!map)
		return;
	map_assert_alive(map);
	map->section->lock();
}

void rcumap_read_unlock(const struct rcumap *map)
{
	if (!map)
		return;
	map_assert_alive(map);
	map->section->unlock();
}

const void *rcumap_entry_key(const struct rcumap_entry *entry)
{
	return entry_key(entry);
}

size_t rcumap_entry_key_size(const struct rcumap_entry *entry)
{
	return entry->key_size;
}

const void *rcumap_entry_value(const struct rcumap_entry *entry)
{
	return entry_value(entry);
}

size_t rcumap_entry_value_size(const struct rcumap_entry *entry)
{
	return entry_value_size(entry);
}

uint64_t rcumap_entry_version(const struct rcumap_entry *entry)
{
	return entry_version(entry);
}

/* Milliseconds that the entry has left, rounded up; 0: its deadline has passed. One load of the word says both. */
static uint64_t ttl_ms_at(const struct rcumap *map, const struct rcumap_entry *entry, uint64_t coarse_us)
{
	if (!entry_has_deadline(entry))
		return RCUMAP_TTL_NEVER;

	uint64_t word = entry_deadline(entry);

	if (!deadline_is_finite(word))
		return RCUMAP_TTL_NEVER;
	/* The same clock as for all says whether it has passed. What is left is told by the clock that deadlines are
	 * set by: else it could be more than was given. */
	if (deadline_has_passed(word, coarse_us))
		return 0;

	uint64_t now_us = clock_exact_us(&map->clock);

	return deadline_us(word) > now_us ? (deadline_us(word) - now_us + 999) / 1000 : 1;
}

uint64_t read_find_ttl_ms(const struct rcumap *map, const void *key, size_t key_size)
{
	const uint64_t coarse_us = clock_coarse_us(&map->clock);
	const struct rcumap_entry *entry =
		bucket_find(&map->tables, hash_key(&map->tables.hash, key, key_size), key, key_size);

	return entry ? ttl_ms_at(map, entry, coarse_us) : 0;
}

uint64_t rcumap_entry_ttl(const struct rcumap *map, const struct rcumap_entry *entry)
{
	return ttl_ms_at(map, entry, clock_coarse_us(&map->clock));
}

int rcumap_ttl(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms)
{
	if (!map || !read_key_valid(key, key_size) || !ttl_ms)
		return -EINVAL;
	map_assert_alive(map);
	return map->verbs->ttl(map, key, key_size, ttl_ms);
}
