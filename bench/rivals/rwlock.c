/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pthread_rwlock around the table of the mutex: readers do not keep each other out, but each writes the lock's
 * cache line twice. The lock is as pthread_rwlock_init() makes it: while readers hold it, glibc lets others in before
 * a writer who waits.
 */
#include "subject.h"

#include "chained.h"
#include "random.h"

#include <pthread.h>
#include <stdalign.h>

/* A line, and the one beside it that the processor fetches along. */
#define LINE_PAIR 128

/* What readers only read is not on the lock's line, which moves with every get. */
struct rwlock_map {
	alignas(LINE_PAIR) pthread_rwlock_t lock; /* guards the table */
	alignas(LINE_PAIR) struct chained table;
	uint64_t seed; /* constant */
};

static void *rwlock_create(uint64_t pairs)
{
	struct rwlock_map *map = aligned_alloc(LINE_PAIR, sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	if (chained_init(&map->table) != 0) {
		free(map);
		return NULL;
	}
	map->seed = rng_fresh_seed();
	pthread_rwlock_init(&map->lock, NULL);
	return map;
}

static void rwlock_destroy(void *opaque)
{
	struct rwlock_map *map = opaque;

	chained_free(&map->table);
	pthread_rwlock_destroy(&map->lock);
	free(map);
}

static int rwlock_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		      size_t *value_size)
{
	struct rwlock_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	int result;

	pthread_rwlock_rdlock(&map->lock);
	result = chained_get(&map->table, hash, key, key_size, buffer, buffer_size, value_size);
	pthread_rwlock_unlock(&map->lock);
	return result;
}

static int rwlock_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct rwlock_map *map = opaque;
	struct chained_pair pair = { chained_hash(map->seed, key, key_size), key, value, key_size, value_size };
	struct chained_node *displaced;
	int result;

	pthread_rwlock_wrlock(&map->lock);
	result = chained_put(&map->table, &pair, &displaced);
	pthread_rwlock_unlock(&map->lock);
	free(displaced);
	return result;
}

static int rwlock_remove(void *opaque, const void *key, size_t key_size)
{
	struct rwlock_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	struct chained_node *node;

	pthread_rwlock_wrlock(&map->lock);
	node = chained_remove(&map->table, hash, key, key_size);
	pthread_rwlock_unlock(&map->lock);
	if (!node)
		return -ENOENT;
	free(node);
	return 0;
}

static uint64_t rwlock_count(void *opaque)
{
	struct rwlock_map *map = opaque;
	uint64_t count;

	pthread_rwlock_rdlock(&map->lock);
	count = map->table.count;
	pthread_rwlock_unlock(&map->lock);
	return count;
}

static uint64_t rwlock_memory(void *opaque)
{
	struct rwlock_map *map = opaque;
	uint64_t bytes;

	pthread_rwlock_rdlock(&map->lock);
	bytes = sizeof *map + chained_memory(&map->table);
	pthread_rwlock_unlock(&map->lock);
	return bytes;
}

const struct subject subject_rwlock = {
	.name = "rwlock",
	.what = "one pthread_rwlock around the mutex's table",
	.create = rwlock_create,
	.destroy = rwlock_destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.get = rwlock_get,
	.put = rwlock_put,
	.remove = rwlock_remove,
	.count = rwlock_count,
	.memory = rwlock_memory,
	.settle = subject_settled,
};
