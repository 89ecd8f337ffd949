/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librcumap: what max_bytes bounds, and what a limit costs.
 *
 *     resident   what the kernel says the process occupies, beyond what it did before the map, against the limit: ten times as
 *                much as fits, from eight threads, then overwritten by larger values, with a reader who stays in his section for
 *                ten seconds in the middle. It depends on malloc, which rounds up and keeps what was freed: judged with jemalloc
 *                (LD_PRELOAD), told with any other
 *     puts       at the limit, by one writer, each of a new key, so that each evicts: p99.9 against p50
 *     gets       of what is there, in a map at its limit and in one without a limit that has the same pairs, by turns; alone, and
 *                beside one writer
 *
 * Each also with max_entries, where entries come from the map's own slab. What depends on malloc is judged with jemalloc: with
 * the C library's, entries lie on small pages, in two lines each, and nothing slows down who writes large values.
 */
#include "args.h"
#include "clock.h"
#include "flavor.h"
#include "format.h"
#include "histogram.h"
#include "machine.h"
#include "pair.h"
#include "payload.h"
#include "report.h"
#include "resident.h"
#include "team.h"

#include <rcumap.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* What must hold. */
#define RESIDENT_TIMES 1.2
#define TAIL_TIMES 20.0
#define GET_TIMES 0.8

#define THREADS 8u
#define VALUE_MIN 1024u
#define VALUE_MAX 65536u
#define LARGER_MAX (VALUE_MAX + VALUE_MAX / 2)
#define FACTOR 10u
/* Of those that a thread stored last it overwrites one. */
#define RECENT 64u
#define SAMPLE_NS 1000000u

#define GET_ROUNDS 15u
/* About what a pair takes in all: a limit on entries for each on bytes. */
#define ENTRY_BYTES 128u

static enum flavor flavor;

static void demand(const char *what, int result)
{
	if (result == 0)
		return;
	fprintf(stderr, "limits: %s returned %d\n", what, result);
	exit(2);
}

static const char *judge(bool judged, bool holds)
{
	return !judged ? "not judged" : holds ? "holds" : "MISSED";
}

/* On bytes, or on entries; 0: none. */
struct limit {
	uint64_t bytes, entries;
};

static struct rcumap *create(struct limit limit)
{
	struct rcumap_options options = { .size = sizeof options,
					  .flavor = flavor_rcu(flavor),
					  .max_bytes = limit.bytes,
					  .max_entries = limit.entries,
					  .wait_ms = limit.bytes && flavor == FLAVOR_QSBR ? 1000 : 0 };
	struct rcumap *map = NULL;

	demand("create", rcumap_create(&map, &options));
	return map;
}

static struct rcumap_stats stats_of(const struct rcumap *map)
{
	struct rcumap_stats stats;

	demand("stats", rcumap_stats(map, &stats, sizeof stats));
	return stats;
}

/* ------------------------------------------------------------------------------------ resident */

struct fill {
	struct rcumap *map;
	uint64_t limit, stay_ns;
	_Atomic bool ready[THREADS], go;
	_Atomic unsigned filled, done;
	_Atomic bool stayed;
	_Atomic uint64_t stored, refused;
};

static void put_one(struct fill *f, unsigned char *value, uint64_t id, size_t size)
{
	unsigned char key[PAIR_KEY_SIZE];
	int result;

	pair_key(key, id);
	payload_fill(value, size, id, size);
	result = rcumap_put(f->map, key, sizeof key, value, size, RCUMAP_TTL_NEVER, NULL);
	if (result != -ENOSPC)
		demand("put", result);
	atomic_fetch_add_explicit(result ? &f->refused : &f->stored, 1, memory_order_relaxed); /* figures */
	flavor_quiescent(flavor);
}

static void fill_and_overwrite(struct team_member *me)
{
	struct fill *f = me->ctx;
	const uint64_t share = FACTOR * f->limit / THREADS, first = (uint64_t)(me->index + 1) << 40;
	unsigned char *value = malloc(LARGER_MAX);
	uint64_t n = 0, sum = 0;
	struct rng rng;

	if (!value)
		demand("memory", -ENOMEM);
	memset(value, 1, LARGER_MAX); /* it is there before the map is */
	rng_init_stream(&rng, 1, me->index);
	atomic_store(&f->ready[me->index], true);
	flavor_offline(flavor);
	while (!atomic_load(&f->go))
		sleep_ns(SAMPLE_NS);
	flavor_online(flavor);
	while (sum < share) {
		size_t size = VALUE_MIN + rng_below(&rng, VALUE_MAX - VALUE_MIN + 1);

		put_one(f, value, first + n++, size);
		sum += size;
	}
	atomic_fetch_add(&f->filled, 1);
	for (sum = 0; sum < share || !atomic_load(&f->stayed);) {
		size_t size = VALUE_MAX + rng_below(&rng, LARGER_MAX - VALUE_MAX + 1);

		put_one(f, value, first + n - 1 - rng_below(&rng, RECENT), size);
		put_one(f, value, first + n++, size);
		sum += 2 * size;
	}
	free(value);
	atomic_fetch_add(&f->done, 1);
}

