/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a map with a limit misses of access traces, replayed through the library itself, beside what LRU and Belady's
 * policy would miss. Each request is a get, and on a miss a put.
 */
#include "args.h"
#include "format.h"
#include "limited.h"
#include "policies.h"
#include "trace.h"

#include <rcumap.h>

#include <glob.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Parts of a trace's objects that fit, in thousandths. */
static const unsigned parts[] = { 10, 50, 100, 250 };
#define PARTS (sizeof parts / sizeof *parts)
#define ROUNDS_MAX 1000u

/* Promised: against LRU, at each point and in the geometric means over all. */
#define POINT_BOUND 1.07
#define MEAN_BOUND 0.94
#define BYTES_MEAN_BOUND 0.925
/* Promised: what many threads miss differs by so much from what one does, where so many entries fit. */
#define THREADS_BOUND 0.01
#define THREADS_ENTRIES 1000u

enum unit { UNIT_ENTRIES, UNIT_BYTES, UNIT_BOTH };
static const char *const unit_names[] = { "entries", "bytes", "both", NULL };

/* ------------------------------------------------------------------------------------ what must hold */

struct mean {
	double bound, logarithms;
	unsigned points;
};

struct verdict {
	unsigned missed, threads_missed; /* points */
	struct mean entries, requests, bytes;
};

static void mean_add(struct mean *mean, double ratio)
{
	mean->logarithms += log(ratio);
	mean->points++;
}

/* True if it is missed. */
static bool mean_judge(const struct mean *mean, const char *what)
{
	double value = mean->points ? exp(mean->logarithms / mean->points) : 0;

	if (!mean->points)
		return false;
	printf("  Geometric mean, %s: %.3f x LRU, at most %.3f: %s.\n", what, value, mean->bound,
	       value <= mean->bound ? "holds" : "MISSED");
	return value > mean->bound;
}

static bool verdict_judge(const struct verdict *verdict, uint64_t threads)
{
	bool missed = verdict->missed || verdict->threads_missed;

	printf("\n  Each at most %.2f x LRU: %s.\n", POINT_BOUND, verdict->missed ? "MISSED" : "holds");
	if (threads > 1)
		printf("  Where %u entries fit, within %.0f %% of what one thread misses: %s.\n", THREADS_ENTRIES,
		       100 * THREADS_BOUND, verdict->threads_missed ? "MISSED" : "holds");
	missed |= mean_judge(&verdict->entries, "limits on entries");
	missed |= mean_judge(&verdict->requests, "limits on bytes, requests");
	missed |= mean_judge(&verdict->bytes, "limits on bytes, bytes");
	return missed;
}

/* ------------------------------------------------------------------------------------ the table */

/* What all points have in common. */
struct plan {
	unsigned part; /* 0: all */
	unsigned threads, rounds;
};

/* One trace with one limit. */
struct point {
	const struct plan *plan;
	const char *name;
	const struct trace *trace;
	unsigned part;
	uint64_t capacity, entries; /* that fit */
	struct verdict *verdict;
};

/* By one measure: parts of all that is asked for. */
struct ratios {
	double map, lru, belady, one_thread;
};

static void head(enum unit unit, unsigned threads)
{
	bool bytes = unit == UNIT_BYTES;

	if (bytes)
		printf("\nLimits on bytes: what entries count together, all else left out; LRU's and Belady's are charged the same.\n"
		       "max_bytes: of the map whose entries count that, in parts of it: on an average, at most at an instant.\n"
		       "Belady's evicts the farthest until there is room: with sizes nearly the best there can be.\n\n");
	else
		printf("\nLimits on entries.\n\n");
	printf("  %-16s%8s%10s%10s%9s%9s%9s%9s", "trace", "limit", bytes ? "bytes" : "entries", "missed", "rcumap", "LRU",
	       "Belady", "to LRU");
	if (threads > 1)
		printf("%9s%9s", "1 thread", "to that");
	if (bytes)
		printf("%11s%9s%9s", "max_bytes", "filled", "at most");
	putchar('\n');
}

