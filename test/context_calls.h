/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file context_calls.h
 * What test_context.c calls: each function of the map, with all that makes a call right. It knows where it is called.
 */
#ifndef CONTEXT_CALLS_H
#define CONTEXT_CALLS_H

#include "child.h"
#include "clock_fixture.h"

enum context {
	IN_SECTION, /* R */
	IN_UPDATE, /* U */
	IN_SCAN, /* U */
	IN_REMOVED, /* C */
	IN_STALLED, /* C */
	OFFLINE, /* O: qsbr */
	UNREGISTERED, /* O: memb, qsbr */
	CONTEXTS
};

/* The value of each key is the key. Those that are there; and what was, and waits for its grace period. */
#define KEPT "kept" /* no row changes it but clear */
#define MINE "mine"
#define LIFE "life" /* has a deadline */
#define GONE "gone"
#define KEYS 3u

struct row;

struct scene {
	const struct row *row;
	enum context context;
	struct rcumap *map;
	const struct rcumap_entry *entry; /* at hand: found, given, or held */
	const char *entry_key;
	const struct rcumap_entry *held; /* by the test, before the call */
	const struct rcumap_entry *kept; /* what the row holds, and leaves */
	struct rcumap *made; /* likewise */
	_Atomic unsigned told;
	int result;
	_Atomic bool ready; /* what is written above is there, and GONE has gone */
	_Atomic bool called;
};

/* ------------------------------------------------------------------ the calls: 0, -EDEADLK, or else something is wrong */

static inline int is_wrong(int line, const char *what)
{
	diag("line %d: not so: %s", line, what);
	return -1;
}

