/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rte_hash of DPDK: cuckoo hashing, buckets of eight signatures that point into an array of keys. In the mode that its guide has
 * for it (RW_CONCURRENCY_LF) gets take no lock; there is one writer at a time, so puts and deletes share a mutex here. It cannot
 * grow: it is made for as many pairs as create() is told and an eighth more, for deleted keys that wait until no reader has them,
 * and because a cuckoo table does not take the last ones.
 *
 * Keys have 16 bytes, others are refused: the size is the table's. A value is a block of malloc. Replaced values and deleted keys
 * are given back when every thread has been quiescent, by DPDK's rte_rcu_qsbr. rte_hash_rcu_qsbr_add() would have the table do
 * that, but for deleted keys alone, and it cannot be told to finish.
 *
 * DPDK wants huge pages that the administrator has set aside. Without them, its memory would be small pages of a memfd; so each
 * table has memory of its own, of transparent huge pages as librcumap's, as what DPDK calls external memory.
 */
#include "subject.h"

#include "random.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEY_SIZE 16u
/* glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u
#define HUGE_PAGE ((size_t)2 << 20)
/* More than the eight that rte_hash_create() wants at least. */
#define ENTRIES_MIN 64u
#define THREADS_MAX 512u
/* Garbage waits in batches of so many, for one grace period each; so many batches at most. */
#define BATCH 128u
#define BATCHES 512u

struct value {
	uint32_t size;
	unsigned char bytes[];
};

struct garbage {
	struct value *value;
	int32_t position; /* of a deleted key, or -1 */
};

struct batch {
	uint64_t token; /* of its grace period */
	unsigned n;
	struct garbage garbage[BATCH];
};

/* DPDK's heap of one table, and where its memory is. */
struct heap {
	void *memory;
	size_t size;
	int socket; /* by which DPDK knows it */
};

struct dpdk_map {
	/* Constant. */
	struct rte_hash *table;
	uint32_t seed;
	struct heap heap;
	char name[16]; /* of the table and the heap: no other map's */

	/* Guarded by the lock. */
	_Alignas(64) pthread_mutex_t lock;
	uint64_t count, value_bytes;
	struct batch *batches; /* a ring: those numbered [oldest, open) wait, the one after them is being filled */
	uint64_t oldest, open;
};

/* ------------------------------------------------------------------ threads */

/* One for all maps, for a thread enters without one. */
static struct rte_rcu_qsbr *readers;
static pthread_once_t readers_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static bool thread_taken[THREADS_MAX];
static _Thread_local uint32_t thread_id = RTE_QSBR_THRID_INVALID;

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "rte_hash: %s\n", what);
	abort();
}

static void create_readers(void)
{
	size_t size = rte_rcu_qsbr_get_memsize(THREADS_MAX);

	readers = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));
	if (!readers || rte_rcu_qsbr_init(readers, THREADS_MAX) != 0)
		give_up("no memory for the threads");
}

static void thread_enter(void)
{
	uint32_t id = 0;

	pthread_once(&readers_once, create_readers);
	pthread_mutex_lock(&threads_lock);
	while (id < THREADS_MAX && thread_taken[id])
		id++;
	if (id == THREADS_MAX)
		give_up("too many threads");
	thread_taken[id] = true;
	pthread_mutex_unlock(&threads_lock);
	rte_rcu_qsbr_thread_register(readers, id);
	rte_rcu_qsbr_thread_online(readers, id);
	thread_id = id;
}

static void thread_leave(void)
{
	rte_rcu_qsbr_thread_offline(readers, thread_id);
	rte_rcu_qsbr_thread_unregister(readers, thread_id);
	pthread_mutex_lock(&threads_lock);
	thread_taken[thread_id] = false;
	pthread_mutex_unlock(&threads_lock);
	thread_id = RTE_QSBR_THRID_INVALID;
}

static void thread_pause(void)
{
	rte_rcu_qsbr_quiescent(readers, thread_id);
}

/* Who waits for the mutex is offline, for its owner may wait for all threads. */
static void lock_map(struct dpdk_map *map)
{
	if (pthread_mutex_trylock(&map->lock) == 0)
		return;
	if (thread_id != RTE_QSBR_THRID_INVALID)
		rte_rcu_qsbr_thread_offline(readers, thread_id);
	pthread_mutex_lock(&map->lock);
	if (thread_id != RTE_QSBR_THRID_INVALID)
		rte_rcu_qsbr_thread_online(readers, thread_id);
}