/* Once all have filled their share. */
static void stay_inside(struct team_member *me)
{
	struct fill *f = me->ctx;

	flavor_offline(flavor);
	while (atomic_load(&f->filled) < THREADS)
		sleep_ns(SAMPLE_NS);
	flavor_online(flavor);
	rcumap_read_lock(f->map);
	sleep_ns(f->stay_ns);
	rcumap_read_unlock(f->map);
	atomic_store(&f->stayed, true);
}

static bool all_ready(struct fill *f)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (!atomic_load(&f->ready[i]))
			return false;
	return true;
}

static bool has_jemalloc(void)
{
	return dlsym(RTLD_DEFAULT, "mallctl") != NULL;
}

static bool resident_row(uint64_t limit, uint64_t stay_ns)
{
	struct fill f = { .limit = limit, .stay_ns = stay_ns };
	struct team_options writers = { .threads = THREADS,
					.work = fill_and_overwrite,
					.ctx = &f,
					.register_flavor = true,
					.flavor = flavor },
			    reader = writers;
	struct rcumap_stats stats;
	struct team *team, *one;
	uint64_t before, most = 0, now;
	double times;

	reader.threads = 1;
	reader.work = stay_inside;
	team = team_start(&writers);
	while (!all_ready(&f))
		sleep_ns(SAMPLE_NS);
	before = resident_bytes();
	f.map = create((struct limit){ .bytes = limit });
	one = team_start(&reader);
	atomic_store(&f.go, true);
	while (atomic_load(&f.done) < THREADS) {
		now = resident_bytes();
		most = now > most ? now : most;
		sleep_ns(SAMPLE_NS);
	}
	team_join(one);
	team_join(team);
	stats = stats_of(f.map);
	times = ((double)most - (double)before) / (double)limit;
	printf("  %6ju MiB%14s%14s%12.3f x%12s%12s  at most %.1f  %s\n", (uintmax_t)(limit / MIB),
	       format_bytes((double)before).text, format_bytes((double)most).text, times, format_count(f.stored).text,
	       format_count(f.refused).text, RESIDENT_TIMES, judge(has_jemalloc(), times <= RESIDENT_TIMES));
	fflush(stdout);
	demand("limit", stats.accounted_bytes > limit ? -EOVERFLOW : 0);
	demand("destroy", rcumap_destroy(f.map));
	return times <= RESIDENT_TIMES || !has_jemalloc();
}

/* In a process of its own: what malloc keeps of one map is no room for the next. */
static bool resident_row_apart(uint64_t limit, uint64_t stay_ns)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(resident_row(limit, stay_ns) ? 0 : 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		demand("fork", -ECHILD);
	return WEXITSTATUS(status) == 0;
}

static bool resident(uint64_t stay_ns)
{
	static const uint64_t limits[] = { 16 * MIB, 64 * MIB, 256 * MIB };
	bool holds = true;

	const char *settings = getenv("MALLOC_CONF");

	printf("Resident bytes, malloc is %s%s%s: %u threads, values of %u to %u bytes, %u times what fits, then "
	       "overwritten by\n"
	       "larger ones, with a reader in his section for %.0f s:\n\n",
	       has_jemalloc() ? "jemalloc" : "the C library's", settings ? " with " : "", settings ? settings : "",
	       THREADS, VALUE_MIN, VALUE_MAX, FACTOR, (double)stay_ns / 1e9);
	printf("  %10s%14s%14s%14s%12s%12s\n", "limit", "before", "at most", "beyond it", "puts", "refused");
	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++)
		holds &= resident_row_apart(limits[i], stay_ns);
	printf("\n");
	return holds;
}

/* ------------------------------------------------------------------------------------ puts */

static const char *limit_name(struct limit limit, char name[64])
{
	if (limit.entries)
		snprintf(name, 64, "%s entries", format_count(limit.entries).text);
	else
		snprintf(name, 64, "%ju MiB", (uintmax_t)(limit.bytes / MIB));
	return name;
}

