/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a map with a limit misses of access traces, replayed through the library itself, beside what LRU and Belady's
 * policy would miss. Each request is a get, and on a miss a put.
 */
#include "args.h"
#include "format.h"
#include "pair.h"
#include "policies.h"
#include "progress.h"
#include "team.h"
#include "trace.h"

#include <rcumap.h>

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Parts of a trace's objects that fit, in thousandths. */
static const unsigned parts[] = { 10, 50, 100, 250 };
#define PARTS (sizeof parts / sizeof *parts)

/* Promised: against LRU, at each point and in the geometric mean over all. */
#define POINT_BOUND 1.07
#define MEAN_BOUND 0.94
#define THREADS_MAX 64u
#define WATCHDOG_S 600u

struct replay {
	const struct trace *trace;
	struct rcumap *map;
	uint64_t capacity;
	_Atomic uint64_t at, misses, over;
};

static _Noreturn void failed(const char *verb, int error)
{
	fprintf(stderr, "hitratio: %s: %s\n", verb, strerror(-error));
	exit(2);
}

/* All members take requests from one list, in its order. */
static void serve(struct team_member *me)
{
	struct replay *replay = me->ctx;
	uint64_t i, misses = 0, over = 0;

	while ((i = atomic_fetch_add_explicit(&replay->at, 1, memory_order_relaxed)) < replay->trace->count) {
		uint32_t key = replay->trace->requests[i].key;
		char value;
		int error = rcumap_get(replay->map, &key, sizeof key, &value, 1, NULL, NULL);

		if (error == 0)
			continue;
		if (error != -ENOENT)
			failed("get", error);
		misses++;
		error = rcumap_put(replay->map, &key, sizeof key, "", 1, RCUMAP_TTL_DEFAULT, NULL);
		if (error)
			failed("put", error);
		/* Counting is exact but for what happens meanwhile. */
		if (i % 1024 == 0)
			over += rcumap_count(replay->map) > replay->capacity + THREADS_MAX;
	}
	atomic_fetch_add(&replay->misses, misses);
	atomic_fetch_add(&replay->over, over);
}

static uint64_t map_misses(const struct trace *trace, uint64_t capacity, unsigned threads)
{
	const struct rcumap_options options = { .size = sizeof options, .max_entries = capacity };
	struct replay replay = { .trace = trace, .capacity = capacity };
	const struct team_options team = { .threads = threads, .work = serve, .ctx = &replay, .watchdog_s = WATCHDOG_S };
	int error = rcumap_create(&replay.map, &options);

	if (error)
		failed("create", error);
	team_join(team_start(&team));
	if (replay.over || rcumap_count(replay.map) > capacity) {
		fprintf(stderr, "hitratio: more entries than the limit\n");
		exit(1);
	}
	rcumap_destroy(replay.map);
	return replay.misses;
}

/* ------------------------------------------------------------------------------------ the table */

struct verdict {
	double logarithms;
	unsigned points, missed;
};

static void row(const char *name, const struct trace *trace, unsigned part, unsigned threads, struct verdict *verdict)
{
	const double requests = (double)trace->count;
	uint64_t capacity = (uint64_t)trace->keys * part / 1000;

	if (capacity < RCUMAP_MAX_ENTRIES_MIN)
		return;

	double lru = (double)policy_lru(trace, NULL, capacity).requests / requests;
	double belady = (double)policy_belady(trace, NULL, capacity).requests / requests;
	double map = (double)map_misses(trace, capacity, threads) / requests;
	/* Where LRU hits nothing, as in a loop that does not fit, there is nothing to compare with. */
	bool judged = lru < 1, holds = map <= POINT_BOUND * lru;

	printf("  %-24s%6.1f %%%10s%10.4f%10.4f%10.4f%9.3f%s\n", name, part / 10.0, format_count(capacity).text, map, lru,
	       belady, map / lru, !judged ? "  not judged" : holds ? "" : "  MISSED");
	fflush(stdout);
	if (!judged)
		return;
	verdict->logarithms += log(map / lru);
	verdict->points++;
	verdict->missed += !holds;
}

static void rows(const char *path, unsigned threads, struct verdict *verdict)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char shown[24];
	struct trace trace;
	int error = trace_read(&trace, path);

	if (error) {
		fprintf(stderr, "hitratio: %s: %s\n", path, strerror(-error));
		exit(2);
	}
	snprintf(shown, sizeof shown, "%.*s", (int)strcspn(name, "."), name);
	for (unsigned i = 0; i < PARTS; i++)
		row(shown, &trace, parts[i], threads, verdict);
	trace_free(&trace);
}

/* The files that `path` means; ends the program if there are none. */
static void find_traces(const char *path, glob_t *found)
{
	char pattern[4096];
	struct stat status;
	bool directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);

	snprintf(pattern, sizeof pattern, directory ? "%s/*.bin.zst" : "%s", path);
	if (glob(pattern, 0, NULL, found) != 0) {
		fprintf(stderr, "hitratio: %s: no trace there\n", path);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *traces = "bench/traces";
	uint64_t threads = 1;
	double mean_bound = MEAN_BOUND;
	const struct arg args[] = {
		ARG_TEXT("traces", &traces, "a trace, or a directory of *.bin.zst (format: bench/traces/README.md)"),
		ARG_U64("threads", &threads, "that replay each trace together"),
		ARG_DOUBLE("mean", &mean_bound, "the geometric mean against LRU, at most"),
		ARG_END,
	};
	struct verdict verdict = { 0 };
	glob_t found;

	args_parse(args, "Miss ratios of traces, beside LRU's and Belady's; status 1 if a bound is missed.", argc, argv);
	if (threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "hitratio: 1 to %u threads\n", THREADS_MAX);
		return 2;
	}
	find_traces(traces, &found);
	printf("Requests that miss, %u thread%s. Limits are parts of the trace's objects.\n\n", (unsigned)threads,
	       threads == 1 ? "" : "s");
	printf("  %-24s%8s%10s%10s%10s%10s%9s\n", "trace", "limit", "entries", "rcumap", "LRU", "Belady", "to LRU");
	for (size_t i = 0; i < found.gl_pathc; i++)
		rows(found.gl_pathv[i], (unsigned)threads, &verdict);
	globfree(&found);

	double mean = verdict.points ? exp(verdict.logarithms / verdict.points) : 0;

	printf("\n  Each at most %.2f x LRU: %s. Geometric mean %.3f x LRU, at most %.2f: %s.\n", POINT_BOUND,
	       verdict.missed ? "MISSED" : "holds", mean, mean_bound, mean <= mean_bound ? "holds" : "MISSED");
	return verdict.missed || mean > mean_bound;
}
