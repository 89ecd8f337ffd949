/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Visiting: a walk in hash order, as clear.c. A position in hash order means the same place in every table, and each
 * bucket is read once, in the table that it lives in at that moment: so each hash is met once, however tables change.
 */
#include <errno.h>

#include "map/read.h"

/* Buckets that a call looks at, besides one for each entry that is asked for: where few entries are, its section
 * stays short all the same. */
#define BUCKETS_MORE 64u

struct scan {
	const struct rcumap *map;
	rcumap_visit_fn *visit;
	void *ctx;
	size_t visited;
};

/* Load each word of a line once, and fetch the entries. */
static void load_words(const struct line *line, uint64_t words[LINE_SLOTS])
{
	for (unsigned i = 0; i < LINE_SLOTS; i++) {
		words[i] = slot_load(line, i);
		if (slot_has_entry(words[i]))
			__builtin_prefetch(slot_entry(words[i]));
	}
}

/*
 * Visit what is in the bucket at `position`, from there on: entries before it have had their turn, in the bucket that
 * they were in before the table shrank. *last is set to the last hash that the bucket covers. 0 or -errno.
 *
 * A key that is present all along keeps its slot in the bucket, frozen or not: it is met once.
 */
static int visit_bucket(struct scan *scan, uint64_t position, uint64_t *last)
{
	const struct tables *tables = &scan->map->tables;
	const struct table *table;
	const struct line *line = bucket_open(tables, position, &table);
	const bool whole = position == table_first_hash(table, position);
	/* Before any word is loaded: what stands there and has expired by then was not displaced while it lived. */
	struct read_moment moment = { true, clock_coarse_us(&scan->map->clock) };

	*last = table_last_hash(table, position);
	for (; line; line = line_next(line)) {
		uint64_t words[LINE_SLOTS];

		load_words(line, words);
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			const struct rcumap_entry *entry = slot_entry(words[i]);

			if (!slot_has_entry(words[i]) || !read_is_alive_at(scan->map, entry, &moment))
				continue;
			if (!whole && hash_key(&tables->hash, entry_key(entry), entry->key_size) < position)
				continue;

			int result = scan->visit(scan->ctx, entry);

			if (result)
				return result < 0 ? result : -EINVAL;
			scan->visited++;
		}
	}
	return 0;
}

/* 1: there is more. 0: that was the end. -errno. *position goes on after each bucket that was visited whole. */
static int visit_some(struct scan *scan, uint64_t *position, size_t n)
{
	const size_t most = n < SIZE_MAX - BUCKETS_MORE ? n + BUCKETS_MORE : SIZE_MAX;

	for (size_t buckets = 0; buckets < most && scan->visited < n; buckets++) {
		uint64_t last;
		int result = visit_bucket(scan, *position, &last);

		if (result)
			return result;
		*position = last + 1;
		if (!*position)
			return 0;
	}
	return 1;
}

int rcumap_scan(const struct rcumap *map, uint64_t *cursor, size_t n, rcumap_visit_fn *visit, void *ctx)
{
	if (!map || !cursor || !visit || n == 0)
		return -EINVAL;
	map_assert_alive(map);

	struct scan scan = { .map = map, .visit = visit, .ctx = ctx };

	map->section->lock();

	int result = visit_some(&scan, cursor, n);

	map->section->unlock();
	return result;
}