/* `least` to `most` bytes of value; each key is new. Twice the limit goes in before the clock starts. */
static bool put_row(struct limit limit, size_t least, size_t most, uint64_t puts)
{
	static struct histogram times;
	const uint64_t fill = 2 * (limit.entries ? limit.entries : limit.bytes / ((least + most) / 2));
	const bool judged = least == most || has_jemalloc();
	unsigned char *value = malloc(most), key[PAIR_KEY_SIZE];
	struct rcumap *map = create(limit);
	struct rcumap_stats before = { 0 }, after;
	struct rng rng;
	char shown[32], name[64];

	if (!value)
		demand("memory", -ENOMEM);
	memset(value, 1, most);
	histogram_reset(&times);
	rng_init(&rng, 1);
	for (uint64_t id = 0; id < fill + puts; id++) {
		size_t size = least + rng_below(&rng, most - least + 1);
		uint64_t start, end;

		if (id == fill)
			before = stats_of(map);
		pair_key(key, id);
		start = ticks_now();
		demand("put", rcumap_put(map, key, sizeof key, value, size, RCUMAP_TTL_NEVER, NULL));
		end = ticks_now();
		if (id >= fill)
			histogram_add(&times, ticks_to_ns(end - start));
		flavor_quiescent(flavor);
	}
	after = stats_of(map);

	double p50 = (double)histogram_percentile(&times, 50), tail = (double)histogram_percentile(&times, 99.9);

	snprintf(shown, sizeof shown, least == most ? "%zu" : "%zu to %zu", least, most);
	printf("  %16s%14s%10s%11s%11s%11s%11s%10.1f x%9.4f%10.2f  under %.0f  %s\n", limit_name(limit, name), shown,
	       format_count(puts).text,
	       format_ns(p50).text, format_ns((double)histogram_percentile(&times, 99)).text, format_ns(tail).text,
	       format_ns((double)histogram_max(&times)).text, tail / p50,
	       (double)(after.waited - before.waited) / (double)puts,
	       (double)(after.evicted - before.evicted) / (double)puts, TAIL_TIMES,
	       judge(judged, tail < TAIL_TIMES * p50));
	fflush(stdout);
	demand("destroy", rcumap_destroy(map));
	free(value);
	return !judged || tail < TAIL_TIMES * p50;
}

static bool puts_at_limit(struct limit limit, struct limit entries)
{
	bool holds = true;

	printf("Puts at a limit, one writer, each evicts; p99.9 against p50:\n\n");
	printf("  %16s%14s%10s%11s%11s%11s%11s%12s%9s%10s\n", "limit", "value bytes", "puts", "p50", "p99", "p99.9", "max",
	       "p99.9/p50", "waits", "evicted");
	holds &= put_row(entries, 32, 32, 2000000);
	holds &= put_row(limit, 32, 32, 2000000);
	holds &= put_row(limit, 1000, 1000, 1000000);
	holds &= put_row(limit, VALUE_MIN, VALUE_MAX, 100000);
	printf("\n");
	return holds;
}

/* ------------------------------------------------------------------------------------ gets */

struct ids {
	uint64_t count, *id;
};

static int note_id(void *ctx, const struct rcumap_entry *entry)
{
	struct ids *ids = ctx;

	/* The value begins with it. */
	memcpy(&ids->id[ids->count++], rcumap_entry_value(entry), sizeof(uint64_t));
	return 0;
}

static void put_pair(struct rcumap *map, uint64_t id)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];

	pair_key(key, id);
	pair_value(value, id, 0);
	demand("put", rcumap_put(map, key, sizeof key, value, sizeof value, RCUMAP_TTL_NEVER, NULL));
	flavor_quiescent(flavor);
}

/* What a full map has. */
static struct ids fill_and_list(struct rcumap *map, struct limit limit)
{
	const uint64_t stored = 2 * (limit.entries ? limit.entries : limit.bytes / (PAIR_KEY_SIZE + PAIR_VALUE_SIZE + 32));
	struct ids ids = { 0, malloc(stored * sizeof *ids.id) };
	uint64_t cursor = 0;

	if (!ids.id)
		demand("memory", -ENOMEM);
	for (uint64_t id = 0; id < stored; id++)
		put_pair(map, id);
	demand("barrier", rcumap_barrier(map));
	while (rcumap_scan(map, &cursor, 256, note_id, &ids) > 0)
		flavor_quiescent(flavor);
	return ids;
}

/* Random ones of the list, so many; gets a second. `found` is summed up. */
static double get_round(const struct rcumap *map, const struct ids *ids, struct rng *rng, uint64_t gets,
			uint64_t *found)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];
	uint64_t start = now_ns();

	for (uint64_t i = 0; i < gets; i++) {
		pair_key(key, ids->id[rng_below(rng, ids->count)]);
		*found += rcumap_get(map, key, sizeof key, value, sizeof value, NULL, NULL) == 0;
		if (i % 64 == 0)
			flavor_quiescent(flavor);
	}
	return (double)gets * 1e9 / (double)(now_ns() - start);
}

struct writer {
	struct rcumap *map;
	uint64_t next; /* a new key each time; in a map without a limit the one before the last million goes */
	uint64_t first;
	bool limited;
};

#define AHEAD 65536u

