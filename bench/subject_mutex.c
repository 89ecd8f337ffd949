/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The baseline: what a good engineer writes in an afternoon. One pthread mutex around a chained hash table that
 * doubles when it holds one entry per bucket; it never shrinks. Same hash as librcumap (XXH3 with a seed).
 *
 * Done for it what can be done: the hash is computed and freed memory given back outside the lock, the hash is kept
 * in the node (no rehashing when it doubles, no comparing of keys that differ), an entry is one malloc, a value of
 * the same size is overwritten in place. An entry that has a deadline takes eight bytes more, the others none. What
 * has expired goes when it is asked for, and else by a thread that walks the table, some buckets at a time under the lock.
 */
#include "subject.h"

#include "clock.h"
#include "random.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS_MIN 64u
/* glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u
#define HAS_DEADLINE (UINT32_C(1) << 31)
/* The walk: so many buckets under the lock, a fraction of a millisecond, then a pause for the others. */
#define REAP_BUCKETS 4096u
#define REAP_PAUSE_NS 1000000u

struct node {
	struct node *next;
	uint64_t hash;
	uint32_t key_bits, value_size; /* key_bits: the key's size, and HAS_DEADLINE */
	unsigned char bytes[];	       /* key, value, deadline in ns */
};

struct mutex_map {
	pthread_mutex_t lock; /* guards all below but the seed */
	struct node **buckets;
	uint64_t mask, count, node_bytes;
	uint64_t inserted, replaced, deleted, expired;
	uint64_t walked; /* buckets of the walk so far */
	bool reaping;	 /* the reaper runs: from the first deadline on */
	pthread_t reaper;
	atomic_bool stop;
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

static size_t node_key_size(const struct node *node)
{
	return node->key_bits & ~HAS_DEADLINE;
}

static void set_deadline(struct node *node, uint64_t ns)
{
	if (node->key_bits & HAS_DEADLINE)
		memcpy(node->bytes + node_key_size(node) + node->value_size, &ns, sizeof ns);
}

/* `now` is read only if it is needed: *now is 0 before. */
static bool has_expired(const struct node *node, uint64_t *now)
{
	uint64_t ns;

	if (!(node->key_bits & HAS_DEADLINE))
		return false;
	if (*now == 0)
		*now = now_ns();
	memcpy(&ns, node->bytes + node_key_size(node) + node->value_size, sizeof ns);
	return ns <= *now;
}

/* Where the pointer to the key's node is, or the chain's end. */
static struct node **find(const struct mutex_map *map, uint64_t hash, const void *key, size_t key_size)
{
	struct node **at = &map->buckets[hash & map->mask];

	for (; *at; at = &(*at)->next)
		if ((*at)->hash == hash && node_key_size(*at) == key_size && memcmp((*at)->bytes, key, key_size) == 0)
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

static struct node *node_create(uint64_t hash, const void *key, size_t key_size, const void *value, size_t value_size,
				bool has_deadline)
{
	struct node *node = malloc(sizeof *node + key_size + value_size + (has_deadline ? sizeof(uint64_t) : 0));

	if (!node)
		return NULL;
	node->hash = hash;
	node->key_bits = (uint32_t)key_size | (has_deadline ? HAS_DEADLINE : 0);
	node->value_size = (uint32_t)value_size;
	memcpy(node->bytes, key, key_size);
	memcpy(node->bytes + key_size, value, value_size);
	return node;
}

/* Lock held. What to free afterwards. */
static struct node *unlink_node(struct mutex_map *map, struct node **at)
{
	struct node *node = *at;

	*at = node->next;
	map->count--;
	map->node_bytes -= allocated_bytes(node);
	return node;
}

/* ------------------------------------------------------------------ what has expired */

/* Lock held. As find(), but one that has expired is not found: it goes to *expired, to be freed afterwards. */
static struct node **find_alive(struct mutex_map *map, uint64_t hash, const void *key, size_t key_size,
				struct node **expired)
{
	struct node **at = find(map, hash, key, key_size);
	uint64_t now = 0;

	*expired = NULL;
	if (!*at || !has_expired(*at, &now))
		return at;
	*expired = unlink_node(map, at);
	map->expired++;
	while (*at)
		at = &(*at)->next;
	return at;
}

static void free_list(struct node *node)
{
	while (node) {
		struct node *next = node->next;

		free(node);
		node = next;
	}
}

/* Lock held. The next part of the walk; what to free. */
static struct node *reap_some(struct mutex_map *map)
{
	struct node *reaped = NULL;
	uint64_t now = 0;

