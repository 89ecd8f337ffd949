/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file fixture.h
 * What the tests of the public interface start from: maps of each flavor, keys and values by number, how much work to do,
 * and the seed of what is random.
 *
 * RCUMAP_TEST_SCALE=n   divides every long loop by n (default 1). Sanitized and debug builds divide by more already.
 * RCUMAP_TEST_FLAVOR=f  one flavor alone: bp, memb or qsbr (default: all three, one after the other).
 * RCUMAP_TEST_SEED=n    the seed of what is random, or the program's first argument; else a fresh one. It is printed.
 */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "tap.h"

#include "harness/clock.h"
#include "harness/flavor.h"
#include "harness/payload.h"
#include "harness/random.h"
#include "harness/sanitizer.h"
#include "harness/team.h"

#include <rcumap.h>

#include <dirent.h>
#include <semaphore.h>
#include <stdatomic.h>

#if defined(TEST_TSAN)
#define TEST_SLOWNESS 10u
#elif defined(TEST_ASAN)
#define TEST_SLOWNESS 5u
#elif defined(RCUMAP_DEBUG)
#define TEST_SLOWNESS 3u
#else
#define TEST_SLOWNESS 1u
#endif

/* Long enough on any machine; what it ends is a hang. */
#define TEST_WATCHDOG_S 110u

/* The flavor of fixture_each_flavor()'s turn; its thread is registered with it. */
static enum flavor fixture_flavor = FLAVOR_BP;

static inline const char *fixture_name(void)
{
	return flavor_names[fixture_flavor];
}

/* How much of `n` turns to make: at least `least`. */
static inline uint64_t fixture_scaled(uint64_t n, uint64_t least)
{
	const char *text = getenv("RCUMAP_TEST_SCALE");
	uint64_t scale = text ? strtoull(text, NULL, 10) : 1;

	n /= TEST_SLOWNESS * (scale ? scale : 1);
	return n > least ? n : least;
}

static inline uint64_t fixture_seed(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : getenv("RCUMAP_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : rng_fresh_seed();

	diag("seed %llu (RCUMAP_TEST_SEED=%llu repeats it)", (unsigned long long)seed, (unsigned long long)seed);
	return seed;
}

static inline void *fixture_nothing(void *arg)
{
	return arg;
}

/* Run `test` once for each flavor, in a thread that is registered with it. */
static inline void fixture_each_flavor(void (*test)(void))
{
	const char *only = getenv("RCUMAP_TEST_FLAVOR");
	pthread_t first;

	/* With a program's first thread ThreadSanitizer starts one of its own: not in the midst of a test that counts them. */
	if (pthread_create(&first, NULL, fixture_nothing, NULL) == 0)
		pthread_join(first, NULL);
	for (int i = 0; i < FLAVOR_COUNT; i++) {
		fixture_flavor = (enum flavor)i;
		if (only && strcmp(only, fixture_name()) != 0)
			continue;
		flavor_register(fixture_flavor);
		test();
		flavor_unregister(fixture_flavor);
	}
}

/* A map of the turn's flavor, with `options` for the rest; NULL: defaults. Ends the run if there is none. */
static inline struct rcumap *fixture_map(const struct rcumap_options *options)
{
	struct rcumap_options o;
	struct rcumap *map = NULL;
	int error;

	memset(&o, 0, sizeof o);
	if (options)
		o = *options;
	o.size = sizeof o;
	o.flavor = flavor_rcu(fixture_flavor);
	error = rcumap_create(&map, &o);
	if (error || !map)
		bail("rcumap_create (%s): %s", fixture_name(), strerror(-error));
	return map;
}

static inline void fixture_destroy(struct rcumap *map)
{
	int error = rcumap_destroy(map);

	if (error)
		bail("rcumap_destroy (%s): %s", fixture_name(), strerror(-error));
}

static inline struct rcumap_stats fixture_stats(const struct rcumap *map)
{
	struct rcumap_stats stats;
	int error = rcumap_stats(map, &stats, sizeof stats);

	if (error)
		bail("rcumap_stats (%s): %s", fixture_name(), strerror(-error));
	return stats;
}

/* Does the map hold exactly this value under the key, for find and get alike? With the version, if that is not 0. */
static inline bool fixture_holds(const struct rcumap *map, const void *key, size_t key_size, const void *value,
				 size_t value_size, uint64_t version)
{
	unsigned char *copy = (unsigned char *)malloc(value_size + 1);
	const struct rcumap_entry *entry;
	size_t got_size = 0;
	uint64_t got_version = 0;
	bool found;

	rcumap_read_lock(map);
	entry = rcumap_find(map, key, key_size);
	found = entry && rcumap_entry_key_size(entry) == key_size &&
		memcmp(rcumap_entry_key(entry), key, key_size) == 0 && rcumap_entry_value_size(entry) == value_size &&
		(value_size == 0 || memcmp(rcumap_entry_value(entry), value, value_size) == 0) &&
		rcumap_entry_version(entry) != 0 && (version == 0 || rcumap_entry_version(entry) == version);
	rcumap_read_unlock(map);

	found = found && rcumap_get(map, key, key_size, copy, value_size, &got_size, &got_version) == 0 &&
		got_size == value_size && (value_size == 0 || memcmp(copy, value, value_size) == 0) &&
		(version == 0 || got_version == version);
	free(copy);
	return found;
}

static inline bool fixture_lacks(const struct rcumap *map, const void *key, size_t key_size)
{
	bool absent;

	rcumap_read_lock(map);
	absent = rcumap_find(map, key, key_size) == NULL;
	rcumap_read_unlock(map);
	return absent && rcumap_get(map, key, key_size, NULL, 0, NULL, NULL) == -ENOENT;
}

/* The key of a number: 8 to 20 bytes, binary, with a common beginning of zeros for small numbers. Returns its size. */
#define FIXTURE_KEY_MAX 20u
static inline size_t fixture_key(uint64_t number, unsigned char key[FIXTURE_KEY_MAX])
{
	size_t size = 8 + number % 13;

	memset(key, 0, FIXTURE_KEY_MAX);
	for (unsigned i = 0; i < 8; i++)
		key[i] = (unsigned char)(number >> (56 - 8 * i));
	return size;
}

/** Find a numbered key's entry and hold it; NULL: it is absent. */
static inline const struct rcumap_entry *fixture_hold(struct rcumap *map, uint64_t number)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t size = fixture_key(number, key);
	const struct rcumap_entry *entry;

	rcumap_read_lock(map);
	entry = rcumap_find(map, key, size);
	if (entry && rcumap_hold(map, entry) != 0)
		bail("rcumap_hold");
	rcumap_read_unlock(map);
	return entry;
}

