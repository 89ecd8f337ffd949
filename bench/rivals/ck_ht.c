/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Concurrency Kit's ck_ht, with byte strings for keys and ck_epoch for reclaiming, used as by its own benchmark
 * (regressions/ck_ht/benchmark/parallel_bytestring.c): gets within an epoch section, one writer at a time, old tables put off by
 * ck_epoch_call(), and so are pairs. It leaves the writers' mutex to its user. They hash, allocate and free outside of it.
 *
 * Without CK_HT_WORKLOAD_DELETE, which makes gets of keys that are there slower and those of others faster. With it or without,
 * a removed pair leaves a tombstone, which only a larger table forgets, and ck_ht_gc() does not; once no slot is empty, an
 * insertion looks through a good part of the table. So when there has been a removal for every fourth slot, the table is replaced
 * by a new one, as ck_hs_rebuild() does for a ck_hs.
 */
#include "subject.h"

#include "blocks.h"
#include "random.h"

#include <ck_epoch.h>
#include <ck_ht.h>
#include <ck_pr.h>
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
/* A poll reads the record of every thread, and takes it from that thread's cache: not for every pair that is put off. */
#define CALLS_A_POLL 64u

struct pair {
	ck_epoch_entry_t reclaim; /* first, so that what a get reads lies together */
	uint32_t key_size, value_size;
	unsigned char bytes[]; /* key, value */
};

struct table {
	_Alignas(CACHE_LINE) ck_epoch_entry_t reclaim;
	ck_ht_t ht;
};

/* What gets read is not where writers write. */
struct ck_ht_subject {
	struct table *table; /* stored with the lock held, loaded without */
	uint64_t seed;	     /* constant */

	_Alignas(CACHE_LINE) pthread_mutex_t lock; /* one writer at a time; guards what follows */
	uint64_t pair_bytes;
	uint64_t removed; /* since the table was created or rebuilt */
};

/* ------------------------------------------------------------------ epochs */

static ck_epoch_t epoch;
static pthread_once_t epoch_once = PTHREAD_ONCE_INIT;
static _Thread_local ck_epoch_record_t *record; /* NULL: has not entered */
static _Thread_local unsigned calls;

static void epoch_create(void)
{
	ck_epoch_init(&epoch);
}

/* A record is the epoch's for ever, and another thread's after this one. */
static void enter(void)
{
	pthread_once(&epoch_once, epoch_create);
	record = ck_epoch_recycle(&epoch, NULL);
	if (record)
		return;
	record = aligned_alloc(_Alignof(ck_epoch_record_t), sizeof *record);
	if (!record)
		abort();
	ck_epoch_register(&epoch, record, NULL);
}

/* What is put off in a record that is unregistered would be lost. */
static void leave(void)
{
	ck_epoch_barrier(record);
	ck_epoch_unregister(record);
	record = NULL;
}

static void section_begin(void)
{
	ck_epoch_begin(record, NULL);
}

static void section_end(void)
{
	ck_epoch_end(record, NULL);
}

/* ------------------------------------------------------------------ pairs */

CK_EPOCH_CONTAINER(struct pair, reclaim, pair_of)

static uint64_t allocated_bytes(struct pair *pair)
{
	return malloc_usable_size(pair) + MALLOC_HEADER;
}

static struct pair *pair_create(const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct pair *pair = malloc(sizeof *pair + key_size + value_size);

	if (!pair)
		return NULL;
	pair->key_size = (uint32_t)key_size;
	pair->value_size = (uint32_t)value_size;
	memcpy(pair->bytes, key, key_size);
	memcpy(pair->bytes + key_size, value, value_size);
	return pair;
}

static void pair_free(ck_epoch_entry_t *entry)
{
	free(pair_of(entry));
}

/* Free the pair when no get can have it any more. */
static void pair_put_off(struct pair *pair)
{
	ck_epoch_call(record, &pair->reclaim, pair_free);
	if (++calls % CALLS_A_POLL == 0)
		ck_epoch_poll(record);
}

/* ------------------------------------------------------------------ memory of ck_ht */

/* What ck_ht allocates, and before it what puts it off. */
struct slots {
	ck_epoch_entry_t reclaim;
	size_t size; /* of all of this */
	unsigned char map[];
};

CK_EPOCH_CONTAINER(struct slots, reclaim, slots_of)