/* ------------------------------------------------------------------ DPDK */

/* rte_eal_init() binds its thread to a processor, and with it those that this thread starts: undone here. */
static void init_dpdk(void)
{
	char processor[32], name[] = "compare", huge[] = "--no-huge", shared[] = "--no-shconf", pci[] = "--no-pci";
	char telemetry[] = "--no-telemetry", log[] = "--log-level=emergency", lcores[] = "--lcores";
	char memory[] = "-m", megabytes[] = "16"; /* tables have their own */
	char *options[] = { name, huge, shared, pci, telemetry, log, memory, megabytes, lcores, processor, NULL };
	cpu_set_t allowed;
	int first = 0;

	pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed);
	while (first < CPU_SETSIZE - 1 && !CPU_ISSET((size_t)first, &allowed))
		first++;
	snprintf(processor, sizeof processor, "0@%d", first);
	if (rte_eal_init((int)(sizeof options / sizeof *options) - 1, options) < 0)
		give_up(rte_strerror(rte_errno));
	pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}

static bool heap_create(struct heap *heap, const char *name, size_t size)
{
	heap->size = RTE_ALIGN_CEIL(size, HUGE_PAGE);
	heap->memory = aligned_alloc(HUGE_PAGE, heap->size);
	if (!heap->memory)
		return false;
	(void)madvise(heap->memory, heap->size, MADV_HUGEPAGE);
	if (rte_malloc_heap_create(name) != 0)
		goto no_heap;
	if (rte_malloc_heap_memory_add(name, heap->memory, heap->size, NULL, (unsigned)(heap->size / HUGE_PAGE), HUGE_PAGE) != 0)
		goto no_memory;
	heap->socket = rte_malloc_heap_get_socket(name);
	return true;

no_memory:
	rte_malloc_heap_destroy(name);
no_heap:
	free(heap->memory);
	return false;
}

static void heap_destroy(const struct heap *heap, const char *name)
{
	rte_malloc_heap_memory_remove(name, heap->memory, heap->size);
	rte_malloc_heap_destroy(name);
	free(heap->memory);
}

/* ------------------------------------------------------------------ values, and what is given back */

static uint64_t value_held(struct value *value)
{
	return malloc_usable_size(value) + MALLOC_HEADER;
}

static struct value *value_create(const void *bytes, size_t size)
{
	struct value *value = malloc(sizeof *value + size);

	if (!value)
		return NULL;
	value->size = (uint32_t)size;
	memcpy(value->bytes, bytes, size);
	return value;
}

static int value_copy_out(const struct value *value, void *buffer, size_t buffer_size, size_t *value_size)
{
	*value_size = value->size;
	if (value->size > buffer_size)
		return -ENOBUFS;
	memcpy(buffer, value->bytes, value->size);
	return 0;
}

static void give_back(struct dpdk_map *map, struct batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++) {
		struct garbage *g = &batch->garbage[i];

		map->value_bytes -= value_held(g->value);
		free(g->value);
		if (g->position >= 0)
			rte_hash_free_key_with_position(map->table, g->position);
	}
	batch->n = 0;
}

/* Lock held. Up to so many batches, as far as their grace periods are over. */
static void give_back_oldest(struct dpdk_map *map, uint64_t batches)
{
	for (; batches > 0 && map->oldest != map->open; batches--, map->oldest++) {
		struct batch *batch = &map->batches[map->oldest % BATCHES];

		if (rte_rcu_qsbr_check(readers, batch->token, false) != 1)
			break;
		give_back(map, batch);
	}
}

/* Lock held. Until no more than so many batches wait. */
static void wait_for_readers(struct dpdk_map *map, uint64_t batches)
{
	for (;;) {
		if (thread_id != RTE_QSBR_THRID_INVALID)
			rte_rcu_qsbr_quiescent(readers, thread_id);
		give_back_oldest(map, BATCHES);
		if (map->open - map->oldest <= batches)
			break;
		sched_yield();
	}
}

/* Lock held. Its grace period begins; another batch is open. The writer works off two for every one that it fills. */
static void close_batch(struct dpdk_map *map)
{
	map->batches[map->open % BATCHES].token = rte_rcu_qsbr_start(readers);
	map->open++;
	give_back_oldest(map, 2);
	if (map->open - map->oldest == BATCHES)
		wait_for_readers(map, BATCHES - 1);
}