/* What is judged of a point by one measure. `after` is printed behind it. */
static void row(const struct point *point, enum unit unit, const char *measure, const struct ratios *ratios,
		struct mean *mean, const char *after)
{
	struct formatted capacity = unit == UNIT_BYTES ? format_bytes((double)point->capacity) :
							 format_count(point->capacity);
	double to_lru = ratios->map / ratios->lru, to_one = ratios->map / ratios->one_thread;
	/* Where LRU hits nothing, as in a loop that does not fit, there is nothing to compare with. */
	bool judged = ratios->lru < 1, missed = judged && to_lru > POINT_BOUND;
	bool differs = point->plan->threads > 1 && point->entries >= THREADS_ENTRIES && fabs(to_one - 1) > THREADS_BOUND;

	printf("  %-16s%6.1f %%%10s%10s%9.4f%9.4f%9.4f%9.3f", point->name, point->part / 10.0, capacity.text, measure,
	       ratios->map, ratios->lru, ratios->belady, to_lru);
	if (point->plan->threads > 1)
		printf("%9.4f%9.3f", ratios->one_thread, to_one);
	printf("%s%s%s\n", after, !judged ? "  not judged" : missed ? "  MISSED" : "", differs ? "  DIFFERS" : "");
	fflush(stdout);
	if (judged)
		mean_add(mean, to_lru);
	point->verdict->missed += missed;
	point->verdict->threads_missed += differs;
}

static struct ratios ratios_of_requests(const struct trace *trace, const struct misses *map, const struct misses *lru,
					const struct misses *belady, const struct misses *one_thread)
{
	const double all = (double)trace->count;

	return (struct ratios){ (double)map->requests / all, (double)lru->requests / all, (double)belady->requests / all,
				(double)one_thread->requests / all };
}

static struct ratios ratios_of_bytes(const struct trace *trace, const struct misses *map, const struct misses *lru,
				     const struct misses *belady, const struct misses *one_thread)
{
	double all = 0;

	for (uint64_t i = 0; i < trace->count; i++)
		all += trace->requests[i].size;
	return (struct ratios){ (double)map->bytes / all, (double)lru->bytes / all, (double)belady->bytes / all,
				(double)one_thread->bytes / all };
}

/* The mean of all rounds; *fit of the last, or NULL: max_entries. */
static struct misses missed(const struct point *point, const uint32_t *charges, unsigned threads, struct limited_fit *fit)
{
	const unsigned rounds = point->plan->rounds;
	struct misses sum = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		struct misses misses = fit ? limited_by_bytes(point->trace, charges, point->capacity, threads, fit) :
					     limited_by_entries(point->trace, point->capacity, threads);

		sum.requests += misses.requests;
		sum.bytes += misses.bytes;
	}
	return (struct misses){ sum.requests / rounds, sum.bytes / rounds };
}

static void point_of_entries(struct point *point)
{
	const struct trace *trace = point->trace;

	if (point->capacity < RCUMAP_MAX_ENTRIES_MIN)
		return;

	struct misses lru = policy_lru(trace, NULL, point->capacity), belady = policy_belady(trace, NULL, point->capacity);
	struct misses one = missed(point, NULL, 1, NULL), map = one;

	if (point->plan->threads > 1)
		map = missed(point, NULL, point->plan->threads, NULL);

	const struct ratios ratios = ratios_of_requests(trace, &map, &lru, &belady, &one);

	point->entries = point->capacity;
	row(point, UNIT_ENTRIES, "requests", &ratios, &point->verdict->entries, "");
}

static void point_of_bytes(struct point *point, const uint32_t *charges)
{
	const struct trace *trace = point->trace;
	struct limited_fit fit = { 0 };
	char after[64];
	int length;

	if (point->capacity < RCUMAP_MAX_BYTES_MIN / 2)
		return;

	struct misses lru = policy_lru(trace, charges, point->capacity);
	struct misses belady = policy_belady(trace, charges, point->capacity);
	struct misses one = missed(point, charges, 1, &fit), map = one;

	if (point->plan->threads > 1)
		map = missed(point, charges, point->plan->threads, &fit);
	point->entries = fit.entries;

	const struct ratios requests = ratios_of_requests(trace, &map, &lru, &belady, &one);
	const struct ratios bytes = ratios_of_bytes(trace, &map, &lru, &belady, &one);

	length = snprintf(after, sizeof after, "%11s%7.1f %%%7.1f %%", format_bytes((double)fit.max_bytes).text,
			  100.0 * (double)fit.entry_bytes / (double)point->capacity,
			  100.0 * (double)fit.most_bytes / (double)point->capacity);
	if (fit.refused)
		snprintf(after + length, sizeof after - (size_t)length, "  %llu refused", (unsigned long long)fit.refused);
	row(point, UNIT_BYTES, "requests", &requests, &point->verdict->requests, after);
	/* Told, and not judged against one thread: bytes hang on a few large objects, runs of one thread differ by two percent. */
	point->entries = 0;
	row(point, UNIT_BYTES, "bytes", &bytes, &point->verdict->bytes, "");
}