/* Put payload number `turn` of `size` bytes (24 to 256) under key `number`. */
#define FIXTURE_VALUE_MAX 256u
static inline int fixture_put(struct rcumap *map, uint64_t number, uint64_t turn, size_t size)
{
	unsigned char key[FIXTURE_KEY_MAX], value[FIXTURE_VALUE_MAX];
	size_t key_size = fixture_key(number, key);

	payload_fill(value, size, number, turn);
	return rcumap_put(map, key, key_size, value, size, RCUMAP_TTL_DEFAULT, NULL);
}

static inline int fixture_delete(struct rcumap *map, uint64_t number)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);

	return rcumap_delete(map, key, key_size);
}

/* What is under key `number`: -ENOENT, or 0 and the payload's turn; -EILSEQ if it is torn or a foreign key's. Opens a section. */
static inline int fixture_check(const struct rcumap *map, uint64_t number, uint64_t *turn)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);
	const struct rcumap_entry *entry;
	int result = -ENOENT;

	rcumap_read_lock(map);
	entry = rcumap_find(map, key, key_size);
	if (entry)
		result = payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, turn) ==
						 PAYLOAD_OK &&
					 rcumap_entry_key_size(entry) == key_size &&
					 memcmp(rcumap_entry_key(entry), key, key_size) == 0 ?
				 0 :
				 -EILSEQ;
	rcumap_read_unlock(map);
	return result;
}

/* Wait for a semaphore without holding back grace periods. */
static inline void fixture_wait(sem_t *sem)
{
	flavor_offline(fixture_flavor);
	while (sem_wait(sem) != 0)
		;
	flavor_online(fixture_flavor);
}

/* Run a team of the turn's flavor to its end. */
static inline void fixture_run(unsigned threads, void (*work)(struct team_member *), void *ctx)
{
	struct team_options options;

	memset(&options, 0, sizeof options);
	options.threads = threads;
	options.work = work;
	options.ctx = ctx;
	options.register_flavor = true;
	options.flavor = fixture_flavor;
	options.watchdog_s = TEST_WATCHDOG_S;
	flavor_offline(fixture_flavor);
	team_run(&options);
	flavor_online(fixture_flavor);
}

/* For what background threads do in their own time: true as soon as `holds` is, false if it is not within a minute. */
static inline bool fixture_eventually(bool (*holds)(void *ctx), void *ctx)
{
	uint64_t deadline = now_ns() + UINT64_C(60000000000);

	while (!holds(ctx)) {
		if (now_ns() > deadline)
			return false;
		flavor_offline(fixture_flavor);
		sleep_ns(1000000);
		flavor_online(fixture_flavor);
	}
	return true;
}

/* The process's threads. */
static inline unsigned fixture_threads(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		bail("/proc/self/task: %s", strerror(errno));
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static inline bool fixture_threads_are(void *ctx)
{
	return fixture_threads() == *(unsigned *)ctx;
}

/* Their number when none is just leaving: one that was joined stays in /proc for a moment. */
static inline unsigned fixture_threads_at_rest(void)
{
	unsigned n, same = 0, now = fixture_threads();

	for (n = now; same < 3; now = fixture_threads()) {
		same = now == n ? same + 1 : 0;
		n = now;
		sleep_ns(1000000);
	}
	return n;
}

#endif
