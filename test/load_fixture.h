/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file load_fixture.h
 * What the tests of rcumap_get_or_load() share: loaders that count, fail, and wait at a gate; threads that call.
 */
#ifndef TEST_LOAD_FIXTURE_H
#define TEST_LOAD_FIXTURE_H

#include "clock_fixture.h"

#define KEY "key"

/* A source of values whose loads wait at a gate. */
struct source {
	struct rcumap *map;
	_Atomic unsigned loads, unloads, running, running_most;
	int result; /* what a load returns */
	const char *value;
	uint64_t ttl_ms; /* 0 with ttl_is_set, else as preset */
	bool ttl_is_set;
	sem_t *begun, *may_end; /* NULL: no gate */
	int (*inside)(struct source *s);
	int inside_result;
};

static inline void note_running(struct source *s)
{
	unsigned now = atomic_fetch_add(&s->running, 1) + 1, most = atomic_load(&s->running_most);

	while (now > most && !atomic_compare_exchange_weak(&s->running_most, &most, now))
		;
}

static inline void wait_sem(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		;
}

static inline int load(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	struct source *s = ctx;

	(void)key;
	(void)key_size;
	note_running(s);
	atomic_fetch_add(&s->loads, 1);
	if (s->begun)
		sem_post(s->begun);
	if (s->may_end)
		wait_sem(s->may_end);
	if (s->inside)
		s->inside_result = s->inside(s);
	value->data = s->value;
	value->size = s->value ? strlen(s->value) : 0;
	if (s->ttl_is_set)
		value->ttl_ms = s->ttl_ms;
	atomic_fetch_sub(&s->running, 1);
	return s->result;
}

static inline void unload(void *ctx, const struct rcumap_value *value)
{
	struct source *s = ctx;

	if (value->data == s->value)
		atomic_fetch_add(&s->unloads, 1);
}

static inline struct rcumap_loader loader_of(struct source *s)
{
	return (struct rcumap_loader){
		.size = sizeof(struct rcumap_loader), .load = load, .unload = unload, .ctx = s, .timeout_ms = RCUMAP_WAIT_FOREVER
	};
}

/* Is it an entry of `key` with this value? */
static inline bool is_entry(const struct rcumap_entry *entry, const char *key, const char *value)
{
	return entry && rcumap_entry_key_size(entry) == strlen(key) &&
	       memcmp(rcumap_entry_key(entry), key, strlen(key)) == 0 &&
	       rcumap_entry_value_size(entry) == strlen(value) &&
	       memcmp(rcumap_entry_value(entry), value, strlen(value)) == 0 && rcumap_entry_version(entry) != 0;
}

/* 0 if the call gives an entry with `value`, which is given back; else its error, or -EILSEQ. */
static inline int get(struct rcumap *map, const char *key, const struct rcumap_loader *loader, const char *value)
{
	const struct rcumap_entry *entry = NULL;
	int result = rcumap_get_or_load(map, key, strlen(key), loader, &entry);

	if (result)
		return entry ? -EILSEQ : result;
	result = is_entry(entry, key, value) ? 0 : -EILSEQ;
	rcumap_release(map, entry);
	return result;
}

/* Nothing is left that the map's owner could see but `entries` entries. */
static inline bool is_tidy(struct rcumap *map, uint64_t entries)
{
	bool barrier = rcumap_barrier(map) == 0;
	struct rcumap_stats stats = fixture_stats(map);

	return barrier && stats.entries == entries && stats.held_entries == 0 && stats.held_bytes == 0 &&
	       stats.retired_pending == 0 && stats.retired_bytes == 0 &&
	       stats.entries == stats.inserted - stats.deleted - stats.expired - stats.evicted;
}

/* ------------------------------------------------------------------ another thread that calls */

struct caller {
	struct rcumap *map;
	const char *key, *value;
	struct rcumap_loader loader;
	int result;
	pthread_t thread;
};

static inline void *call(void *arg)
{
	struct caller *c = arg;

	flavor_register(fixture_flavor);
	c->result = get(c->map, c->key, &c->loader, c->value);
	flavor_unregister(fixture_flavor);
	return NULL;
}

static inline void start(struct caller *c)
{
	if (pthread_create(&c->thread, NULL, call, c) != 0)
		bail("pthread_create");
}

static inline int join(struct caller *c)
{
	flavor_offline(fixture_flavor);
	if (pthread_join(c->thread, NULL) != 0)
		bail("pthread_join");
	flavor_online(fixture_flavor);
	return c->result;
}

/* A load of KEY that has begun in another thread, and ends when it may. */
struct shared {
	struct source source;
	struct caller caller;
	sem_t begun, may_end;
};

static inline void take_off(struct shared *f, struct rcumap *map, const char *value, int result)
{
	memset(f, 0, sizeof *f);
	sem_init(&f->begun, 0, 0);
	sem_init(&f->may_end, 0, 0);
	f->source = (struct source){ .map = map, .value = value, .result = result, .begun = &f->begun, .may_end = &f->may_end };
	f->caller = (struct caller){ .map = map, .key = KEY, .value = value, .loader = loader_of(&f->source) };
	start(&f->caller);
	fixture_wait(&f->begun);
}

static inline int land(struct shared *f)
{
	int result;

	sem_post(&f->may_end);
	result = join(&f->caller);
	sem_destroy(&f->begun);
	sem_destroy(&f->may_end);
	return result;
}

#endif
