/* SPDX-License-Identifier: BSD-2-Clause */
#include "limited.h"

#include "team.h"

#include <rcumap.h>

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHDOG_S 600u
/* A thread looks how much there is after so many misses of its own. */
#define LOOK_INTERVAL 16u
/* Of the limit, what is stored before garbage is waited for. */
#define GARBAGE_PART 128u
/* Entries may count that part less than the capacity. The limit is sought for half of that. */
#define FIT_PART 100u
#define REPLAYS_MAX 8u

struct replay {
	const struct trace *trace;
	const uint32_t *charges; /* NULL: the limit is on entries */
	uint64_t capacity, max_bytes;
	struct rcumap *map;
	unsigned char *value; /* of any object: only its size matters */
	_Atomic bool *fetched; /* by key: somebody has missed it and is about to store it */
	_Atomic uint64_t at;
	_Atomic uint64_t stored; /* bytes, since somebody waited for garbage */
	_Atomic uint64_t misses, missed_bytes, refused;
	/* Since the first eviction: how often, sum and most of what entries counted. */
	_Atomic uint64_t looks, entry_kib, most_bytes;
};

static _Noreturn void failed(const char *verb, int error)
{
	fprintf(stderr, "hitratio: %s: %s\n", verb, strerror(-error));
	exit(2);
}

static _Noreturn void exceeded(const char *what, uint64_t is, uint64_t limit)
{
	fprintf(stderr, "hitratio: %llu %s, %llu is the limit\n", (unsigned long long)is, what, (unsigned long long)limit);
	exit(1);
}

static void *array(uint64_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		failed("memory", -ENOMEM);
	return p;
}

/* ------------------------------------------------------------------------------------ memory */

/* An allocator of the user's: blocks count as they were asked for, and so entries of one size always alike. */
static void *block_alloc(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	return align <= _Alignof(max_align_t) ? malloc(size) : aligned_alloc(align, (size + align - 1) / align * align);
}

static void block_free(void *ctx, void *p, size_t size)
{
	(void)ctx;
	(void)size;
	free(p);
}

static struct rcumap *map_with_bytes(uint64_t max_bytes)
{
	const struct rcumap_options options = {
		.size = sizeof options,
		.allocator = { block_alloc, block_free, NULL },
		.max_bytes = max_bytes,
	};
	struct rcumap *map;
	int error = rcumap_create(&map, &options);

	if (error)
		failed("create", error);
	return map;
}

static struct rcumap_stats stats_of(const struct rcumap *map)
{
	struct rcumap_stats stats;
	int error = rcumap_stats(map, &stats, sizeof stats);

	if (error)
		failed("stats", error);
	return stats;
}

/* The limit's own errors say little without this. */
static _Noreturn void put_failed(const struct rcumap *map, const struct request *request, int error)
{
	const struct rcumap_stats stats = stats_of(map);
	const unsigned long long retired = stats.retired_bytes, pending = stats.retired_pending;

	fprintf(stderr,
		"hitratio: an object of %u bytes; entries count %llu, all %llu; %llu bytes in %llu entries await the end of "
		"grace period %llu\n",
		request->size, (unsigned long long)stats.entry_bytes, (unsigned long long)stats.accounted_bytes, retired, pending,
		(unsigned long long)stats.grace_periods);
	failed("put", error);
}

/* ------------------------------------------------------------------------------------ a replay */

