/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GLib's GHashTable and one mutex. A node is key and value in one malloc, and the table is a set of nodes, as its
 * documentation recommends for less memory. The hash is computed outside the lock and travels in the key: a GHashFunc
 * has no argument for a seed. Freed memory is given back outside the lock, a value of the same size overwritten in place.
 */
#include "subject.h"

#include "random.h"

#include <errno.h>
#include <glib.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u
/* Of GHashTable, as of GLib 2.74. */
#define SLOTS_MIN 8u
#define SLOT_BYTES (sizeof(gpointer) + sizeof(guint)) /* node, hash */

/* One that is looked up has no node: its bytes are elsewhere. */
struct key {
	const void *bytes;
	uint32_t hash, size;
};

struct node {
	struct key key; /* first: the table's pointers are to it */
	uint32_t value_size;
	unsigned char bytes[]; /* key, value */
};

struct glib_map {
	pthread_mutex_t lock; /* guards all below but the seed */
	GHashTable *table;
	uint64_t node_bytes;
	uint64_t slots, occupied; /* see follow_resize() */
	uint64_t seed;		  /* constant */
};

static guint hash_of(gconstpointer key)
{
	return ((const struct key *)key)->hash;
}

static gboolean is_same(gconstpointer a, gconstpointer b)
{
	const struct key *x = a, *y = b;

	return x->size == y->size && memcmp(x->bytes, y->bytes, x->size) == 0;
}

static struct key key_of(const struct glib_map *map, const void *key, size_t key_size)
{
	return (struct key){ key, (uint32_t)XXH3_64bits_withSeed(key, key_size, map->seed), (uint32_t)key_size };
}

static uint64_t allocated_bytes(struct node *node)
{
	return malloc_usable_size(node) + MALLOC_HEADER;
}

static unsigned char *value_of(struct node *node)
{
	return node->bytes + node->key.size;
}

static struct node *node_create(const struct key *key, const void *value, size_t value_size)
{
	struct node *node = malloc(offsetof(struct node, bytes) + key->size + value_size);

	if (!node)
		return NULL;
	node->key = (struct key){ node->bytes, key->hash, key->size };
	node->value_size = (uint32_t)value_size;
	memcpy(node->bytes, key->bytes, key->size);
	memcpy(value_of(node), value, value_size);
	return node;
}

/*
 * Lock held, after an entry came or went. GHashTable does not tell how many slots it has: this follows its rules for when
 * it resizes and to what. `occupied` is entries and tombstones. An insert may reuse a tombstone, here it never does: the
 * slots are exact as long as entries only come or only go; in between, a resize may be counted before it happens.
 */
static void follow_resize(struct glib_map *map)
{
	uint64_t count = g_hash_table_size(map->table);

	if ((map->slots <= count * 4 || map->slots == SLOTS_MIN) && map->slots > map->occupied + map->occupied / 16)
		return;
	map->occupied = count;
	map->slots = SLOTS_MIN;
	while (map->slots <= (uint64_t)((double)count * 1.333))
		map->slots *= 2;
}

static void *glib_create(uint64_t pairs)
{
	struct glib_map *map = calloc(1, sizeof *map);

	(void)pairs;
	if (!map)
		return NULL;
	map->table = g_hash_table_new(hash_of, is_same);
	map->slots = SLOTS_MIN;
	map->seed = rng_fresh_seed();
	pthread_mutex_init(&map->lock, NULL);
	return map;
}

static void glib_destroy(void *opaque)
{
	struct glib_map *map = opaque;
	GHashTableIter iter;
	gpointer node;

	g_hash_table_iter_init(&iter, map->table);
	while (g_hash_table_iter_next(&iter, &node, NULL)) {
		g_hash_table_iter_steal(&iter);
		free(node);
	}
	g_hash_table_destroy(map->table);
	pthread_mutex_destroy(&map->lock);
	free(map);
}

static int copy_out(struct node *node, void *buffer, size_t buffer_size, size_t *value_size)
{
	if (!node)
		return -ENOENT;
	*value_size = node->value_size;
	if (node->value_size > buffer_size)
		return -ENOBUFS;
	memcpy(buffer, value_of(node), node->value_size);
	return 0;
}

static int glib_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		    size_t *value_size)
{
	struct glib_map *map = opaque;
	struct key wanted = key_of(map, key, key_size);
	int result;

	pthread_mutex_lock(&map->lock);
	result = copy_out(g_hash_table_lookup(map->table, &wanted), buffer, buffer_size, value_size);
	pthread_mutex_unlock(&map->lock);
	return result;
}

/* Lock held. *displaced is what to free afterwards, or NULL. For want of memory in GHashTable, GLib aborts. */
static int put_locked(struct glib_map *map, const struct key *key, const void *value, size_t value_size,
		      struct node **displaced)
{
	struct node *old = g_hash_table_lookup(map->table, key), *node;

	*displaced = NULL;
	if (old && old->value_size == value_size) {
		memcpy(value_of(old), value, value_size);
		return 0;
	}
	node = node_create(key, value, value_size);
	if (!node)
		return -ENOMEM;
	/* In the place of the old one, if there is one. */
	g_hash_table_add(map->table, node);
	map->node_bytes += allocated_bytes(node);
	if (old) {
		map->node_bytes -= allocated_bytes(old);
		*displaced = old;
	} else {
		map->occupied++;
		follow_resize(map);
	}
	return 0;
}

static int glib_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct glib_map *map = opaque;
	struct key wanted = key_of(map, key, key_size);
	struct node *displaced;
	int result;

	pthread_mutex_lock(&map->lock);
	result = put_locked(map, &wanted, value, value_size, &displaced);
	pthread_mutex_unlock(&map->lock);
	free(displaced);
	return result;
}

static int glib_remove(void *opaque, const void *key, size_t key_size)
{
	struct glib_map *map = opaque;
	struct key wanted = key_of(map, key, key_size);
	gpointer node = NULL;

	pthread_mutex_lock(&map->lock);
	if (g_hash_table_steal_extended(map->table, &wanted, &node, NULL)) {
		map->node_bytes -= allocated_bytes(node);
		follow_resize(map);
	}
	pthread_mutex_unlock(&map->lock);
	if (!node)
		return -ENOENT;
	free(node);
	return 0;
}

static uint64_t glib_count(void *opaque)
{
	struct glib_map *map = opaque;
	uint64_t count;

	pthread_mutex_lock(&map->lock);
	count = g_hash_table_size(map->table);
	pthread_mutex_unlock(&map->lock);
	return count;
}

/* Of GHashTable its two arrays; the hundred bytes that it has besides are left out. */
static uint64_t glib_memory(void *opaque)
{
	struct glib_map *map = opaque;
	uint64_t bytes;

	pthread_mutex_lock(&map->lock);
	bytes = sizeof *map + map->slots * SLOT_BYTES + map->node_bytes;
	pthread_mutex_unlock(&map->lock);
	return bytes;
}

const struct subject subject_glib = {
	.name = "GHashTable",
	.what = "GLib's GHashTable and one mutex",
	.create = glib_create,
	.destroy = glib_destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.get = glib_get,
	.put = glib_put,
	.remove = glib_remove,
	.count = glib_count,
	.memory = glib_memory,
	.settle = subject_settled,
};