/* Lock held. */
static void retire(struct dpdk_map *map, struct value *value, int32_t position)
{
	struct batch *batch = &map->batches[map->open % BATCHES];

	batch->garbage[batch->n++] = (struct garbage){ value, position };
	if (batch->n == BATCH)
		close_batch(map);
}

/* Lock held. */
static void give_back_all(struct dpdk_map *map)
{
	if (map->batches[map->open % BATCHES].n > 0)
		close_batch(map);
	wait_for_readers(map, 0);
}

/* ------------------------------------------------------------------ the subject */

static uint32_t hash_key(const void *key, uint32_t key_size, uint32_t seed)
{
	(void)key_size;
	return (uint32_t)XXH3_64bits_withSeed(key, KEY_SIZE, seed);
}

/* In a heap of what DPDK 22.11 takes for an entry: 32 bytes in the array of keys, and, of the next power of two, 4 in the ring of
 * free ones and 8 in the buckets. Should that not do, one of half as much again. */
static bool table_create(struct dpdk_map *map, uint32_t entries)
{
	struct rte_hash_parameters parameters = { .name = map->name,
						  .entries = entries,
						  .key_len = KEY_SIZE,
						  .hash_func = hash_key,
						  .hash_func_init_val = map->seed,
						  .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF };
	size_t size = entries * (size_t)32 + rte_align64pow2(entries + (uint64_t)1) * 12 + ((size_t)64 << 10);

	for (int attempt = 0; attempt < 3; attempt++, size += size / 2) {
		if (!heap_create(&map->heap, map->name, size))
			return false;
		parameters.socket_id = map->heap.socket;
		map->table = rte_hash_create(&parameters);
		if (map->table)
			return true;
		heap_destroy(&map->heap, map->name);
	}
	return false;
}

static void map_free(struct dpdk_map *map)
{
	free(map->batches);
	free(map);
}

static struct dpdk_map *map_create(uint32_t entries)
{
	static unsigned maps;
	struct dpdk_map *map = aligned_alloc(64, sizeof *map);

	if (!map)
		return NULL;
	*map = (struct dpdk_map){ .seed = (uint32_t)rng_fresh_seed() };
	snprintf(map->name, sizeof map->name, "map%u", maps++);
	map->batches = calloc(BATCHES, sizeof *map->batches);
	if (!map->batches || !table_create(map, entries)) {
		map_free(map);
		return NULL;
	}
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

static void *dpdk_create(uint64_t pairs)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t entries = pairs + pairs / 8 + ENTRIES_MIN;
	void *map = NULL;

	pthread_once(&once, init_dpdk);
	pthread_once(&readers_once, create_readers);
	pthread_mutex_lock(&one_at_a_time);
	if (entries <= RTE_HASH_ENTRIES_MAX)
		map = map_create((uint32_t)entries);
	pthread_mutex_unlock(&one_at_a_time);
	return map;
}

static void dpdk_destroy(void *opaque)
{
	struct dpdk_map *map = opaque;
	const void *key;
	void *value;
	uint32_t next = 0;

	give_back_all(map);
	while (rte_hash_iterate(map->table, &key, &value, &next) >= 0)
		free(value);
	rte_hash_free(map->table);
	heap_destroy(&map->heap, map->name);
	pthread_mutex_destroy(&map->lock);
	map_free(map);
}

static int dpdk_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	const struct dpdk_map *map = opaque;
	void *value;

	if (key_size != KEY_SIZE)
		return -EINVAL;
	if (rte_hash_lookup_with_hash_data(map->table, key, hash_key(key, KEY_SIZE, map->seed), &value) < 0)
		return -ENOENT;
	return value_copy_out(value, buffer, buffer_size, value_size);
}