static void put_on(struct team_member *me)
{
	struct writer *w = me->ctx;
	unsigned char key[PAIR_KEY_SIZE];

	while (!team_stopping(me)) {
		put_pair(w->map, w->next++);
		if (w->limited || w->next - w->first <= AHEAD)
			continue;
		pair_key(key, w->next - AHEAD - 1);
		demand("delete", rcumap_delete(w->map, key, sizeof key));
	}
}

/* [0] with a limit, [1] without. */
static bool get_row(const char *what, struct rcumap *const map[2], const struct ids *ids, uint64_t gets, bool write, bool judged)
{
	static struct rng rng;
	double rate[2][GET_ROUNDS], middle[2];
	struct writer writer[2];
	uint64_t found[2] = { 0, 0 };

	for (unsigned i = 0; i < 2; i++)
		writer[i] = (struct writer){ map[i], UINT64_C(1) << 40, UINT64_C(1) << 40, i == 0 };
	rng_init(&rng, 1);
	for (unsigned round = 0; round < GET_ROUNDS; round++)
		for (unsigned i = 0; i < 2; i++) {
			unsigned turn = (i + round) % 2;
			struct team_options options = { .threads = write,
							.work = put_on,
							.ctx = &writer[turn],
							.register_flavor = true,
							.flavor = flavor };
			struct team *team = team_start(&options);

			rate[turn][round] = get_round(map[turn], ids, &rng, gets, &found[turn]);
			team_stop(team);
			flavor_offline(flavor);
			team_join(team);
			flavor_online(flavor);
		}
	for (unsigned i = 0; i < 2; i++)
		middle[i] = median(rate[i], GET_ROUNDS);
	printf("  %-20s%14s%14s%12.3f x%10.1f %%%10.1f %%  at least %.1f  %s\n", what, format_rate(middle[0]).text,
	       format_rate(middle[1]).text, middle[0] / middle[1],
	       100.0 * (double)found[0] / (double)(gets * GET_ROUNDS),
	       100.0 * (double)found[1] / (double)(gets * GET_ROUNDS), GET_TIMES,
	       judge(judged, middle[0] >= GET_TIMES * middle[1]));
	fflush(stdout);
	return !judged || middle[0] >= GET_TIMES * middle[1];
}

static bool gets_at_limit(struct limit limit, uint64_t gets)
{
	const bool judged = limit.entries || has_jemalloc();
	struct rcumap *map[2] = { create(limit), create((struct limit){ 0 }) };
	struct ids ids = fill_and_list(map[0], limit);
	char name[64];
	bool holds;

	for (uint64_t i = 0; i < ids.count; i++)
		put_pair(map[1], ids.id[i]);
	printf("Gets by one thread, medians of %u rounds by turns: a map at a limit of %s, with %s pairs, and one without a\n"
	       "limit that has the same pairs:\n\n",
	       GET_ROUNDS, limit_name(limit, name), format_count(ids.count).text);
	printf("  %-20s%14s%14s%14s%12s%12s\n", "", "limit", "none", "limit/none", "found", "found");
	holds = get_row("alone", map, &ids, gets, false, judged);
	holds &= get_row("beside a writer", map, &ids, gets, true, judged);
	printf("\n");
	for (unsigned i = 0; i < 2; i++)
		demand("destroy", rcumap_destroy(map[i]));
	free(ids.id);
	return holds;
}

int main(int argc, char **argv)
{
	uint64_t limit = 64, stay = 10, gets = 1000000;
	bool resident_alone = false, holds;
	unsigned named = FLAVOR_BP;
	const struct arg args[] = {
		ARG_U64("limit", &limit, "MiB, for puts and gets"),
		ARG_U64("stay", &stay, "seconds that a reader stays in his section"),
		ARG_U64("gets", &gets, "of each map in a round"),
		ARG_FLAG("resident", &resident_alone, "resident bytes alone"),
		ARG_CHOICE("flavor", &named, flavor_names, "RCU flavor"),
		ARG_END,
	};
	struct machine machine;

	args_parse(args, "What a limit on bytes bounds, and what it costs; status 1 if a bound is missed.", argc, argv);
	if (limit < 1 || limit > 1 << 20 || gets < 1) {
		fprintf(stderr, "limits: a limit of 1 to 1048576 MiB, and gets\n");
		return 2;
	}
	flavor = (enum flavor)named;
	machine = machine_describe();
	report_machine(&machine);
	holds = resident(stay * 1000000000);
	if (resident_alone)
		return holds ? 0 : 1;
	flavor_register(flavor);
	const struct limit bytes = { .bytes = limit * MIB }, entries = { .entries = limit * MIB / ENTRY_BYTES };

	holds &= puts_at_limit(bytes, entries);
	holds &= gets_at_limit(bytes, gets);
	holds &= gets_at_limit(entries, gets);
	flavor_unregister(flavor);
	return holds ? 0 : 1;
}
