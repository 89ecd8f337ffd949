/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cds_lfht, liburcu's lock-free hash table, as a subject of whichever flavor is included before this with URCU_API_MAP:
 * rcu_read_lock() and the like are that flavor's. For one .c file per flavor.
 *
 * As liburcu's own benchmark of it (test_urcu_hash.c) has it: it counts its nodes and resizes itself, and there is one call_rcu()
 * worker per CPU. What else is chosen:
 *
 * - A maximum of buckets, however high, selects the allocator that the library calls the faster one: one mapping, reserved in
 *   full and filled as the table grows.
 * - It begins with 65,536 buckets. A put that wants a larger table first hands the resize to the worker and then notes that one
 *   is under way; a worker that has finished before that note leaves it standing for ever, and the table never resizes again.
 *   A small table is resized fast enough for that. settle() looks for it all the same.
 * - It resizes by itself only once it has eight pairs a bucket, and then to one a bucket.
 * - Its buckets have huge pages, as librcumap's tables, after settle() and reserve(): before, they are the library's alone.
 */
#ifndef BENCH_RIVALS_LFHT_TEMPLATE_H
#define BENCH_RIVALS_LFHT_TEMPLATE_H

#include "subject.h"

#include "blocks.h"
#include "clock.h"
#include "random.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/rculfhash.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS_MIN 65536ul
#define BUCKETS_MAX (1ul << 30)
/* The lowest three bits of a pointer in the table's list are flags. */
#define LIST_FLAGS 7u
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
/* Buckets that are as many in so many looks, this long apart, stay so: a resize takes less from one doubling to the next. */
#define STABLE_LOOKS 10u
#define LOOK_PAUSE_NS 10000000u
/* It should resize at 8 pairs a bucket; with this many it has missed that. */
#define PAIRS_A_BUCKET_LOST 16u

struct pair {
	struct rcu_head head; /* first, so that what a get reads lies together */
	struct cds_lfht_node node;
	uint32_t key_size, value_size;
	unsigned char bytes[]; /* key, value */
};

struct lfht_map {
	_Alignas(CACHE_LINE) struct cds_lfht *table;
	uint64_t seed;
};

struct key {
	const void *bytes;
	size_t size;
};

/* ------------------------------------------------------------------ threads */

static _Thread_local bool entered;

static void lfht_enter(void)
{
	rcu_register_thread();
	entered = true;
}

static void lfht_leave(void)
{
	entered = false;
	rcu_unregister_thread();
}

static void lfht_pause(void)
{
	rcu_quiescent_state();
}

static void lfht_section_begin(void)
{
	rcu_read_lock();
}

static void lfht_section_end(void)
{
	rcu_read_unlock();
}

/* Around calls that any thread may make. True if leave_if() has something to do. */
static bool enter_if_outside(void)
{
	bool outside = !entered;

	if (outside)
		lfht_enter();
	return outside;
}

static void leave_if(bool outside)
{
	if (outside)
		lfht_leave();
}

/* ------------------------------------------------------------------ call_rcu() workers, while there is a map */

static pthread_mutex_t workers_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned maps; /* with workers_lock */

static void workers_start(void)
{
	pthread_mutex_lock(&workers_lock);
	/* On failure the flavor's one default worker does the work. */
	if (maps++ == 0)
		(void)create_all_cpu_call_rcu_data(0);
	pthread_mutex_unlock(&workers_lock);
}

static void workers_stop(void)
{
	pthread_mutex_lock(&workers_lock);
	if (--maps == 0)
		free_all_cpu_call_rcu_data();
	pthread_mutex_unlock(&workers_lock);
}

/* ------------------------------------------------------------------ pairs */

static struct pair *pair_of(struct cds_lfht_node *node)
{
	return caa_container_of(node, struct pair, node);
}

static struct pair *pair_create(const struct key *key, const void *value, size_t value_size)
{
	struct pair *pair = malloc(sizeof *pair + key->size + value_size);