	for (unsigned i = 0; i < REAP_BUCKETS && i <= map->mask; i++) {
		struct node **at = &map->buckets[map->walked++ & map->mask];

		while (*at) {
			struct node *node;

			if (!has_expired(*at, &now)) {
				at = &(*at)->next;
				continue;
			}
			node = unlink_node(map, at);
			map->expired++;
			node->next = reaped;
			reaped = node;
		}
	}
	return reaped;
}

static void *reap(void *opaque)
{
	struct mutex_map *map = opaque;

	/* relaxed: nothing but the flag is shared outside of the lock. */
	while (!atomic_load_explicit(&map->stop, memory_order_relaxed)) {
		struct node *reaped;

		pthread_mutex_lock(&map->lock);
		reaped = reap_some(map);
		pthread_mutex_unlock(&map->lock);
		free_list(reaped);
		sleep_ns(REAP_PAUSE_NS);
	}
	return NULL;
}

/* ------------------------------------------------------------------ the subject */

static void *mutex_create(uint64_t pairs)
{
	struct mutex_map *map = calloc(1, sizeof *map);

	(void)pairs;
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

	if (map->reaping) {
		atomic_store_explicit(&map->stop, true, memory_order_relaxed);
		pthread_join(map->reaper, NULL);
	}
	for (uint64_t i = 0; i <= map->mask; i++)
		free_list(map->buckets[i]);
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
	struct node *expired;
	int result = -ENOENT;

	pthread_mutex_lock(&map->lock);
	node = *find_alive(map, hash, key, key_size, &expired);
	if (node) {
		result = -ENOBUFS;
		*value_size = node->value_size;
		if (node->value_size <= buffer_size) {
			memcpy(buffer, node->bytes + key_size, node->value_size);
			result = 0;
		}
	}
	pthread_mutex_unlock(&map->lock);
	free(expired);
	return result;
}

/* What is stored. */
struct pair {
	uint64_t hash;
	const void *key, *value;
	size_t key_size, value_size;
	uint64_t deadline_ns; /* 0: none */
};

/* Lock held. *displaced and *expired are what to free afterwards, or NULL. */
static int put_locked(struct mutex_map *map, const struct pair *pair, struct node **displaced, struct node **expired)
{
	struct node **at = find_alive(map, pair->hash, pair->key, pair->key_size, expired), *old = *at, *node;

	*displaced = NULL;
	if (old && old->value_size == pair->value_size && !(old->key_bits & HAS_DEADLINE) == !pair->deadline_ns) {
		memcpy(old->bytes + pair->key_size, pair->value, pair->value_size);
		set_deadline(old, pair->deadline_ns);
		return 0;
	}
	node = node_create(pair->hash, pair->key, pair->key_size, pair->value, pair->value_size, pair->deadline_ns);
	if (!node)
		return -ENOMEM;
	set_deadline(node, pair->deadline_ns);
	node->next = old ? old->next : NULL;
	*at = node;
	map->node_bytes += allocated_bytes(node);
	if (old) {
		map->node_bytes -= allocated_bytes(old);
		map->replaced++;
		*displaced = old;
	} else {
		map->inserted++;
		if (++map->count > map->mask)
			grow(map);
	}
	return 0;
}

/* Lock held. From the first deadline on somebody walks the table. */
static int start_reaper(struct mutex_map *map)
{
	int error = map->reaping ? 0 : pthread_create(&map->reaper, NULL, reap, map);

	map->reaping = error == 0;
	return -error;
}

static int put(struct mutex_map *map, const struct pair *pair)
{
	struct node *displaced = NULL, *expired = NULL;
	int result = 0;

	pthread_mutex_lock(&map->lock);
	if (pair->deadline_ns)
		result = start_reaper(map);
	if (result == 0)
		result = put_locked(map, pair, &displaced, &expired);
	pthread_mutex_unlock(&map->lock);
	free(displaced);
	free(expired);
	return result;
}

static int mutex_put(void *map, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct pair pair = { hash_key(map, key, key_size), key, value, key_size, value_size, 0 };

	return put(map, &pair);
}

static int mutex_put_for(void *map, const void *key, size_t key_size, const void *value, size_t value_size,
			 uint64_t ttl_ms)
{
	struct pair pair = { hash_key(map, key, key_size), key, value, key_size, value_size, 0 };

	pair.deadline_ns = now_ns() + ttl_ms * 1000000;
	return put(map, &pair);
}

static int mutex_remove(void *opaque, const void *key, size_t key_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = hash_key(map, key, key_size);
	struct node **at, *node = NULL, *expired;

	pthread_mutex_lock(&map->lock);
	at = find_alive(map, hash, key, key_size, &expired);
	if (*at) {
		node = unlink_node(map, at);
		map->deleted++;
	}
	pthread_mutex_unlock(&map->lock);
	free(expired);
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

static struct subject_books mutex_books(void *opaque)
{
	struct mutex_map *map = opaque;
	struct subject_books books;

	pthread_mutex_lock(&map->lock);
	books = (struct subject_books){ .inserted = map->inserted,
					.replaced = map->replaced,
					.deleted = map->deleted,
					.expired = map->expired,
					.left = map->count,
					/* freed by whoever unlinked it */
					.reclaimed = map->replaced + map->deleted + map->expired };
	pthread_mutex_unlock(&map->lock);
	return books;
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
	.put_for = mutex_put_for,
	.remove = mutex_remove,
	.count = mutex_count,
	.memory = mutex_memory,
	.books = mutex_books,
	.settle = nothing_put_off,
};
