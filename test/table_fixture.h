/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file table_fixture.h
 * What the tests of protocol/ start from: a chain of tables without a map, whose memory is counted, and entries of any hash.
 *
 * Entries belong to the chain and stay until its end, so no sections are needed: nothing that was reachable goes.
 */
#ifndef TABLE_FIXTURE_H
#define TABLE_FIXTURE_H

#include "checked_allocator.h"
#include "fixture.h"

#include "protocol/bucket.h"
#include "protocol/table.h"

struct chain_node {
	struct chain_node *next;
	_Alignas(16) struct rcumap_entry entry; /* with room for a key of 16 bytes behind it */
};

struct chain {
	struct tables tables;
	struct memory memory;
	struct fault_allocator allocator;
	struct slab_freer freer;
	struct chain_node *_Atomic nodes;
	_Atomic uint64_t versions, hashed; /* keys */
};

/* The inverse of hash_mix(). */
static inline uint64_t chain_unmix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0x9cb4b2f8129337db);
	h ^= h >> 33;
	h *= UINT64_C(0x4f74430c22a54005);
	return h ^ h >> 33;
}

/* A key: two keys of one hash differ in their number. */
struct chain_key {
	uint64_t hash, number;
};

/* What is in the key comes out of hash_key(). */
static inline uint64_t chain_hash_fn(void *ctx, const void *key, size_t key_size)
{
	struct chain *chain = (struct chain *)ctx;
	uint64_t hash;

	(void)key_size;
	if (chain)
		atomic_fetch_add(&chain->hashed, 1);
	memcpy(&hash, key, sizeof hash);
	return chain_unmix(hash);
}

static inline struct chain *chain_new(unsigned size)
{
	struct chain *chain = (struct chain *)aligned_alloc(64, (sizeof *chain + 63) & ~(size_t)63);
	struct hash hash = hash_with(chain_hash_fn, chain, 0);

	memset(chain, 0, sizeof *chain);
	fault_init(&chain->allocator);

	struct rcumap_allocator user = fault_allocator(&chain->allocator);

	memory_init(&chain->memory, &user);
	if (tables_init(&chain->tables, &chain->memory, &hash, size, false) != 0)
		bail("tables_init");
	return chain;
}

/* Frees tables and entries; true if nothing of the tables is left. */
static inline bool chain_delete(struct chain *chain)
{
	bool settled;

	tables_fini(&chain->tables, &chain->freer);
	memory_fini(&chain->memory);
	settled = fault_settled(&chain->allocator);
	for (struct chain_node *node = atomic_load(&chain->nodes), *next; node; node = next) {
		next = node->next;
		free(node);
	}
	free(chain);
	return settled;
}

static inline struct table *chain_table(struct chain *chain)
{
	return tables_current(&chain->tables);
}

/* A fresh entry with a version of its own, in no table. Any thread. */
static inline struct rcumap_entry *chain_entry(struct chain *chain, struct chain_key key)
{
	struct chain_node *node = (struct chain_node *)aligned_alloc(16, sizeof *node + sizeof key);

	entry_set_head(&node->entry, atomic_fetch_add(&chain->versions, 1) + 1, 0, false);
	entry_fill(&node->entry, &key, sizeof key, NULL, 0, false);
	node->next = atomic_load(&chain->nodes);
	while (!atomic_compare_exchange_weak(&chain->nodes, &node->next, node))
		;
	return &node->entry;
}

/* What a writer sees of a bucket that is IDLE. */
static inline struct bucket_view chain_view(struct table *table, struct chain_key key)
{
	struct bucket_view view = { .line = table_line(table, key.hash), .tag = table_tag(table, key.hash) };

	view.ctl = ctl_load(view.line);
	bucket_scan(&view, &key, sizeof key);
	return view;
}

/* Insert an entry of the key into `table`, chaining lines as needed. */
static inline struct rcumap_entry *chain_put(struct chain *chain, struct table *table, struct chain_key key)
{
	struct rcumap_entry *entry = chain_entry(chain, key);

	for (;;) {
		struct bucket_view view = chain_view(table, key);
		struct line *line = NULL;

		if (view.empty_line && bucket_insert(&view, entry))
			return entry;
		if (view.empty_line || table_alloc_line(&chain->tables, LINE_OPEN, &line) != 0)
			bail("a bucket cannot be filled");
		if (!bucket_extend(table, &view, line))
			bail("a bucket cannot be extended");
	}
}

/* As a reader: through the chain of tables. */
static inline const struct rcumap_entry *chain_find(const struct chain *chain, struct chain_key key)
{
	return bucket_find(&chain->tables, hash_key(&chain->tables.hash, &key, sizeof key), &key, sizeof key);
}

/* Entries in the bucket at `line`. */
static inline unsigned chain_count(const struct line *line)
{
	unsigned n = 0;

	for (; line; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++)
			n += slot_has_entry(slot_load(line, i));
	return n;
}

/* Lines of the bucket at `line`. */
static inline unsigned chain_lines(const struct line *line)
{
	unsigned n = 0;

	for (; line; line = line_next(line))
		n++;
	return n;
}

/* A hash in bucket `index` of a table of that size, the rest of it from `rest`. */
static inline uint64_t chain_hash_in(unsigned size, uint64_t index, uint64_t rest)
{
	const uint64_t first = size_first_hash(size_buckets(size), index), last = size_first_hash(size_buckets(size), index + 1) - 1;

	return first + rest % (last - first + 1);
}

/* Entries that are in a chain of tables. */
struct content {
	struct chain_key *keys;
	struct rcumap_entry **entries;
	unsigned count;
};

/* `count` entries of random hashes in the current table; their first `zero_bits` bits are zero. */
static inline struct content content_fill(struct chain *chain, unsigned count, unsigned zero_bits, struct rng *rng)
{
	struct content content = { (struct chain_key *)malloc(count * sizeof(struct chain_key)),
				   (struct rcumap_entry **)malloc(count * sizeof(struct rcumap_entry *)), count };

	for (unsigned i = 0; i < count; i++) {
		content.keys[i] = (struct chain_key){ rng_u64(rng) >> zero_bits, i };
		content.entries[i] = chain_put(chain, chain_table(chain), content.keys[i]);
	}
	return content;
}

static inline void content_free(struct content *content)
{
	free(content->keys);
	free(content->entries);
}

/* Entries that a reader does not find. */
static inline unsigned content_missing(const struct chain *chain, const struct content *content)
{
	unsigned n = 0;

	for (unsigned i = 0; i < content->count; i++)
		n += chain_find(chain, content->keys[i]) != content->entries[i];
	return n;
}

#endif
