/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file evict_fixture.h
 * What the tests of maps with a limit look at: who is in the map, without warming anybody; what stands in slot words; whether
 * the books balance.
 */
#ifndef EVICT_FIXTURE_H
#define EVICT_FIXTURE_H

#include "bare_fixture.h"

#include "map/evict.h"
#include "protocol/route.h"

static inline struct rcumap_options limit_options(uint64_t max_entries)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.max_entries = max_entries;
	return options;
}

/* A map of the turn's flavor with a limit. */
static inline struct rcumap *limit_map(uint64_t max_entries)
{
	struct rcumap_options options = limit_options(max_entries);

	return fixture_map(&options);
}

/* The same without a reclaimer, with a table that is as large as it gets. */
static inline struct rcumap *limit_bare_map(uint64_t max_entries)
{
	struct rcumap_options options = limit_options(max_entries);

	options.capacity = max_entries;
	return bare_map(&options);
}

/* ------------------------------------------------------------------ who is there */

static inline int limit_count_up(void *ctx, const struct rcumap_entry *entry)
{
	(void)entry;
	++*(uint64_t *)ctx;
	return 0;
}

/* Living entries, by looking at each. With nobody writing. */
static inline uint64_t limit_scanned(const struct rcumap *map)
{
	uint64_t cursor = 0, n = 0;

	while (rcumap_scan(map, &cursor, 256, limit_count_up, &n) > 0)
		;
	return n;
}

/* The slot word of a key, 0 if it is absent; as a writer finds it: nothing gets warmer. The table too, if wanted. */
static inline uint64_t limit_word(struct rcumap *map, uint64_t number, struct table **of)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);
	struct bucket_view view;
	struct table *table;
	uint64_t word = 0;
	int error;

	rcumap_read_lock(map);
	table = route_bucket(&map->tables, hash_key(&map->tables.hash, key, key_size), &view, &error);
	if (!table)
		bail("route_bucket: %d", error);
	bucket_scan(&view, key, key_size);
	if (view.entry)
		word = view.entry_word;
	rcumap_read_unlock(map);
	if (of)
		*of = table;
	return word;
}

static inline bool limit_has(struct rcumap *map, uint64_t number)
{
	return limit_word(map, number, NULL) != 0;
}

/* Of the keys from `first` on, so many: how many are there? */
static inline uint64_t limit_present(struct rcumap *map, uint64_t first, uint64_t count)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < count; i++) {
		n += limit_has(map, first + i);
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	return n;
}

/* The word of what was evicted from the bucket of a key, and the key's fingerprint. */
static inline ghost_word *limit_ghost(struct rcumap *map, uint64_t number, uint32_t *fingerprint)
{
	unsigned char key[FIXTURE_KEY_MAX];
	uint64_t hash = hash_key(&map->tables.hash, key, fixture_key(number, key));
	struct table *table;

	(void)limit_word(map, number, &table);
	*fingerprint = ghost_fingerprint(hash);
	return table_ghost(table, hash);
}

static inline bool limit_remembers(struct rcumap *map, uint64_t number)
{
	uint32_t fingerprint, word = atomic_load(limit_ghost(map, number, &fingerprint));

	for (unsigned shift = 0; shift < 32; shift += 8)
		if ((word >> shift & 255) == fingerprint)
			return true;
	return false;
}

/* ------------------------------------------------------------------ the books */

/* Entries in the main part: by the marks in all buckets, and by the tally. With nobody writing. */
static inline int64_t limit_marked(struct rcumap *map)
{
	uint64_t hash = 0, last;
	int64_t n = 0;

	do {
		struct bucket_view view;
		int error;

		rcumap_read_lock(map);

		struct table *table = route_bucket(&map->tables, hash, &view, &error);

		if (!table)
			bail("route_bucket: %d", error);
		for (struct line *line = view.line; line; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++) {
				uint64_t word = slot_load(line, i);

				n += slot_has_entry(word) && (word & SLOT_MAIN);
			}
		last = table_last_hash(table, hash);
		rcumap_read_unlock(map);
		hash = last + 1;
	} while (last != UINT64_MAX);
	return n;
}