static size_t dpdk_get_batch(void *opaque, size_t n, const void *const key[], size_t key_size, void *const buffer[],
			     size_t buffer_size, size_t value_size[])
{
	const struct dpdk_map *map = opaque;
	const void *keys[SUBJECT_BATCH];
	void *values[SUBJECT_BATCH];
	hash_sig_t hashes[SUBJECT_BATCH];
	uint64_t there = 0;

	if (n == 0 || n > SUBJECT_BATCH)
		return 0;
	for (size_t i = 0; i < n && key_size == KEY_SIZE; i++) {
		keys[i] = key[i];
		hashes[i] = hash_key(key[i], KEY_SIZE, map->seed);
	}
	if (key_size == KEY_SIZE)
		rte_hash_lookup_with_hash_bulk_data(map->table, keys, hashes, (uint32_t)n, &there, values);
	for (size_t i = 0; i < n; i++)
		if (there >> i & 1)
			rte_prefetch0(values[i]);
	for (size_t i = 0; i < n; i++)
		if (!(there >> i & 1) || value_copy_out(values[i], buffer[i], buffer_size, &value_size[i]) != 0)
			value_size[i] = SIZE_MAX;
	return (size_t)__builtin_popcountll(there);
}

/* Lock held. A table that is full may be so of deleted keys. */
static int add(struct dpdk_map *map, const void *key, hash_sig_t hash, struct value *value)
{
	int result = rte_hash_add_key_with_hash_data(map->table, key, hash, value);

	if (result != -ENOSPC)
		return result;
	give_back_all(map);
	return rte_hash_add_key_with_hash_data(map->table, key, hash, value);
}

/* Lock held. The library does not say what it has replaced, so that is looked for before. */
static int put_locked(struct dpdk_map *map, const void *key, hash_sig_t hash, struct value *value)
{
	void *old = NULL;
	bool replaces = rte_hash_lookup_with_hash_data(map->table, key, hash, &old) >= 0;
	int result = add(map, key, hash, value);

	if (result != 0)
		return result;
	map->value_bytes += value_held(value);
	if (replaces)
		retire(map, old, -1);
	else
		map->count++;
	return 0;
}

static int dpdk_put(void *opaque, const void *key, size_t key_size, const void *bytes, size_t size)
{
	struct dpdk_map *map = opaque;
	struct value *value;
	hash_sig_t hash;
	int result;

	if (key_size != KEY_SIZE)
		return -EINVAL;
	value = value_create(bytes, size);
	if (!value)
		return -ENOMEM;
	hash = hash_key(key, KEY_SIZE, map->seed);
	lock_map(map);
	result = put_locked(map, key, hash, value);
	pthread_mutex_unlock(&map->lock);
	if (result != 0)
		free(value);
	return result;
}

static int dpdk_remove(void *opaque, const void *key, size_t key_size)
{
	struct dpdk_map *map = opaque;
	hash_sig_t hash;
	void *value;
	bool there;

	if (key_size != KEY_SIZE)
		return -EINVAL;
	hash = hash_key(key, KEY_SIZE, map->seed);
	lock_map(map);
	there = rte_hash_lookup_with_hash_data(map->table, key, hash, &value) >= 0;
	if (there) {
		map->count--;
		retire(map, value, rte_hash_del_key_with_hash(map->table, key, hash));
	}
	pthread_mutex_unlock(&map->lock);
	return there ? 0 : -ENOENT;
}

static uint64_t dpdk_count(void *opaque)
{
	struct dpdk_map *map = opaque;
	uint64_t count;

	lock_map(map);
	count = map->count;
	pthread_mutex_unlock(&map->lock);
	return count;
}

/* The heap is the table's alone, so all of it counts. */
static uint64_t dpdk_memory(void *opaque)
{
	struct dpdk_map *map = opaque;
	uint64_t bytes;

	lock_map(map);
	bytes = sizeof *map + BATCHES * sizeof *map->batches + map->heap.size + map->value_bytes;
	pthread_mutex_unlock(&map->lock);
	return bytes;
}

static void dpdk_settle(void *opaque)
{
	struct dpdk_map *map = opaque;

	lock_map(map);
	give_back_all(map);
	pthread_mutex_unlock(&map->lock);
}

const struct subject subject_dpdk = {
	.name = "rte_hash",
	.what = "DPDK's rte_hash: gets without locks, one writer at a time; 16-byte keys, a fixed size",
	.create = dpdk_create,
	.destroy = dpdk_destroy,
	.thread_enter = thread_enter,
	.thread_leave = thread_leave,
	.thread_pause = thread_pause,
	/* Who has entered is a reader until his next pause. */
	.section_begin = subject_nothing,
	.section_end = subject_nothing,
	.get = dpdk_get,
	.get_batch = dpdk_get_batch,
	.put = dpdk_put,
	.remove = dpdk_remove,
	.count = dpdk_count,
	.memory = dpdk_memory,
	.settle = dpdk_settle,
	.cannot_grow = true,
};