#define NEED(condition)                                        \
	do {                                                   \
		if (!(condition))                              \
			return is_wrong(__LINE__, #condition); \
	} while (0)

static inline bool is_callback(const struct scene *s)
{
	return s->context == IN_REMOVED || s->context == IN_STALLED;
}

/* (4) */
static inline void open_section(const struct scene *s)
{
	if (is_callback(s))
		rcumap_read_lock(s->map);
}

static inline void close_section(const struct scene *s)
{
	if (is_callback(s))
		rcumap_read_unlock(s->map);
}

static inline bool entry_is(const struct rcumap_entry *entry, const char *key)
{
	size_t size = strlen(key);

	return entry && rcumap_entry_key_size(entry) == size && memcmp(rcumap_entry_key(entry), key, size) == 0 &&
	       rcumap_entry_value_size(entry) == size && memcmp(rcumap_entry_value(entry), key, size) == 0 &&
	       rcumap_entry_version(entry) != 0;
}

/* By a get, which may be called wherever something is written. */
static inline bool has(const struct rcumap *map, const char *key, const char *value)
{
	char got[32];
	size_t size = 0;

	return rcumap_get(map, key, strlen(key), got, sizeof got, &size, NULL) == 0 && size == strlen(value) &&
	       memcmp(got, value, size) == 0;
}

static inline bool lacks(const struct rcumap *map, const char *key)
{
	return rcumap_get(map, key, strlen(key), NULL, 0, NULL, NULL) == -ENOENT;
}

static inline uint64_t version_of(const struct rcumap *map, const char *key)
{
	uint64_t version = 0;

	rcumap_get(map, key, strlen(key), NULL, 0, NULL, &version);
	return version;
}

static inline int call_find(struct scene *s)
{
	bool found, absent;

	open_section(s);
	found = entry_is(rcumap_find(s->map, KEPT, 4), KEPT);
	absent = !rcumap_find(s->map, GONE, 4);
	close_section(s);
	NEED(found && absent);
	return 0;
}

static const struct rcumap_key three[] = { { KEPT, 4 }, { GONE, 4 }, { MINE, 4 } };

static inline int call_find_batch(struct scene *s)
{
	const struct rcumap_entry *entries[3] = { NULL, NULL, NULL };
	size_t found;
	bool right;

	open_section(s);
	found = rcumap_find_batch(s->map, three, 3, entries);
	right = entry_is(entries[0], KEPT) && !entries[1] && entry_is(entries[2], MINE);
	close_section(s);
	NEED(found == 2 && right);
	return 0;
}

static inline int call_accessors(struct scene *s)
{
	NEED(entry_is(s->entry, s->entry_key));
	NEED(rcumap_entry_ttl(s->map, s->entry) == RCUMAP_TTL_NEVER);
	return 0;
}

static inline int call_hold(struct scene *s)
{
	NEED(rcumap_hold(s->map, s->entry) == 0);
	s->kept = s->entry;
	return 0;
}

static inline int call_release(struct scene *s)
{
	rcumap_release(s->map, s->held);
	s->held = NULL;
	return 0;
}

static inline int call_get(struct scene *s)
{
	NEED(has(s->map, KEPT, KEPT) && has(s->map, LIFE, LIFE) && lacks(s->map, GONE));
	return 0;
}

static inline int call_get_batch(struct scene *s)
{
	char bytes[3][8];
	struct rcumap_copy copies[3];

	memset(copies, 0, sizeof copies);
	for (unsigned i = 0; i < 3; i++) {
		copies[i].buffer = bytes[i];
		copies[i].buffer_size = sizeof bytes[i];
	}
	NEED(rcumap_get_batch(s->map, three, 3, copies) == 2);
	NEED(copies[0].result == 0 && copies[0].value_size == 4 && memcmp(bytes[0], KEPT, 4) == 0);
	NEED(copies[1].result == -ENOENT);
	NEED(copies[2].result == 0 && copies[2].value_size == 4 && memcmp(bytes[2], MINE, 4) == 0);
	return 0;
}

static inline int call_ttl(struct scene *s)
{
	uint64_t ttl_ms = 0;

	NEED(rcumap_ttl(s->map, LIFE, 4, &ttl_ms) == 0 && ttl_ms > 0 && ttl_ms <= HOUR_MS);
	NEED(rcumap_ttl(s->map, KEPT, 4, &ttl_ms) == 0 && ttl_ms == RCUMAP_TTL_NEVER);
	NEED(rcumap_ttl(s->map, GONE, 4, &ttl_ms) == -ENOENT);
	return 0;
}

static inline int call_put(struct scene *s)
{
	uint64_t version = 0;

	NEED(rcumap_put(s->map, "new", 3, "one", 3, RCUMAP_TTL_DEFAULT, &version) == 0 && version);
	NEED(has(s->map, "new", "one") && version_of(s->map, "new") == version);
	NEED(rcumap_put(s->map, MINE, 4, "other", 5, HOUR_MS, NULL) == 0 && has(s->map, MINE, "other"));
	return 0;
}

static inline int call_add(struct scene *s)
{
	NEED(rcumap_add(s->map, "new", 3, "one", 3, RCUMAP_TTL_DEFAULT, NULL) == 0 && has(s->map, "new", "one"));
	NEED(rcumap_add(s->map, MINE, 4, "other", 5, RCUMAP_TTL_DEFAULT, NULL) == -EEXIST && has(s->map, MINE, MINE));
	return 0;
}

static inline int call_replace(struct scene *s)
{
	NEED(rcumap_replace(s->map, MINE, 4, "other", 5, HOUR_MS, NULL) == 0 && has(s->map, MINE, "other"));
	NEED(rcumap_replace(s->map, GONE, 4, "other", 5, HOUR_MS, NULL) == -ENOENT && lacks(s->map, GONE));
	return 0;
}

static inline int call_compare_and_swap(struct scene *s)
{
	uint64_t seen = version_of(s->map, MINE);

	NEED(rcumap_compare_and_swap(s->map, MINE, 4, seen, "other", 5, HOUR_MS, NULL) == 0);
	NEED(rcumap_compare_and_swap(s->map, MINE, 4, seen, "third", 5, HOUR_MS, NULL) == -ESTALE);
	NEED(has(s->map, MINE, "other"));
	return 0;
}

static inline int store_other(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	value->data = "other";
	value->size = 5;
	return entry_is(old, MINE) ? 0 : -EILSEQ;
}

static inline int remove_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)value;
	return old ? RCUMAP_REMOVE : -EILSEQ;
}

static inline int call_update(struct scene *s)
{
	NEED(rcumap_update(s->map, MINE, 4, store_other, NULL, NULL) == 0 && has(s->map, MINE, "other"));
	NEED(rcumap_update(s->map, MINE, 4, remove_it, NULL, NULL) == 0 && lacks(s->map, MINE));
	return 0;
}

static inline int call_touch(struct scene *s)
{
	uint64_t ttl_ms = 0;

	NEED(rcumap_touch(s->map, MINE, 4, HOUR_MS) == 0 && rcumap_ttl(s->map, MINE, 4, &ttl_ms) == 0);
	NEED(ttl_ms > 0 && ttl_ms <= HOUR_MS && has(s->map, MINE, MINE));
	NEED(rcumap_touch(s->map, LIFE, 4, RCUMAP_TTL_NEVER) == 0 && rcumap_ttl(s->map, LIFE, 4, &ttl_ms) == 0);
	NEED(ttl_ms == RCUMAP_TTL_NEVER && rcumap_touch(s->map, GONE, 4, HOUR_MS) == -ENOENT);
	return 0;
}