/* What all objects of the trace count together. */
static uint64_t total_charge(const struct trace *trace, const uint32_t *charges)
{
	uint64_t total = 0;

	for (uint32_t key = 0; key < trace->keys; key++)
		total += charges[key];
	return total;
}

/* ------------------------------------------------------------------------------------ traces */

static void rows(const char *path, enum unit unit, const struct plan *plan, struct verdict *verdict)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char shown[16];
	struct trace trace;
	struct point point = { .plan = plan, .name = shown, .trace = &trace, .verdict = verdict };
	int error = trace_read(&trace, path);

	if (error) {
		fprintf(stderr, "hitratio: %s: %s\n", path, strerror(-error));
		exit(2);
	}
	snprintf(shown, sizeof shown, "%.*s", (int)strcspn(name, "."), name);

	bool sized = trace.size_max > 1;
	uint32_t *charges = unit == UNIT_BYTES && sized ? limited_charges(&trace) : NULL;
	uint64_t total = charges ? total_charge(&trace, charges) : trace.keys;

	for (unsigned i = 0; i < PARTS; i++) {
		if (plan->part && plan->part != parts[i])
			continue;
		point.part = parts[i];
		point.capacity = total * parts[i] / 1000;
		if (unit == UNIT_ENTRIES)
			point_of_entries(&point);
		else if (sized)
			point_of_bytes(&point, charges);
	}
	free(charges);
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
	unsigned unit = UNIT_BOTH;
	uint64_t percent = 0, threads = 1, rounds = 1;
	double mean_bound = MEAN_BOUND, bytes_mean_bound = BYTES_MEAN_BOUND;
	const struct arg args[] = {
		ARG_TEXT("traces", &traces, "a trace, or a directory of *.bin.zst (format: bench/traces/README.md)"),
		ARG_CHOICE("unit", &unit, unit_names, "of the limits; on bytes only traces with sizes are replayed"),
		ARG_U64("percent", &percent, "1, 5, 10 or 25: that limit alone; 0: each of them"),
		ARG_U64("threads", &threads, "that replay each trace together; more than one: beside what one misses"),
		ARG_U64("rounds", &rounds, "each replay so many times, for the mean"),
		ARG_DOUBLE("mean", &mean_bound, "the geometric mean of requests against LRU, at most"),
		ARG_DOUBLE("bytes-mean", &bytes_mean_bound, "the geometric mean of bytes against LRU, at most"),
		ARG_END,
	};
	glob_t found;

	args_parse(args, "Miss ratios of traces, beside LRU's and Belady's; status 1 if a bound is missed.", argc, argv);
	if (threads < 1 || threads > LIMITED_THREADS_MAX || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "hitratio: 1 to %u threads, 1 to %u rounds\n", LIMITED_THREADS_MAX, ROUNDS_MAX);
		return 2;
	}
	if (percent != 0 && percent != 1 && percent != 5 && percent != 10 && percent != 25) {
		fprintf(stderr, "hitratio: 1, 5, 10 or 25 percent, or 0 for each of them\n");
		return 2;
	}

	const struct plan plan = { 10 * (unsigned)percent, (unsigned)threads, (unsigned)rounds };
	struct verdict verdict = {
		.entries.bound = mean_bound,
		.requests.bound = mean_bound,
		.bytes.bound = bytes_mean_bound,
	};

	find_traces(traces, &found);
	printf("What misses, of the requests and of the bytes that are asked for. %u thread%s, %u round%s. Limits are parts of "
	       "the trace's objects.\n",
	       plan.threads, plan.threads == 1 ? "" : "s", plan.rounds, plan.rounds == 1 ? "" : "s");
	for (enum unit each = UNIT_ENTRIES; each <= UNIT_BYTES; each++) {
		if (unit != UNIT_BOTH && unit != each)
			continue;
		head(each, plan.threads);
		for (size_t i = 0; i < found.gl_pathc; i++)
			rows(found.gl_pathv[i], each, &plan, &verdict);
	}
	globfree(&found);
	return verdict_judge(&verdict, threads);
}
