/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file batch_fixture.h
 * What the tests of reading many keys and of visiting start from: arrays of keys by number, a clock that is set by hand,
 * and maps whose keys say their hash and whose tables are changed by hand.
 */
#ifndef BATCH_FIXTURE_H
#define BATCH_FIXTURE_H

#include "bare_fixture.h"
#include "table_fixture.h"

#include "protocol/migrate.h"

/* ------------------------------------------------------------------ keys by number */

struct batch_keys {
	unsigned char (*bytes)[FIXTURE_KEY_MAX];
	struct rcumap_key *keys;
	size_t n;
};

/* The keys of `n` numbers: numbers[i], or, without an array, i. */
static inline struct batch_keys batch_keys_new(const uint64_t *numbers, size_t n)
{
	struct batch_keys keys;

	keys.bytes = (unsigned char(*)[FIXTURE_KEY_MAX])malloc((n + 1) * sizeof *keys.bytes);
	keys.keys = (struct rcumap_key *)malloc((n + 1) * sizeof *keys.keys);
	keys.n = n;
	for (size_t i = 0; i < n; i++) {
		keys.keys[i].size = fixture_key(numbers ? numbers[i] : i, keys.bytes[i]);
		keys.keys[i].data = keys.bytes[i];
	}
	return keys;
}

static inline void batch_keys_free(struct batch_keys *keys)
{
	free(keys->bytes);
	free(keys->keys);
}

/* ------------------------------------------------------------------ a clock set by hand */

struct batch_clock {
	_Atomic uint64_t now_ns, calls;
};

static inline uint64_t batch_clock_fn(void *ctx)
{
	struct batch_clock *clock = (struct batch_clock *)ctx;

	atomic_fetch_add(&clock->calls, 1);
	return atomic_load(&clock->now_ns);
}

static inline void batch_clock_set(struct rcumap_options *options, struct batch_clock *clock)
{
	options->clock = batch_clock_fn;
	options->clock_ctx = clock;
}

/* ------------------------------------------------------------------ a map without a reclaimer */

/* Its keys are struct chain_key, which say their hash. */
static inline struct rcumap *batch_map(struct batch_clock *clock)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.hash = chain_hash_fn;
	if (clock)
		batch_clock_set(&options, clock);
	return bare_map(&options);
}

static inline void batch_put(struct rcumap *map, struct chain_key key, uint64_t ttl_ms)
{
	if (rcumap_put(map, &key, sizeof key, &key.number, sizeof key.number, ttl_ms, NULL) != 0)
		bail("a map without a reclaimer takes no key");
}

/* Start to move into a table of `bits`, one more or less than now, or go on with what was begun: `groups` of them. */
static inline void batch_resize(struct rcumap *map, unsigned bits, uint64_t groups)
{
	struct table *retired;

	rcumap_read_lock(map);
	if (!table_next(tables_current(&map->tables)) && tables_begin(&map->tables, bits) != 0)
		bail("tables_begin");
	if (migrate_sweep(&map->tables, groups, &retired) != 0)
		bail("migrate_sweep");
	rcumap_read_unlock(map);
	/* Nobody else uses the map. */
	if (retired)
		table_free(&map->tables, retired, &map->reclaimer.freer);
}

#endif