static void look_at_bytes(struct replay *replay)
{
	const struct rcumap_stats stats = stats_of(replay->map);
	uint64_t most = atomic_load_explicit(&replay->most_bytes, memory_order_relaxed);

	if (stats.accounted_bytes > replay->max_bytes)
		exceeded("bytes", stats.accounted_bytes, replay->max_bytes);
	if (stats.evicted == 0)
		return;
	atomic_fetch_add_explicit(&replay->looks, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&replay->entry_kib, stats.entry_bytes / 1024, memory_order_relaxed);
	while (stats.entry_bytes > most &&
	       !atomic_compare_exchange_weak_explicit(&replay->most_bytes, &most, stats.entry_bytes, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

/* A count is exact but for what happens meanwhile. */
static void look_at_count(const struct replay *replay)
{
	uint64_t count = rcumap_count(replay->map);

	if (count > replay->capacity + LIMITED_THREADS_MAX)
		exceeded("entries", count, replay->capacity);
}

/* Fetches take time, in which garbage is given back. */
static void let_time_pass(struct replay *replay, uint64_t stored)
{
	if (atomic_fetch_add_explicit(&replay->stored, stored, memory_order_relaxed) + stored <
	    replay->max_bytes / GARBAGE_PART)
		return;
	atomic_store_explicit(&replay->stored, 0, memory_order_relaxed);

	int error = rcumap_barrier(replay->map);

	if (error)
		failed("barrier", error);
}

struct server {
	struct replay *replay;
	uint64_t misses, missed_bytes, refused;
};

static void store(struct server *server, const struct request *request)
{
	struct replay *replay = server->replay;
	int error;

	server->misses++;
	server->missed_bytes += request->size;
	if (replay->charges && replay->charges[request->key] > replay->capacity)
		return;
	error = rcumap_put(replay->map, &request->key, sizeof request->key, replay->value, replay->charges ? request->size : 1,
			   RCUMAP_TTL_DEFAULT, NULL);
	if (error == -EFBIG && replay->charges)
		server->refused++;
	else if (error)
		put_failed(replay->map, request, error);
	else if (replay->charges)
		let_time_pass(replay, replay->charges[request->key]);
	if (server->misses % LOOK_INTERVAL)
		return;
	if (replay->charges)
		look_at_bytes(replay);
	else
		look_at_count(replay);
}

/* Without a copy: -ENOBUFS tells that the key is there. */
static bool is_found(const struct replay *replay, const struct request *request)
{
	int error = rcumap_get(replay->map, &request->key, sizeof request->key, NULL, 0, NULL, NULL);

	if (error && error != -ENOENT && error != -ENOBUFS)
		failed("get", error);
	return error != -ENOENT;
}

/* Is the object another thread's to fetch? Then it has been stored in the end. */
static bool wait_for_fetch(struct replay *replay, const struct request *request)
{
	_Atomic bool *fetched = &replay->fetched[request->key];

	if (!atomic_exchange(fetched, true))
		return false;
	while (atomic_load(fetched))
		sched_yield();
	return true;
}

/* One after the other would find it: so who misses what is being fetched waits for that, as caches do in order not to fetch it
 * twice, and looks again. So does who has begun to fetch what has just been stored. */
static void serve_one(struct server *server, const struct request *request)
{
	struct replay *replay = server->replay;

	while (!is_found(replay, request)) {
		if (wait_for_fetch(replay, request))
			continue;
		if (!is_found(replay, request))
			store(server, request);
		atomic_store(&replay->fetched[request->key], false);
		return;
	}
}

static void serve(struct team_member *me)
{
	struct replay *replay = me->ctx;
	struct server server = { .replay = replay };
	uint64_t i;

	while ((i = atomic_fetch_add_explicit(&replay->at, 1, memory_order_relaxed)) < replay->trace->count)
		serve_one(&server, &replay->trace->requests[i]);
	atomic_fetch_add(&replay->misses, server.misses);
	atomic_fetch_add(&replay->missed_bytes, server.missed_bytes);
	atomic_fetch_add(&replay->refused, server.refused);
}

static struct misses replay_run(struct replay *replay, unsigned threads)
{
	const struct team_options team = { .threads = threads, .work = serve, .ctx = replay, .watchdog_s = WATCHDOG_S };

	replay->value = array(replay->trace->size_max + UINT64_C(1), 1);
	replay->fetched = array(replay->trace->keys, sizeof *replay->fetched);
	team_run(&team);
	free(replay->value);
	free(replay->fetched);
	return (struct misses){ replay->misses, replay->missed_bytes };
}

struct misses limited_by_entries(const struct trace *trace, uint64_t max_entries, unsigned threads)
{
	const struct rcumap_options options = { .size = sizeof options, .max_entries = max_entries };
	struct replay replay = { .trace = trace, .capacity = max_entries };
	int error = rcumap_create(&replay.map, &options);

	if (error)
		failed("create", error);

	struct misses misses = replay_run(&replay, threads);

	if (rcumap_count(replay.map) > max_entries)
		exceeded("entries", rcumap_count(replay.map), max_entries);
	rcumap_destroy(replay.map);
	return misses;
}

/* ------------------------------------------------------------------------------------ bytes */

uint32_t *limited_charges(const struct trace *trace)
{
	uint32_t *charges = array(trace->keys, sizeof *charges), *of_size = array(trace->size_max + UINT64_C(1), sizeof *of_size);
	unsigned char *value = array(trace->size_max + UINT64_C(1), 1);
	/* Room for some of the largest: what was deleted counts, too, until its grace period is over. */
	struct rcumap *map = map_with_bytes(8 * (uint64_t)trace->size_max + (UINT64_C(64) << 20));

	for (uint64_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		uint32_t *charge = &of_size[request->size];

		if (*charge == 0) {
			int error = rcumap_put(map, &request->key, sizeof request->key, value, request->size,
					       RCUMAP_TTL_DEFAULT, NULL);

			if (error)
				put_failed(map, request, error);
			*charge = (uint32_t)stats_of(map).entry_bytes;
			rcumap_delete(map, &request->key, sizeof request->key);
		}
		charges[request->key] = *charge;
	}
	rcumap_destroy(map);
	free(value);
	free(of_size);
	return charges;
}

static struct misses run_with(const struct trace *trace, const uint32_t *charges, uint64_t capacity, unsigned threads,
			      struct limited_fit *fit)
{
	struct replay replay = {
		.trace = trace,
		.charges = charges,
		.capacity = capacity,
		.max_bytes = fit->max_bytes,
		.map = map_with_bytes(fit->max_bytes),
	};
	struct misses misses = replay_run(&replay, threads);

	look_at_bytes(&replay);
	fit->entry_bytes = replay.looks ? 1024 * replay.entry_kib / replay.looks : stats_of(replay.map).entry_bytes;
	fit->most_bytes = replay.looks ? replay.most_bytes : fit->entry_bytes;
	fit->entries = rcumap_count(replay.map);
	fit->refused = replay.refused;
	fit->replays++;
	rcumap_destroy(replay.map);
	return misses;
}

/* To begin with: what maps were seen to need beside, a part for garbage and records, and for each entry its place in the table. */
static uint64_t guess(const struct trace *trace, const uint32_t *charges, uint64_t capacity)
{
	double total = 0;

	for (uint32_t key = 0; key < trace->keys; key++)
		total += charges[key];
	return (uint64_t)(1.15 * (double)capacity + 48 * (double)capacity * trace->keys / total) + RCUMAP_MAX_BYTES_MIN / 4;
}

static uint64_t at_least(uint64_t bytes, uint64_t least)
{
	return bytes < least ? least : bytes;
}

/* What is no entry takes about as much with a slightly different limit, so the next try is that much larger or smaller. Of
 * those that fit the fullest counts. */
struct misses limited_by_bytes(const struct trace *trace, const uint32_t *charges, uint64_t capacity, unsigned threads,
			       struct limited_fit *fit)
{
	const uint64_t wanted = capacity - capacity / FIT_PART / 2;
	struct limited_fit tried = { .max_bytes = fit->max_bytes };
	struct limited_fit best = { 0 };
	struct misses misses = { 0 };

	if (!tried.max_bytes)
		tried.max_bytes = at_least(guess(trace, charges, capacity), RCUMAP_MAX_BYTES_MIN);
	while (tried.replays < REPLAYS_MAX && best.entry_bytes < capacity - capacity / FIT_PART) {
		struct misses result = run_with(trace, charges, capacity, threads, &tried);

		if (tried.entry_bytes <= capacity && tried.entry_bytes > best.entry_bytes) {
			best = tried;
			misses = result;
		}
		best.replays = tried.replays;
		tried.max_bytes = at_least(tried.max_bytes + wanted - tried.entry_bytes, RCUMAP_MAX_BYTES_MIN);
	}
	if (!best.entry_bytes) {
		fprintf(stderr, "hitratio: no limit found with which entries count %llu bytes\n", (unsigned long long)capacity);
		exit(2);
	}
	*fit = best;
	return misses;
}