static struct slots *slots_before(void *map)
{
	return (struct slots *)((unsigned char *)map - offsetof(struct slots, map));
}

static void slots_free(ck_epoch_entry_t *entry)
{
	free(slots_of(entry));
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
		ck_epoch_call(record, &slots->reclaim, slots_free);
	else
		free(slots);
}

static struct ck_malloc allocator = { .malloc = allocate, .free = deallocate };

/* ------------------------------------------------------------------ tables */

CK_EPOCH_CONTAINER(struct table, reclaim, table_of)

static void hash_for_table(ck_ht_hash_t *hash, const void *key, size_t key_size, uint64_t seed)
{
	hash->value = XXH3_64bits_withSeed(key, key_size, seed);
}

/* ck_ht_hash() does not take the table's hash function but MurmurHash. */
static ck_ht_hash_t hash_key(const struct ck_ht_subject *map, const void *key, size_t key_size)
{
	ck_ht_hash_t hash;

	hash_for_table(&hash, key, key_size, map->seed);
	return hash;
}

static ck_ht_hash_t hash_of_entry(const struct ck_ht_subject *map, ck_ht_entry_t *entry)
{
#ifdef CK_HT_PP
	return hash_key(map, ck_ht_entry_key(entry), ck_ht_entry_key_length(entry));
#else
	(void)map;
	return (ck_ht_hash_t){ entry->hash };
#endif
}

static struct table *table_create(uint64_t seed, uint64_t slots)
{
	struct table *table = block_take(sizeof *table);

	if (table && !ck_ht_init(&table->ht, CK_HT_MODE_BYTESTRING, hash_for_table, &allocator, slots, seed)) {
		free(table);
		return NULL;
	}
	return table;
}

static void table_destroy(ck_epoch_entry_t *entry)
{
	struct table *table = table_of(entry);

	ck_ht_destroy(&table->ht);
	free(table);
}

static uint64_t table_bytes(struct table *table)
{
	return slots_before(table->ht.map)->size + malloc_usable_size(table) + MALLOC_HEADER;
}

/* Lock held. For want of memory the table stays as it is. */
static void rebuild(struct ck_ht_subject *map)
{
	struct table *old = map->table, *table = table_create(map->seed, ck_ht_count(&old->ht) * SLOTS_A_PAIR);
	ck_ht_iterator_t iterator = CK_HT_ITERATOR_INITIALIZER;
	ck_ht_entry_t *entry;

	if (!table)
		return;
	while (ck_ht_next(&old->ht, &iterator, &entry)) {
		if (!ck_ht_put_spmc(&table->ht, hash_of_entry(map, entry), entry)) {
			table_destroy(&table->reclaim);
			return;
		}
	}
	ck_pr_fence_store();
	ck_pr_store_ptr(&map->table, table);
	ck_epoch_call(record, &old->reclaim, table_destroy);
	map->removed = 0;
}

/* ------------------------------------------------------------------ the subject */