static inline int64_t limit_tallied(const struct rcumap *map)
{
	int64_t n = tally_total(&map->eviction.main);

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		n += atomic_load(&((struct rcumap *)map)->eviction.main.stripe[s].behind);
	return n;
}

/* With nobody writing, and nothing left that has expired: is everything accounted for, and the limit kept? */
static inline bool limit_balances(struct rcumap *map)
{
	const struct quota *quota = &map->eviction.entries;
	struct rcumap_stats s = fixture_stats(map);
	uint64_t units = atomic_load(&((struct quota *)quota)->pool) + quota_reserved(quota), scanned = limit_scanned(map);
	int64_t marked = limit_marked(map), tallied = limit_tallied(map);
	bool good = s.inserted - s.deleted - s.expired - s.evicted == s.entries && s.entries == scanned &&
		    s.entries <= quota->limit && units + s.entries == quota->limit && marked == tallied;

	if (!good)
		diag("inserted %llu, deleted %llu, expired %llu, evicted %llu, entries %llu, found %llu, limit %llu, "
		     "free units %llu; in the main part %lld, tallied %lld",
		     (unsigned long long)s.inserted, (unsigned long long)s.deleted, (unsigned long long)s.expired,
		     (unsigned long long)s.evicted, (unsigned long long)s.entries, (unsigned long long)scanned,
		     (unsigned long long)quota->limit, (unsigned long long)units, (long long)marked, (long long)tallied);
	return good;
}

/* Entries by what was counted so far, whatever the limit. */
static inline uint64_t limit_summed(const struct rcumap *map)
{
	struct rcumap_stats s = fixture_stats(map);

	return s.inserted - s.deleted - s.expired - s.evicted;
}

static inline uint64_t limit_evicted(const struct rcumap *map)
{
	return fixture_stats(map).evicted;
}

/* Put keys from `first` on until one more evicts: so many went in. LIMIT_NONE: a put failed, or `most` and one more did not
 * evict. Alone. */
#define LIMIT_NONE UINT64_MAX
static inline uint64_t limit_room(struct rcumap *map, uint64_t first, uint64_t most)
{
	const uint64_t evicted = limit_evicted(map);

	for (uint64_t n = 0; n <= most; n++) {
		if (fixture_put(map, first + n, 1, 24) != 0)
			return LIMIT_NONE;
		if (limit_evicted(map) != evicted)
			return n;
		flavor_quiescent(fixture_flavor);
	}
	return LIMIT_NONE;
}

/* ------------------------------------------------------------------ who evicts */

/* How much the calling thread has evicted, and the reclaimer, until now. */
struct evict_watch {
	struct rcumap_stats stats;
	uint64_t own, waits; /* the thread's; tries that somebody has waited for */
	bool migrates;
};

static inline struct evict_watch evict_watch(struct rcumap *map)
{
	struct evict_watch watch = { .stats = fixture_stats(map) };

	/* The only thread that stores, and the reclaimer: a stripe each. */
	watch.own = atomic_load(&map->stripe[stripe_index()].evicted);
	pthread_mutex_lock(&map->reclaimer.lock);
	watch.waits = map->spare.waits;
	pthread_mutex_unlock(&map->reclaimer.lock);
	map->section->lock();
	watch.migrates = table_next(tables_current(&map->tables));
	map->section->unlock();
	return watch;
}

/* Between the two: by the thread, by the reclaimer; was somebody waiting, and how often did he try; did entries migrate? */
struct evict_since {
	uint64_t own, theirs, tries;
	bool waited, migrated;
};

static inline struct evict_since evict_since(const struct evict_watch *before, const struct evict_watch *now)
{
	const uint64_t own = now->own - before->own;
	const bool waited = now->stats.waited != before->stats.waited;

	return (struct evict_since){
		.own = own,
		.theirs = now->stats.evicted - before->stats.evicted - own,
		.waited = waited,
		/* Who waits tries again at once, and after each wait. */
		.tries = waited ? 2 + now->waits - before->waits : 1,
		.migrated = before->migrates || now->migrates || now->stats.grown != before->stats.grown,
	};
}

#endif
