/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Concurrency Kit's ck_hs, a set of pointers to pairs, each compared by its key. Gets within a section of liburcu's memb flavor,
 * inlined where the build allows (doc/licences.md); one writer at a time, by a mutex here; old tables and pairs are freed by
 * call_rcu(), whose one default worker keeps up with the one writer. Writers hash, allocate and free outside of the mutex.
 *
 * What is looked for is a `struct key`, what is stored a `struct pair`: so the set is changed by ck_hs_apply(), which takes the
 * one to find and the other to store, not by ck_hs_set(), which takes one object for both; every pair would need a pointer to
 * its key. (ck_hs_gc() compares pairs with pairs, and is out of the question therefore.)
 *
 * Without CK_HS_MODE_DELETE, which makes gets of keys that are there slower and those of others faster. A removed pair leaves a
 * tombstone; when there has been a removal for every fourth slot, the table is rebuilt.
 */
#if RCUMAP_LGPL_INLINE
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-memb.h>

#include "subject.h"

#include "blocks.h"
#include "random.h"

#include <ck_hs.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CAPACITY_MIN 64u
/* It grows when it is half full. */
#define SLOTS_A_PAIR 2u
/* It is rebuilt when there has been one removal for so many slots. */
#define SLOTS_A_REMOVAL 4u

struct pair {
	struct rcu_head head; /* first, so that what a get reads lies together */
	uint32_t key_size, value_size;
	unsigned char bytes[]; /* key, value */
};

struct key {
	const void *bytes;
	size_t size;
};

/* What gets read is not where writers write. */
struct ck_hs_subject {
	ck_hs_t table; /* changed with the lock held, read without */
	uint64_t seed; /* constant */

	_Alignas(CACHE_LINE) pthread_mutex_t lock; /* one writer at a time; guards what follows */
	uint64_t pair_bytes;
	uint64_t removed; /* since the table was created or rebuilt */
};

/* ------------------------------------------------------------------ threads */

static _Thread_local bool entered;

static void enter(void)
{
	urcu_memb_register_thread();
	entered = true;
}

static void leave(void)
{
	entered = false;
	urcu_memb_unregister_thread();
}

static void section_begin(void)
{
	urcu_memb_read_lock();
}

static void section_end(void)
{
	urcu_memb_read_unlock();
}

/* ------------------------------------------------------------------ pairs */

static uint64_t allocated_bytes(struct pair *pair)
{
	return malloc_usable_size(pair) + MALLOC_HEADER;
}

static struct pair *pair_create(const struct key *key, const void *value, size_t value_size)
{
	struct pair *pair = malloc(sizeof *pair + key->size + value_size);

	if (!pair)
		return NULL;
	pair->key_size = (uint32_t)key->size;
	pair->value_size = (uint32_t)value_size;
	memcpy(pair->bytes, key->bytes, key->size);
	memcpy(pair->bytes + key->size, value, value_size);
	return pair;
}

static void pair_free(struct rcu_head *head)
{
	free(caa_container_of(head, struct pair, head));
}

/* Called for every pair on the way: the table does not keep hashes. */
static bool is_pair_of(const void *stored, const void *sought)
{
	const struct pair *pair = stored;
	const struct key *key = sought;

	return pair->key_size == key->size && memcmp(pair->bytes, key->bytes, key->size) == 0;
}

static unsigned long hash_key(const struct ck_hs_subject *map, const struct key *key)
{
	return XXH3_64bits_withSeed(key->bytes, key->size, map->seed);
}

/* For a table that grows. */
static unsigned long hash_stored(const void *stored, unsigned long seed)
{
	const struct pair *pair = stored;

	return XXH3_64bits_withSeed(pair->bytes, pair->key_size, seed);
}

/* ------------------------------------------------------------------ tables */

/* What ck_hs allocates, and before it what puts it off. */
struct slots {
	struct rcu_head head;
	size_t size; /* of all of this */
	unsigned char map[];
};

static struct slots *slots_before(void *map)
{
	return (struct slots *)((unsigned char *)map - offsetof(struct slots, map));
}

static void slots_free(struct rcu_head *head)
{
	free(caa_container_of(head, struct slots, head));
}

static void *allocate(size_t size)
{
	struct slots *slots = block_take(sizeof *slots + size);

	if (!slots)
		return NULL;
	slots->size = sizeof *slots + size;
	return slots->map;
}

static void deallocate(void *map, size_t size, bool defer)
{
	struct slots *slots = slots_before(map);

	(void)size;
	if (defer)
		urcu_memb_call_rcu(&slots->head, slots_free);
	else
		free(slots);
}

static struct ck_malloc allocator = { .malloc = allocate, .free = deallocate };

static uint64_t table_bytes(const struct ck_hs_subject *map)
{
	return slots_before(map->table.map)->size;
}

/* ------------------------------------------------------------------ the subject */