static void *create(uint64_t pairs)
{
	struct ck_ht_subject *map = block_take(sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	*map = (struct ck_ht_subject){ .seed = rng_fresh_seed() };
	map->table = table_create(map->seed, CAPACITY_MIN);
	if (!map->table) {
		free(map);
		return NULL;
	}
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

static void destroy(void *opaque)
{
	struct ck_ht_subject *map = opaque;
	ck_ht_iterator_t iterator = CK_HT_ITERATOR_INITIALIZER;
	ck_ht_entry_t *entry;

	while (ck_ht_next(&map->table->ht, &iterator, &entry))
		free(ck_ht_entry_value(entry));
	table_destroy(&map->table->reclaim);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

/* ck_ht_grow_spmc() is false also where the table is large enough. */
static int reserve(void *opaque, uint64_t pairs)
{
	struct ck_ht_subject *map = opaque;
	bool outside = !record, enough;

	if (outside)
		enter();
	pthread_mutex_lock(&map->lock);
	enough = ck_ht_grow_spmc(&map->table->ht, pairs * SLOTS_A_PAIR) ||
		 table_bytes(map->table) >= pairs * SLOTS_A_PAIR * sizeof(ck_ht_entry_t);
	pthread_mutex_unlock(&map->lock);
	if (outside)
		leave();
	return enough ? 0 : -ENOMEM;
}

static int get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	struct ck_ht_subject *map = opaque;
	ck_ht_hash_t hash = hash_key(map, key, key_size);
	struct table *table;
	ck_ht_entry_t entry;
	int result = -ENOENT;

	if (key_size > UINT16_MAX)
		return -ENOENT;
	ck_ht_entry_key_set(&entry, key, (uint16_t)key_size);
	ck_epoch_begin(record, NULL);
	table = ck_pr_load_ptr(&map->table);
	if (ck_ht_get_spmc(&table->ht, hash, &entry)) {
		const struct pair *pair = ck_ht_entry_value(&entry);

		result = -ENOBUFS;
		*value_size = pair->value_size;
		if (pair->value_size <= buffer_size) {
			memcpy(buffer, pair->bytes + key_size, pair->value_size);
			result = 0;
		}
	}
	ck_epoch_end(record, NULL);
	return result;
}

/* Lock held. *replaced is what to put off afterwards, or NULL. */
static bool set_locked(struct ck_ht_subject *map, ck_ht_hash_t hash, struct pair *pair, struct pair **replaced)
{
	ck_ht_entry_t entry;

	ck_ht_entry_set(&entry, hash, pair->bytes, (uint16_t)pair->key_size, pair);
	if (!ck_ht_set_spmc(&map->table->ht, hash, &entry))
		return false;
	*replaced = ck_ht_entry_empty(&entry) ? NULL : ck_ht_entry_value(&entry);
	map->pair_bytes += allocated_bytes(pair);
	if (*replaced)
		map->pair_bytes -= allocated_bytes(*replaced);
	return true;
}

static int put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct ck_ht_subject *map = opaque;
	ck_ht_hash_t hash = hash_key(map, key, key_size);
	struct pair *pair, *replaced = NULL;
	bool is_set;

	if (key_size > UINT16_MAX)
		return -EINVAL;
	pair = pair_create(key, key_size, value, value_size);
	if (!pair)
		return -ENOMEM;
	pthread_mutex_lock(&map->lock);
	is_set = set_locked(map, hash, pair, &replaced);
	pthread_mutex_unlock(&map->lock);
	if (!is_set)
		free(pair);
	if (replaced)
		pair_put_off(replaced);
	return is_set ? 0 : -ENOMEM;
}

/* Lock held. What to put off afterwards, or NULL. */
static struct pair *remove_locked(struct ck_ht_subject *map, ck_ht_hash_t hash, const void *key, size_t key_size)
{
	ck_ht_entry_t entry;
	struct pair *pair;

	ck_ht_entry_key_set(&entry, key, (uint16_t)key_size);
	if (!ck_ht_remove_spmc(&map->table->ht, hash, &entry))
		return NULL;
	pair = ck_ht_entry_value(&entry);
	map->pair_bytes -= allocated_bytes(pair);
	if (++map->removed * SLOTS_A_REMOVAL * sizeof entry > table_bytes(map->table))
		rebuild(map);
	return pair;
}

static int remove_key(void *opaque, const void *key, size_t key_size)
{
	struct ck_ht_subject *map = opaque;
	ck_ht_hash_t hash = hash_key(map, key, key_size);
	struct pair *pair;

	if (key_size > UINT16_MAX)
		return -ENOENT;
	pthread_mutex_lock(&map->lock);
	pair = remove_locked(map, hash, key, key_size);
	pthread_mutex_unlock(&map->lock);
	if (!pair)
		return -ENOENT;
	pair_put_off(pair);
	return 0;
}

static uint64_t count(void *opaque)
{
	struct ck_ht_subject *map = opaque;
	uint64_t entries;

	pthread_mutex_lock(&map->lock);
	entries = ck_ht_count(&map->table->ht);
	pthread_mutex_unlock(&map->lock);
	return entries;
}

/* What is put off is not in it. */
static uint64_t memory(void *opaque)
{
	struct ck_ht_subject *map = opaque;
	uint64_t bytes;

	pthread_mutex_lock(&map->lock);
	bytes = sizeof *map + table_bytes(map->table) + map->pair_bytes;
	pthread_mutex_unlock(&map->lock);
	return bytes;
}

/* A table grows at once, and a thread that leaves frees what it has put off. */
static void settle(void *opaque)
{
	(void)opaque;
}

const struct subject subject_ck_ht = {
	.name = "ck_ht",
	.what = "Concurrency Kit's ck_ht of byte strings, ck_epoch, writers one at a time",
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