static inline int call_delete(struct scene *s)
{
	NEED(rcumap_delete(s->map, MINE, 4) == 0 && lacks(s->map, MINE));
	NEED(rcumap_delete(s->map, MINE, 4) == -ENOENT);
	return 0;
}

static inline int call_delete_if(struct scene *s)
{
	uint64_t seen = version_of(s->map, MINE);

	NEED(rcumap_delete_if(s->map, MINE, 4, seen + 1) == -ESTALE && has(s->map, MINE, MINE));
	NEED(rcumap_delete_if(s->map, MINE, 4, seen) == 0 && lacks(s->map, MINE));
	return 0;
}

static inline int call_clear(struct scene *s)
{
	NEED(rcumap_clear(s->map) == 0);
	NEED(rcumap_count(s->map) == 0 && lacks(s->map, KEPT));
	NEED(entry_is(s->entry, s->entry_key)); /* as long as it is at hand */
	return 0;
}

static inline int count_visit(void *ctx, const struct rcumap_entry *entry)
{
	(void)entry;
	++*(unsigned *)ctx;
	return 0;
}

static inline int call_scan(struct scene *s)
{
	uint64_t cursor = 0;
	unsigned visited = 0;
	int more;

	do
		more = rcumap_scan(s->map, &cursor, 1, count_visit, &visited);
	while (more == 1);
	NEED(more == 0 && visited == KEYS);
	return 0;
}

static inline int call_count(struct scene *s)
{
	NEED(rcumap_count(s->map) == KEYS);
	return 0;
}

static inline int call_stats(struct scene *s)
{
	struct rcumap_stats stats;

	NEED(rcumap_stats(s->map, &stats, sizeof stats) == 0);
	NEED(stats.entries == KEYS && stats.inserted == KEYS + 1 && stats.deleted == 1 && stats.expiring == 1);
	return 0;
}

static inline int load_new(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	(void)ctx;
	value->data = key;
	value->size = key_size;
	return 0;
}

static inline int call_get_or_load(struct scene *s)
{
	const char *const keys[] = { "new", KEPT }; /* a miss, a hit */

	for (unsigned i = 0; i < 2; i++) {
		const struct rcumap_entry *entry = NULL;
		struct rcumap_loader loader;
		int result;

		memset(&loader, 0, sizeof loader);
		loader.size = sizeof loader;
		loader.load = load_new;
		result = rcumap_get_or_load(s->map, keys[i], strlen(keys[i]), &loader, &entry);
		NEED(result ? !entry : entry_is(entry, keys[i]));
		if (result)
			return result;
		rcumap_release(s->map, entry);
	}
	return 0;
}

static inline int call_reserve(struct scene *s)
{
	return rcumap_reserve(s->map, 10000);
}

static inline int call_barrier(struct scene *s)
{
	int result = rcumap_barrier(s->map);

	NEED(result != 0 || atomic_load(&s->told) == 1);
	return result;
}

static inline int call_destroy(struct scene *s)
{
	int result = rcumap_destroy(s->map);

	if (!result)
		s->map = NULL;
	return result;
}

static inline int call_create(struct scene *s)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	NEED(rcumap_create(&s->made, &options) == 0);
	return 0;
}

/* Of a map of the bp flavor: the others are not for children. */
static inline int call_fork_handlers(struct scene *s)
{
	struct rcumap *map = NULL;
	const bool can_fork = CHILD_STARTS_THREADS && CHILD_OF_BUSY_THREADS;
	pid_t pid = 1;

	(void)s;
	NEED(rcumap_create(&map, NULL) == 0 && rcumap_put(map, "a", 1, "a", 1, RCUMAP_TTL_NEVER, NULL) == 0);
	rcumap_before_fork();
	if (can_fork)
		pid = child_fork();
	if (pid == 0) {
		rcumap_after_fork_child();
		_exit(has(map, "a", "a") && rcumap_delete(map, "a", 1) == 0 && rcumap_barrier(map) == 0 ? 0 : 1);
	}
	rcumap_after_fork_parent();
	NEED(!can_fork || child_ended_well(pid));
	NEED(has(map, "a", "a") && rcumap_barrier(map) == 0);
	return rcumap_destroy(map);
}

#endif
