/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache in front of a slow source: many threads want the same few values, each of which is fetched once. What the source does not
 * have is remembered for a minute; a value that changes there is deleted here, also while an old one is being fetched.
 *
 *     cc example_load.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 16
#define USERS 4

/* ------------------------------------------------------------------ the source */

/* A database, say: it takes 20 ms to answer. */
struct source {
	atomic_uint asked;
	atomic_uint renamed; /* how often user 0 was */
};

static int fetch(struct source *source, const char *user, size_t size, char **record)
{
	const struct timespec delay = { .tv_nsec = 20000000 };
	unsigned renamed = atomic_load(&source->renamed);

	atomic_fetch_add(&source->asked, 1);
	nanosleep(&delay, NULL);
	if (size != 5 || user[4] < '0' || user[4] >= '0' + USERS)
		return -ENOENT;
	*record = malloc(64);
	if (!*record)
		return -ENOMEM;
	snprintf(*record, 64, "name of %.*s, version %u", (int)size, user, user[4] == '0' ? renamed : 0);
	return 0;
}

/* ------------------------------------------------------------------ the cache */

static int load(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	char *record;
	int error = fetch(ctx, key, key_size, &record);

	if (error)
		return error; /* those who wait for this key get it, too */
	value->data = record;
	value->size = strlen(record);
	value->ttl_ms = 60000;
	return 0;
}

static void unload(void *ctx, const struct rcumap_value *value)
{
	(void)ctx;
	free((void *)value->data);
}

struct cache {
	struct rcumap *map;
	struct source source;
	struct rcumap_loader loader;
};

/* 0, with a copy; -ENOENT: there is no such user; -ETIMEDOUT: the source is too slow. */
static int user_get(struct cache *cache, const char *user, char *record, size_t size)
{
	const struct rcumap_entry *entry;
	int error = rcumap_get_or_load(cache->map, user, strlen(user), &cache->loader, &entry);

	if (error)
		return error;
	snprintf(record, size, "%.*s", (int)rcumap_entry_value_size(entry), (const char *)rcumap_entry_value(entry));
	rcumap_release(cache->map, entry);
	return 0;
}

/* First there, then here: whoever asks after this has returned sees the new name. */
static void user_rename(struct cache *cache)
{
	atomic_fetch_add(&cache->source.renamed, 1);
	(void)rcumap_delete(cache->map, "user0", 5);
}

/* ------------------------------------------------------------------ threads */

static void *work(void *arg)
{
	struct cache *cache = arg;
	char record[64];
	long failed = 0;

	for (unsigned i = 0; i < USERS; i++) {
		char user[] = "user?";

		user[4] = (char)('0' + i);
		failed += user_get(cache, user, record, sizeof record) != 0;
	}
	failed += user_get(cache, "user9", record, sizeof record) != -ENOENT;
	return (void *)failed;
}

static long work_all(struct cache *cache)
{
	pthread_t threads[THREADS];
	long failed = 0;

	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, cache) != 0)
			exit(1);
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		failed += (long)result;
	}
	return failed;
}

int main(void)
{
	static struct cache cache;
	char record[64] = "";
	long failed;

	cache.loader = (struct rcumap_loader){
		.size = sizeof cache.loader, .load = load, .unload = unload, .ctx = &cache.source,
		.timeout_ms = 10000, .absent_ttl_ms = 60000
	};
	if (rcumap_create(&cache.map, NULL) != 0)
		return 1;
	failed = work_all(&cache);
	printf("%d threads asked for %d users and one that is not there: the source was asked %u times\n", THREADS, USERS,
	       atomic_load(&cache.source.asked));
	failed += atomic_load(&cache.source.asked) != USERS + 1;

	user_rename(&cache);
	failed += user_get(&cache, "user0", record, sizeof record) != 0 ||
		  strcmp(record, "name of user0, version 1") != 0;
	printf("%s\n", record);
	failed += rcumap_destroy(cache.map) != 0;
	return failed ? 1 : 0;
}
