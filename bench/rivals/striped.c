/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 64 stripes, each a mutex and a table of its own: threads meet only where their keys are of one stripe. The stripe is
 * chosen by the highest bits of the hash, the bucket by the lowest: keys of one stripe still spread over its buckets.
 */
#include "subject.h"

#include "chained.h"
#include "random.h"

#include <pthread.h>
#include <stdalign.h>

#define STRIPES_LOG2 6
#define STRIPES (1u << STRIPES_LOG2)
/* A line, and the one beside it that the processor fetches along. */
#define LINE_PAIR 128

/* Lock, buckets and mask share a line: one miss for all of them. */
struct stripe {
	alignas(LINE_PAIR) pthread_mutex_t lock; /* guards the table */
	struct chained table;
};

struct striped_map {
	struct stripe stripes[STRIPES];
	uint64_t seed; /* constant */
};

static struct stripe *stripe_of(struct striped_map *map, uint64_t hash)
{
	return &map->stripes[hash >> (64 - STRIPES_LOG2)];
}

/* The first n of them. */
static void free_stripes(struct striped_map *map, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		chained_free(&map->stripes[i].table);
		pthread_mutex_destroy(&map->stripes[i].lock);
	}
	free(map);
}

static void *striped_create(uint64_t pairs)
{
	struct striped_map *map = aligned_alloc(alignof(struct striped_map), sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	for (unsigned i = 0; i < STRIPES; i++) {
		if (chained_init(&map->stripes[i].table) != 0) {
			free_stripes(map, i);
			return NULL;
		}
		pthread_mutex_init(&map->stripes[i].lock, NULL);
	}
	map->seed = rng_fresh_seed();
	return map;
}

static void striped_destroy(void *map)
{
	free_stripes(map, STRIPES);
}

static int striped_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		       size_t *value_size)
{
	struct striped_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	struct stripe *stripe = stripe_of(map, hash);
	int result;

	pthread_mutex_lock(&stripe->lock);
	result = chained_get(&stripe->table, hash, key, key_size, buffer, buffer_size, value_size);
	pthread_mutex_unlock(&stripe->lock);
	return result;
}

static int striped_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct striped_map *map = opaque;
	struct chained_pair pair = { chained_hash(map->seed, key, key_size), key, value, key_size, value_size };
	struct stripe *stripe = stripe_of(map, pair.hash);
	struct chained_node *displaced;
	int result;

	pthread_mutex_lock(&stripe->lock);
	result = chained_put(&stripe->table, &pair, &displaced);
	pthread_mutex_unlock(&stripe->lock);
	free(displaced);
	return result;
}

static int striped_remove(void *opaque, const void *key, size_t key_size)
{
	struct striped_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	struct stripe *stripe = stripe_of(map, hash);
	struct chained_node *node;

	pthread_mutex_lock(&stripe->lock);
	node = chained_remove(&stripe->table, hash, key, key_size);
	pthread_mutex_unlock(&stripe->lock);
	if (!node)
		return -ENOENT;
	free(node);
	return 0;
}

static uint64_t striped_count(void *opaque)
{
	struct striped_map *map = opaque;
	uint64_t count = 0;

	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_lock(&map->stripes[i].lock);
		count += map->stripes[i].table.count;
		pthread_mutex_unlock(&map->stripes[i].lock);
	}
	return count;
}

static uint64_t striped_memory(void *opaque)
{
	struct striped_map *map = opaque;
	uint64_t bytes = sizeof *map;

	for (unsigned i = 0; i < STRIPES; i++) {
		pthread_mutex_lock(&map->stripes[i].lock);
		bytes += chained_memory(&map->stripes[i].table);
		pthread_mutex_unlock(&map->stripes[i].lock);
	}
	return bytes;
}

const struct subject subject_striped = {
	.name = "64 mutexes",
	.what = "64 stripes chosen by the hash, each a mutex around a table as the mutex has it",
	.create = striped_create,
	.destroy = striped_destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.get = striped_get,
	.put = striped_put,
	.remove = striped_remove,
	.count = striped_count,
	.memory = striped_memory,
	.settle = subject_settled,
};
