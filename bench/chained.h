/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file chained.h
 * The hash table of the maps that are made of locks: chained, it doubles when it holds one entry per bucket and never
 * shrinks. It has no lock: the caller sees to it that nobody reads while somebody writes. Same hash as librcumap.
 *
 * The hash is kept in the node (no rehashing when the table doubles, no comparing of keys that differ), an entry is one
 * malloc. What the table gives up is returned to the caller, who frees it after he has unlocked.
 */
#ifndef BENCH_CHAINED_H
#define BENCH_CHAINED_H

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/** glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u

struct chained_node {
	struct chained_node *next;
	uint64_t hash;
	uint32_t key_size;
	uint32_t value_size : 31, has_deadline : 1; /* has_deadline: the caller's, 0 at first */
	unsigned char bytes[];			    /* key, value, what else the caller asked for */
};

struct chained {
	struct chained_node **buckets;
	uint64_t mask, count, node_bytes;
};

/** What is stored. */
struct chained_pair {
	uint64_t hash;
	const void *key, *value;
	size_t key_size, value_size;
};

/** 0 or -ENOMEM. */
int chained_init(struct chained *table);
/** Frees all nodes, too. */
void chained_free(struct chained *table);
/** For want of memory it stays as it is: chains get longer, nothing fails. */
void chained_grow(struct chained *table);
void chained_free_list(struct chained_node *node);

static inline uint64_t chained_hash(uint64_t seed, const void *key, size_t key_size)
{
	return XXH3_64bits_withSeed(key, key_size, seed);
}

static inline uint64_t chained_allocated_bytes(struct chained_node *node)
{
	return malloc_usable_size(node) + MALLOC_HEADER;
}

/** Bytes of nodes and buckets. */
static inline uint64_t chained_memory(const struct chained *table)
{
	return (table->mask + 1) * sizeof *table->buckets + table->node_bytes;
}

/** Where the pointer to the key's node is, or the chain's end. */
static inline struct chained_node **chained_find(const struct chained *table, uint64_t hash, const void *key,
						 size_t key_size)
{
	struct chained_node **at = &table->buckets[hash & table->mask];

	for (; *at; at = &(*at)->next)
		if ((*at)->hash == hash && (*at)->key_size == key_size && memcmp((*at)->bytes, key, key_size) == 0)
			break;
	return at;
}

static inline unsigned char *chained_value(struct chained_node *node)
{
	return node->bytes + node->key_size;
}

/** A subject's get() from the key's node, which is NULL where there is none. */
static inline int chained_copy_out(struct chained_node *node, void *buffer, size_t buffer_size, size_t *value_size)
{
	if (!node)
		return -ENOENT;
	*value_size = node->value_size;
	if (node->value_size > buffer_size)
		return -ENOBUFS;
	memcpy(buffer, chained_value(node), node->value_size);
	return 0;
}

/** A node in no table, or NULL. `more`: bytes behind the value. */
static inline struct chained_node *chained_node_create(const struct chained_pair *pair, size_t more)
{
	struct chained_node *node = malloc(sizeof *node + pair->key_size + pair->value_size + more);

	if (!node)
		return NULL;
	node->hash = pair->hash;
	node->key_size = (uint32_t)pair->key_size;
	node->value_size = (uint32_t)pair->value_size & INT32_MAX;
	node->has_deadline = 0;
	memcpy(node->bytes, pair->key, pair->key_size);
	memcpy(chained_value(node), pair->value, pair->value_size);
	return node;
}

/** `at`: where find() found its key, or the end of its chain. The node that it replaces, or NULL. */
static inline struct chained_node *chained_link(struct chained *table, struct chained_node **at,
						struct chained_node *node)
{
	struct chained_node *old = *at;

	node->next = old ? old->next : NULL;
	*at = node;
	table->node_bytes += chained_allocated_bytes(node);
	if (old)
		table->node_bytes -= chained_allocated_bytes(old);
	else if (++table->count > table->mask)
		chained_grow(table);
	return old;
}

static inline struct chained_node *chained_unlink(struct chained *table, struct chained_node **at)
{
	struct chained_node *node = *at;

	*at = node->next;
	table->count--;
	table->node_bytes -= chained_allocated_bytes(node);
	return node;
}

/* ------------------------------------------------------------------ whole operations, for maps without deadlines */

static inline int chained_get(const struct chained *table, uint64_t hash, const void *key, size_t key_size,
			      void *buffer, size_t buffer_size, size_t *value_size)
{
	return chained_copy_out(*chained_find(table, hash, key, key_size), buffer, buffer_size, value_size);
}

/** Insert or replace, a value of the same size in place: 0 or -ENOMEM. *displaced: to be freed, or NULL. */
static inline int chained_put(struct chained *table, const struct chained_pair *pair, struct chained_node **displaced)
{
	struct chained_node **at = chained_find(table, pair->hash, pair->key, pair->key_size), *node;

	*displaced = NULL;
	if (*at && (*at)->value_size == pair->value_size) {
		memcpy(chained_value(*at), pair->value, pair->value_size);
		return 0;
	}
	node = chained_node_create(pair, 0);
	if (!node)
		return -ENOMEM;
	*displaced = chained_link(table, at, node);
	return 0;
}

/** To be freed; NULL if the key is absent. */
static inline struct chained_node *chained_remove(struct chained *table, uint64_t hash, const void *key,
						  size_t key_size)
{
	struct chained_node **at = chained_find(table, hash, key, key_size);

	return *at ? chained_unlink(table, at) : NULL;
}

#endif
