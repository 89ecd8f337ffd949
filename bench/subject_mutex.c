/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The baseline: what a good engineer writes in an afternoon. One pthread mutex around a chained hash table that
 * doubles when it holds one entry per bucket; it never shrinks. Same hash as librcumap (XXH3 with a seed).
 *
 * Done for it what can be done: the hash is computed and freed memory given back outside the lock, the hash is kept
 * in the node (no rehashing when it doubles, no comparing of keys that differ), an entry is one malloc, a value of
 * the same size is overwritten in place.
 */
#include "subject.h"

#include "random.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS_MIN 64u
/* glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u

struct node {
	struct node *next;
	uint64_t hash;
	uint32_t key_size, value_size;
	unsigned char bytes[]; /* key, value */
};

struct mutex_map {
	pthread_mutex_t lock; /* guards all below but the seed */
	struct node **buckets;
	uint64_t mask, count, node_bytes;
	uint64_t seed; /* constant */
};

static uint64_t hash_key(const struct mutex_map *map, const void *key, size_t key_size)
{
	return XXH3_64bits_withSeed(key, key_size, map->seed);
}

static uint64_t allocated_bytes(struct node *node)
{
	return malloc_usable_size(node) + MALLOC_HEADER;
}

/* Where the pointer to the key's node is, or the chain's end. */
static struct node **find(const struct mutex_map *map, uint64_t hash, const void *key, size_t key_size)
{
	struct node **at = &map->buckets[hash & map->mask];

	for (; *at; at = &(*at)->next)
		if ((*at)->hash == hash && (*at)->key_size == key_size && memcmp((*at)->bytes, key, key_size) == 0)
			break;
	return at;
}

/* For want of memory it stays as it is: chains get longer, nothing fails. */
static void grow(struct mutex_map *map)
{
	uint64_t buckets = (map->mask + 1) * 2;
	struct node **fresh = calloc(buckets, sizeof *fresh);

	if (!fresh)
		return;
	for (uint64_t i = 0; i <= map->mask; i++) {
		for (struct node *node = map->buckets[i], *next; node; node = next) {
			struct node **head = &fresh[node->hash & (buckets - 1)];

			next = node->next;
			node->next = *head;
			*head = node;
		}
	}
	free(map->buckets);
	map->buckets = fresh;
	map->mask = buckets - 1;
}

static struct node *node_create(uint64_t hash, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct node *node = malloc(sizeof *node + key_size + value_size);

	if (!node)
		return NULL;
	node->hash = hash;
	node->key_size = (uint32_t)key_size;
	node->value_size = (uint32_t)value_size;
	memcpy(node->bytes, key, key_size);
	memcpy(node->bytes + key_size, value, value_size);
	return node;
}

static void *mutex_create(void)
{
	struct mutex_map *map = calloc(1, sizeof *map);

	if (!map)
		return NULL;
	map->buckets = calloc(BUCKETS_MIN, sizeof *map->buckets);
	if (!map->buckets) {
		free(map);
		return NULL;
	}
	map->mask = BUCKETS_MIN - 1;
	map->seed = rng_fresh_seed();
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

static void mutex_destroy(void *opaque)
{
	struct mutex_map *map = opaque;

	for (uint64_t i = 0; i <= map->mask; i++) {
		for (struct node *node = map->buckets[i], *next; node; node = next) {
			next = node->next;
			free(node);
		}
	}
	free(map->buckets);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

static int mutex_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		     size_t *value_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = hash_key(map, key, key_size);
	const struct node *node;
	int result = -ENOENT;

	pthread_mutex_lock(&map->lock);
	node = *find(map, hash, key, key_size);
	if (node) {
		result = -ENOBUFS;
		*value_size = node->value_size;
		if (node->value_size <= buffer_size) {
			memcpy(buffer, node->bytes + key_size, node->value_size);
			result = 0;
		}
	}
	pthread_mutex_unlock(&map->lock);
	return result;
}

/* Lock held. *displaced is what to free afterwards, or NULL. */
static int put_locked(struct mutex_map *map, uint64_t hash, const void *key, size_t key_size, const void *value,
		      size_t value_size, struct node **displaced)
{
	struct node **at = find(map, hash, key, key_size), *old = *at, *node;

	*displaced = NULL;
	if (old && old->value_size == value_size) {
		memcpy(old->bytes + key_size, value, value_size);
		return 0;
	}
	node = node_create(hash, key, key_size, value, value_size);
	if (!node)
		return -ENOMEM;
	node->next = old ? old->next : NULL;
	*at = node;
	map->node_bytes += allocated_bytes(node);
	if (old) {
		map->node_bytes -= allocated_bytes(old);
		*displaced = old;
	} else if (++map->count > map->mask) {
		grow(map);
	}
	return 0;
}

static int mutex_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = hash_key(map, key, key_size);
	struct node *displaced;
	int result;

	pthread_mutex_lock(&map->lock);
	result = put_locked(map, hash, key, key_size, value, value_size, &displaced);
	pthread_mutex_unlock(&map->lock);
	free(displaced);
	return result;
}

static int mutex_remove(void *opaque, const void *key, size_t key_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = hash_key(map, key, key_size);
	struct node **at, *node;

	pthread_mutex_lock(&map->lock);
	at = find(map, hash, key, key_size);
	node = *at;
	if (node) {
		*at = node->next;
		map->count--;
		map->node_bytes -= allocated_bytes(node);
	}
	pthread_mutex_unlock(&map->lock);
	free(node);
	return node ? 0 : -ENOENT;
}

static uint64_t mutex_count(void *opaque)
{
	struct mutex_map *map = opaque;
	uint64_t count;

	pthread_mutex_lock(&map->lock);
	count = map->count;
	pthread_mutex_unlock(&map->lock);
	return count;
}

static uint64_t mutex_memory(void *opaque)
{
	struct mutex_map *map = opaque;
	uint64_t bytes;

	pthread_mutex_lock(&map->lock);
	bytes = sizeof *map + (map->mask + 1) * sizeof *map->buckets + map->node_bytes;
	pthread_mutex_unlock(&map->lock);
	return bytes;
}

static void nothing(void)
{
}

static void nothing_put_off(void *map)
{
	(void)map;
}

const struct subject subject_mutex = {
	.name = "mutex",
	.what = "one pthread mutex around a chained hash table that doubles",
	.create = mutex_create,
	.destroy = mutex_destroy,
	.thread_enter = nothing,
	.thread_leave = nothing,
	.thread_pause = nothing,
	.get = mutex_get,
	.put = mutex_put,
	.remove = mutex_remove,
	.count = mutex_count,
	.memory = mutex_memory,
	.settle = nothing_put_off,
};
