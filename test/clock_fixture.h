/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file clock_fixture.h
 * A clock that stands still until a test sets it, counts how often it is read, and goes into rcumap_options.
 */
#ifndef TEST_CLOCK_FIXTURE_H
#define TEST_CLOCK_FIXTURE_H

#include "fixture.h"

#define MS UINT64_C(1000000)
#define SECOND_MS UINT64_C(1000)
#define HOUR_MS (UINT64_C(3600) * 1000)

struct fixture_clock {
	_Atomic uint64_t ns, calls;
};

static inline uint64_t fixture_clock_read(void *ctx)
{
	struct fixture_clock *clock = (struct fixture_clock *)ctx;

	atomic_fetch_add_explicit(&clock->calls, 1, memory_order_relaxed);
	return atomic_load(&clock->ns);
}

static inline void fixture_clock_advance(struct fixture_clock *clock, uint64_t ms)
{
	atomic_fetch_add(&clock->ns, ms * MS);
}

/* A map of the turn's flavor that goes by `clock`, which stands at `ns`. */
static inline struct rcumap *fixture_clock_map(struct fixture_clock *clock, uint64_t ns)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.clock = fixture_clock_read;
	options.clock_ctx = clock;
	atomic_store(&clock->ns, ns);
	atomic_store(&clock->calls, 0);
	return fixture_map(&options);
}

/* Short keys and values that are strings. */
static inline int fixture_put_text(struct rcumap *map, const char *key, const char *value, uint64_t ttl_ms)
{
	return rcumap_put(map, key, strlen(key), value, strlen(value), ttl_ms, NULL);
}

static inline bool fixture_is_text(const struct rcumap *map, const char *key, const char *value)
{
	return fixture_holds(map, key, strlen(key), value, strlen(value), 0);
}

static inline bool fixture_is_absent(const struct rcumap *map, const char *key)
{
	return fixture_lacks(map, key, strlen(key));
}

/* What is left of the key's life; 0: it is absent. By rcumap_ttl() and rcumap_entry_ttl() alike, else -1. */
static inline uint64_t fixture_ttl(const struct rcumap *map, const char *key)
{
	uint64_t ttl_ms = 0, of_entry = 0;
	const struct rcumap_entry *entry;

	rcumap_read_lock(map);
	entry = rcumap_find(map, key, strlen(key));
	if (entry)
		of_entry = rcumap_entry_ttl(map, entry);
	rcumap_read_unlock(map);
	if (rcumap_ttl(map, key, strlen(key), &ttl_ms) == -ENOENT)
		ttl_ms = 0;
	return ttl_ms == of_entry ? ttl_ms : UINT64_MAX - 1;
}

/* The version under the key; 0: absent. */
static inline uint64_t fixture_version(const struct rcumap *map, const char *key)
{
	uint64_t version = 0;
	char buffer[256];

	return rcumap_get(map, key, strlen(key), buffer, sizeof buffer, NULL, &version) == 0 ? version : 0;
}

/* Put payload number `turn` under key `number`, with a life. */
static inline int fixture_put_ttl(struct rcumap *map, uint64_t number, uint64_t turn, uint64_t ttl_ms)
{
	unsigned char key[FIXTURE_KEY_MAX], value[32];
	size_t key_size = fixture_key(number, key);

	payload_fill(value, sizeof value, number, turn);
	return rcumap_put(map, key, key_size, value, sizeof value, ttl_ms, NULL);
}

static inline int fixture_touch(struct rcumap *map, uint64_t number, uint64_t ttl_ms)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);

	return rcumap_touch(map, key, key_size, ttl_ms);
}

/* For fixture_eventually(): has the map so many entries; so many hints at most? */
struct fixture_target {
	struct rcumap *map;
	uint64_t n;
};

static inline bool fixture_counts(void *ctx)
{
	const struct fixture_target *target = (const struct fixture_target *)ctx;

	return rcumap_count(target->map) == target->n;
}

static inline bool fixture_hints_at_most(void *ctx)
{
	const struct fixture_target *target = (const struct fixture_target *)ctx;

	return fixture_stats(target->map).hints <= target->n;
}

static inline bool fixture_hints_are(void *ctx)
{
	const struct fixture_target *target = (const struct fixture_target *)ctx;

	return fixture_stats(target->map).hints == target->n;
}

static inline bool fixture_eventually_counts(struct rcumap *map, uint64_t n)
{
	struct fixture_target target = { map, n };

	return fixture_eventually(fixture_counts, &target);
}

static inline bool fixture_eventually_hints_at_most(struct rcumap *map, uint64_t n)
{
	struct fixture_target target = { map, n };

	return fixture_eventually(fixture_hints_at_most, &target);
}

static inline bool fixture_eventually_hints_are(struct rcumap *map, uint64_t n)
{
	struct fixture_target target = { map, n };

	return fixture_eventually(fixture_hints_are, &target);
}

#endif
