/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The baseline: what a good engineer writes in an afternoon. One pthread mutex around a chained hash table (chained.h).
 *
 * Done for it what can be done: the hash is computed and freed memory given back outside the lock, a value of the same
 * size is overwritten in place. An entry that has a deadline takes eight bytes more, the others none. What has expired
 * goes when it is asked for, and else by a thread that walks the table, some buckets at a time under the lock.
 */
#include "subject.h"

#include "chained.h"
#include "clock.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The walk: so many buckets under the lock, a fraction of a millisecond, then a pause for the others. */
#define REAP_BUCKETS 4096u
#define REAP_PAUSE_NS 1000000u

struct mutex_map {
	pthread_mutex_t lock; /* guards all below but the seed */
	struct chained table;
	uint64_t inserted, replaced, deleted, expired;
	uint64_t walked; /* buckets of the walk so far */
	bool reaping;	 /* the reaper runs: from the first deadline on */
	pthread_t reaper;
	atomic_bool stop;
	uint64_t seed; /* constant */
};

static void set_deadline(struct chained_node *node, uint64_t ns)
{
	if (node->has_deadline)
		memcpy(chained_value(node) + node->value_size, &ns, sizeof ns);
}

/* `now` is read only if it is needed: *now is 0 before. */
static bool has_expired(struct chained_node *node, uint64_t *now)
{
	uint64_t ns;

	if (!node->has_deadline)
		return false;
	if (*now == 0)
		*now = now_ns();
	memcpy(&ns, chained_value(node) + node->value_size, sizeof ns);
	return ns <= *now;
}

/* ------------------------------------------------------------------ what has expired */

/* Lock held. As chained_find(), but one that has expired is not found: it goes to *expired, to be freed afterwards. */
static struct chained_node **find_alive(struct mutex_map *map, uint64_t hash, const void *key, size_t key_size,
					struct chained_node **expired)
{
	struct chained_node **at = chained_find(&map->table, hash, key, key_size);
	uint64_t now = 0;

	*expired = NULL;
	if (!*at || !has_expired(*at, &now))
		return at;
	*expired = chained_unlink(&map->table, at);
	map->expired++;
	while (*at)
		at = &(*at)->next;
	return at;
}

/* Lock held. The next part of the walk; what to free. */
static struct chained_node *reap_some(struct mutex_map *map)
{
	struct chained_node *reaped = NULL;
	uint64_t now = 0;

	for (unsigned i = 0; i < REAP_BUCKETS && i <= map->table.mask; i++) {
		struct chained_node **at = &map->table.buckets[map->walked++ & map->table.mask];

		while (*at) {
			struct chained_node *node;

			if (!has_expired(*at, &now)) {
				at = &(*at)->next;
				continue;
			}
			node = chained_unlink(&map->table, at);
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
		struct chained_node *reaped;

		pthread_mutex_lock(&map->lock);
		reaped = reap_some(map);
		pthread_mutex_unlock(&map->lock);
		chained_free_list(reaped);
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
	if (chained_init(&map->table) != 0) {
		free(map);
		return NULL;
	}
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
	chained_free(&map->table);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

static int mutex_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		     size_t *value_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	struct chained_node *expired;
	int result;

	pthread_mutex_lock(&map->lock);
	result = chained_copy_out(*find_alive(map, hash, key, key_size, &expired), buffer, buffer_size, value_size);
	pthread_mutex_unlock(&map->lock);
	free(expired);
	return result;
}

/* Lock held. *displaced and *expired are what to free afterwards, or NULL. deadline_ns: 0 for none. */
static int put_locked(struct mutex_map *map, const struct chained_pair *pair, uint64_t deadline_ns,
		      struct chained_node **displaced, struct chained_node **expired)
{
	struct chained_node **at = find_alive(map, pair->hash, pair->key, pair->key_size, expired), *old = *at, *node;
	bool has_deadline = deadline_ns != 0;

	*displaced = NULL;
	if (old && old->value_size == pair->value_size && old->has_deadline == has_deadline) {
		memcpy(chained_value(old), pair->value, pair->value_size);
		set_deadline(old, deadline_ns);
		return 0;
	}
	node = chained_node_create(pair, has_deadline ? sizeof deadline_ns : 0);
	if (!node)
		return -ENOMEM;
	node->has_deadline = has_deadline;
	set_deadline(node, deadline_ns);
	*displaced = chained_link(&map->table, at, node);
	if (*displaced)
		map->replaced++;
	else
		map->inserted++;
	return 0;
}

/* Lock held. From the first deadline on somebody walks the table. */
static int start_reaper(struct mutex_map *map)
{
	int error = map->reaping ? 0 : pthread_create(&map->reaper, NULL, reap, map);

	map->reaping = error == 0;
	return -error;
}

static int put(struct mutex_map *map, const struct chained_pair *pair, uint64_t deadline_ns)
{
	struct chained_node *displaced = NULL, *expired = NULL;
	int result = 0;

	pthread_mutex_lock(&map->lock);
	if (deadline_ns)
		result = start_reaper(map);
	if (result == 0)
		result = put_locked(map, pair, deadline_ns, &displaced, &expired);
	pthread_mutex_unlock(&map->lock);
	free(displaced);
	free(expired);
	return result;
}

static int mutex_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct mutex_map *map = opaque;
	struct chained_pair pair = { chained_hash(map->seed, key, key_size), key, value, key_size, value_size };

	return put(map, &pair, 0);
}

static int mutex_put_for(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size,
			 uint64_t ttl_ms)
{
	struct mutex_map *map = opaque;
	struct chained_pair pair = { chained_hash(map->seed, key, key_size), key, value, key_size, value_size };

	return put(map, &pair, now_ns() + ttl_ms * 1000000);
}

static int mutex_remove(void *opaque, const void *key, size_t key_size)
{
	struct mutex_map *map = opaque;
	uint64_t hash = chained_hash(map->seed, key, key_size);
	struct chained_node **at, *node = NULL, *expired;

	pthread_mutex_lock(&map->lock);
	at = find_alive(map, hash, key, key_size, &expired);
	if (*at) {
		node = chained_unlink(&map->table, at);
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
	count = map->table.count;
	pthread_mutex_unlock(&map->lock);
	return count;
}

static uint64_t mutex_memory(void *opaque)
{
	struct mutex_map *map = opaque;
	uint64_t bytes;

	pthread_mutex_lock(&map->lock);
	bytes = sizeof *map + chained_memory(&map->table);
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
					.left = map->table.count,
					/* freed by whoever unlinked it */
					.reclaimed = map->replaced + map->deleted + map->expired };
	pthread_mutex_unlock(&map->lock);
	return books;
}

const struct subject subject_mutex = {
	.name = "mutex",
	.what = "one pthread mutex around a chained hash table that doubles",
	.create = mutex_create,
	.destroy = mutex_destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.get = mutex_get,
	.put = mutex_put,
	.put_for = mutex_put_for,
	.remove = mutex_remove,
	.count = mutex_count,
	.memory = mutex_memory,
	.books = mutex_books,
	.settle = subject_settled,
};