	if (!pair)
		return NULL;
	cds_lfht_node_init(&pair->node);
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

/* Called for nodes with the same hash alone. */
static int match(struct cds_lfht_node *node, const void *opaque)
{
	const struct pair *pair = pair_of(node);
	const struct key *key = opaque;

	return pair->key_size == key->size && memcmp(pair->bytes, key->bytes, key->size) == 0;
}

static unsigned long hash_key(const struct lfht_map *map, const struct key *key)
{
	return XXH3_64bits_withSeed(key->bytes, key->size, map->seed);
}

/* ------------------------------------------------------------------ buckets */

/* Within a section. All buckets lie in one array, and in the table's list, whose order is that of reversed hashes, bucket n is
 * the next one after bucket 0 if there are 2 * n. While the table grows those are included that are not linked yet. */
static unsigned long count_buckets(struct cds_lfht *table)
{
	const struct cds_lfht_node *buckets = cds_lfht_mm_mmap.bucket_at(table, 0), *node = buckets;
	uintptr_t first = (uintptr_t)buckets, at;

	do {
		node = (const struct cds_lfht_node *)((uintptr_t)rcu_dereference(node->next) & ~(uintptr_t)LIST_FLAGS);
		if (!node)
			return 1;
		at = (uintptr_t)node;
	} while (at < first || at >= first + BUCKETS_MAX * sizeof *buckets);
	return 2 * (at - first) / sizeof *buckets;
}

/* Within a section. A bucket that is not linked yet is all zero; the last in the list has a flag, at least, for its next. */
static bool is_growing(struct cds_lfht *table, unsigned long buckets)
{
	const struct cds_lfht_node *bucket = cds_lfht_mm_mmap.bucket_at(table, 0);

	for (unsigned long i = buckets / 2; i < buckets; i++)
		if (!CMM_LOAD_SHARED(bucket[i].next))
			return true;
	return false;
}

/* The library tells nobody of a resize. How many buckets there are when it is done. */
static unsigned long wait_for_resize(struct cds_lfht *table)
{
	unsigned long buckets = 0;

	for (unsigned same = 0; same < STABLE_LOOKS;) {
		unsigned long before = buckets;

		rcu_read_lock();
		buckets = count_buckets(table);
		same = buckets == before && !is_growing(table, buckets) ? same + 1 : 0;
		rcu_read_unlock();
		rcu_thread_offline();
		sleep_ns(LOOK_PAUSE_NS);
		rcu_thread_online();
	}
	return buckets;
}

/* The library maps its buckets in small pages, and anew for every doubling. Before Linux 6.1 they stay in these. */
static void use_huge_pages(struct cds_lfht *table, unsigned long buckets)
{
	(void)madvise(cds_lfht_mm_mmap.bucket_at(table, 0), buckets * sizeof(struct cds_lfht_node), MADV_COLLAPSE);
}

static unsigned long count_pairs(struct cds_lfht *table)
{
	unsigned long count;
	long before, after;

	rcu_read_lock();
	cds_lfht_count_nodes(table, &before, &count, &after);
	rcu_read_unlock();
	return count;
}

static unsigned long power_of_two_at_least(unsigned long n)
{
	unsigned long power = 1;

	while (power < n)
		power *= 2;
	return power;
}

/* ------------------------------------------------------------------ the subject */

static void *lfht_create(uint64_t pairs)
{
	struct lfht_map *map = block_take(sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	map->seed = rng_fresh_seed();
	map->table = cds_lfht_new(BUCKETS_MIN, BUCKETS_MIN, BUCKETS_MAX, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, NULL);
	if (!map->table) {
		free(map);
		return NULL;
	}
	workers_start();
	return map;
}

/* A table must be empty to be destroyed. Pairs go through call_rcu() as a resize may still be at work in the list. */
static void lfht_destroy(void *opaque)
{
	struct lfht_map *map = opaque;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	lfht_enter();
	rcu_read_lock();
	cds_lfht_for_each(map->table, &iter, node)
		if (cds_lfht_del(map->table, node) == 0)
			call_rcu(&pair_of(node)->head, pair_free);
	rcu_read_unlock();
	rcu_barrier();
	lfht_leave();
	cds_lfht_destroy(map->table, NULL);
	workers_stop();
	free(map);
}

static int lfht_reserve(void *opaque, uint64_t pairs)
{
	struct lfht_map *map = opaque;
	unsigned long buckets = power_of_two_at_least(pairs);
	bool outside;

	if (buckets > BUCKETS_MAX)
		return -ENOMEM;
	outside = enter_if_outside();
	if (buckets > BUCKETS_MIN) {
		cds_lfht_resize(map->table, buckets);
		use_huge_pages(map->table, buckets);
	}
	leave_if(outside);
	return 0;
}

static int lfht_get(void *opaque, const void *key_bytes, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	const struct lfht_map *map = opaque;
	const struct key key = { key_bytes, key_size };
	unsigned long hash = hash_key(map, &key);
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;
	int result = -ENOENT;

	rcu_read_lock();
	cds_lfht_lookup(map->table, hash, match, &key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node) {
		const struct pair *pair = pair_of(node);

		result = -ENOBUFS;
		*value_size = pair->value_size;
		if (pair->value_size <= buffer_size) {
			memcpy(buffer, pair->bytes + key_size, pair->value_size);
			result = 0;
		}
	}
	rcu_read_unlock();
	return result;
}

static int lfht_put(void *opaque, const void *key_bytes, size_t key_size, const void *value, size_t value_size)
{
	const struct lfht_map *map = opaque;
	const struct key key = { key_bytes, key_size };
	struct pair *pair = pair_create(&key, value, value_size);
	unsigned long hash = hash_key(map, &key);
	struct cds_lfht_node *replaced;

	if (!pair)
		return -ENOMEM;
	rcu_read_lock();
	replaced = cds_lfht_add_replace(map->table, hash, match, &key, &pair->node);
	rcu_read_unlock();
	if (replaced)
		call_rcu(&pair_of(replaced)->head, pair_free);
	return 0;
}

/* Where somebody replaces the pair between the lookup and the deletion, there is another to delete. */
static int lfht_remove(void *opaque, const void *key_bytes, size_t key_size)
{
	const struct lfht_map *map = opaque;
	const struct key key = { key_bytes, key_size };
	unsigned long hash = hash_key(map, &key);
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	do {
		cds_lfht_lookup(map->table, hash, match, &key, &iter);
		node = cds_lfht_iter_get_node(&iter);
	} while (node && cds_lfht_del(map->table, node) != 0);
	rcu_read_unlock();
	if (!node)
		return -ENOENT;
	call_rcu(&pair_of(node)->head, pair_free);
	return 0;
}

/* Walks the table: the library's own counters cannot be read without. */
static uint64_t lfht_count(void *opaque)
{
	struct lfht_map *map = opaque;
	bool outside = enter_if_outside();
	uint64_t count = count_pairs(map->table);

	leave_if(outside);
	return count;
}

/* Walks the table: a counter that all writers share would slow them down. Pairs that wait for a grace period are not in it. */
static uint64_t lfht_memory(void *opaque)
{
	struct lfht_map *map = opaque;
	uint64_t bytes = malloc_usable_size(map->table) + MALLOC_HEADER;
	bool outside = enter_if_outside();
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	bytes += count_buckets(map->table) * sizeof(struct cds_lfht_node);
	cds_lfht_for_each(map->table, &iter, node)
		bytes += malloc_usable_size(pair_of(node)) + MALLOC_HEADER;
	rcu_read_unlock();
	leave_if(outside);
	return bytes;
}

static void lfht_settle(void *opaque)
{
	struct lfht_map *map = opaque;
	unsigned long buckets, pairs;

	lfht_enter();
	rcu_barrier();
	buckets = wait_for_resize(map->table);
	pairs = count_pairs(map->table);
	if (pairs / buckets >= PAIRS_A_BUCKET_LOST) {
		buckets = power_of_two_at_least(pairs) / 2;
		cds_lfht_resize(map->table, buckets);
	}
	use_huge_pages(map->table, buckets);
	lfht_leave();
}

#define LFHT_SUBJECT(flavor)									\
	{											\
		.name = "lfht-" flavor,								\
		.what = "cds_lfht of liburcu, flavor " flavor ", which resizes itself",		\
		.create = lfht_create,								\
		.destroy = lfht_destroy,							\
		.thread_enter = lfht_enter,							\
		.thread_leave = lfht_leave,							\
		.thread_pause = lfht_pause,							\
		.section_begin = lfht_section_begin,						\
		.section_end = lfht_section_end,						\
		.reserve = lfht_reserve,							\
		.get = lfht_get,								\
		.put = lfht_put,								\
		.remove = lfht_remove,								\
		.count = lfht_count,								\
		.memory = lfht_memory,								\
		.settle = lfht_settle,								\
	}

#endif