static void *create(uint64_t pairs)
{
	struct ck_hs_subject *map = block_take(sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	*map = (struct ck_hs_subject){ .seed = rng_fresh_seed() };
	if (!ck_hs_init(&map->table, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT, hash_stored, is_pair_of, &allocator, CAPACITY_MIN,
			map->seed)) {
		free(map);
		return NULL;
	}
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

static void destroy(void *opaque)
{
	struct ck_hs_subject *map = opaque;
	ck_hs_iterator_t iterator = CK_HS_ITERATOR_INITIALIZER;
	void *pair;

	while (ck_hs_next(&map->table, &iterator, &pair))
		free(pair);
	ck_hs_destroy(&map->table);
	urcu_memb_barrier();
	pthread_mutex_destroy(&map->lock);
	free(map);
}

/* ck_hs_grow() is false also where the table is large enough. */
static int reserve(void *opaque, uint64_t pairs)
{
	struct ck_hs_subject *map = opaque;
	bool outside = !entered, enough;

	if (outside)
		enter();
	pthread_mutex_lock(&map->lock);
	enough = ck_hs_grow(&map->table, pairs * SLOTS_A_PAIR) || table_bytes(map) >= pairs * SLOTS_A_PAIR * sizeof(void *);
	pthread_mutex_unlock(&map->lock);
	if (outside)
		leave();
	return enough ? 0 : -ENOMEM;
}

static int get(void *opaque, const void *key_bytes, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	struct ck_hs_subject *map = opaque;
	const struct key key = { key_bytes, key_size };
	unsigned long hash = hash_key(map, &key);
	const struct pair *pair;
	int result = -ENOENT;

	urcu_memb_read_lock();
	pair = ck_hs_get(&map->table, hash, &key);
	if (pair) {
		result = -ENOBUFS;
		*value_size = pair->value_size;
		if (pair->value_size <= buffer_size) {
			memcpy(buffer, pair->bytes + key_size, pair->value_size);
			result = 0;
		}
	}
	urcu_memb_read_unlock();
	return result;
}

/* A pair on its way into the table, and the one in its place before. */
struct put {
	struct pair *pair, *replaced;
};

static void *put_here(void *there, void *opaque)
{
	struct put *put = opaque;

	put->replaced = there;
	return put->pair;
}

static int put(void *opaque, const void *key_bytes, size_t key_size, const void *value, size_t value_size)
{
	struct ck_hs_subject *map = opaque;
	const struct key key = { key_bytes, key_size };
	struct put put = { .pair = pair_create(&key, value, value_size) };
	unsigned long hash = hash_key(map, &key);
	bool is_put;

	if (!put.pair)
		return -ENOMEM;
	pthread_mutex_lock(&map->lock);
	is_put = ck_hs_apply(&map->table, hash, &key, put_here, &put);
	if (is_put)
		map->pair_bytes += allocated_bytes(put.pair);
	if (put.replaced)
		map->pair_bytes -= allocated_bytes(put.replaced);
	pthread_mutex_unlock(&map->lock);
	if (!is_put)
		free(put.pair);
	if (put.replaced)
		urcu_memb_call_rcu(&put.replaced->head, pair_free);
	return is_put ? 0 : -ENOMEM;
}

/* Lock held. What to free afterwards, or NULL. For want of memory to rebuild it the table stays as it is. */
static struct pair *remove_locked(struct ck_hs_subject *map, unsigned long hash, const struct key *key)
{
	struct pair *pair = ck_hs_remove(&map->table, hash, key);

	if (!pair)
		return NULL;
	map->pair_bytes -= allocated_bytes(pair);
	if (++map->removed * SLOTS_A_REMOVAL * sizeof(void *) > table_bytes(map) && ck_hs_rebuild(&map->table))
		map->removed = 0;
	return pair;
}

static int remove_key(void *opaque, const void *key_bytes, size_t key_size)
{
	struct ck_hs_subject *map = opaque;
	const struct key key = { key_bytes, key_size };
	unsigned long hash = hash_key(map, &key);
	struct pair *pair;

	pthread_mutex_lock(&map->lock);
	pair = remove_locked(map, hash, &key);
	pthread_mutex_unlock(&map->lock);
	if (!pair)
		return -ENOENT;
	urcu_memb_call_rcu(&pair->head, pair_free);
	return 0;
}

static uint64_t count(void *opaque)
{
	struct ck_hs_subject *map = opaque;
	uint64_t pairs;

	pthread_mutex_lock(&map->lock);
	pairs = ck_hs_count(&map->table);
	pthread_mutex_unlock(&map->lock);
	return pairs;
}

/* What waits for a grace period is not in it. */
static uint64_t memory(void *opaque)
{
	struct ck_hs_subject *map = opaque;
	uint64_t bytes;

	pthread_mutex_lock(&map->lock);
	bytes = sizeof *map + table_bytes(map) + map->pair_bytes;
	pthread_mutex_unlock(&map->lock);
	return bytes;
}

/* A table grows at once. */
static void settle(void *opaque)
{
	(void)opaque;
	enter();
	urcu_memb_barrier();
	leave();
}

const struct subject subject_ck_hs = {
	.name = "ck_hs",
	.what = "Concurrency Kit's ck_hs, liburcu's memb flavor, writers one at a time",
	.create = create,
	.destroy = destroy,
	.thread_enter = enter,
	.thread_leave = leave,
	.thread_pause = subject_nothing,
	.section_begin = section_begin,
	.section_end = section_end,
	.reserve = reserve,
	.get = get,
	.put = put,
	.remove = remove_key,
	.count = count,
	.memory = memory,
	.settle = settle,
};
