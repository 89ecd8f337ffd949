/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the longest operation does while a table grows and shrinks: pages that it is the first to touch, buckets that it migrates.
 * Counted (traced/work.h), not timed: no scheduler and no other process has a part in it. Maps begin small; all threads store new
 * pairs, overwrite and get old ones until there are many, and then delete them all.
 */
#include "args.h"
#include "format.h"
#include "machine.h"
#include "pair.h"
#include "report.h"
#include "team.h"
#include "traced/work.h"

#include <rcumap.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What must hold of each operation. */
#define PAGES_MOST 8u
/* Deletions: the table shrinks, and three buckets become two. */
#define BUCKETS_MOST 2u
#define BUCKETS_MOST_SHRINKING 3u
/* More than so many are counted as so many. */
#define STEPS 16u

enum verb { INSERT, OVERWRITE, GET, DELETE, VERBS };

static const char *const verb_names[VERBS] = { "insert", "overwrite", "get", "delete" };

/* Of one thread and verb: how many operations did so much. */
struct tally_of {
	uint64_t operations, pages[STEPS + 1], buckets[STEPS + 1], pages_most, buckets_most;
};

struct steps {
	struct rcumap *map;
	uint64_t pairs; /* of each thread */
	unsigned threads;
	struct tally_of (*tally)[VERBS]; /* of each thread */
};

static void count(struct tally_of *t, struct work work)
{
	t->operations++;
	t->pages[work.fresh_pages < STEPS ? work.fresh_pages : STEPS]++;
	t->buckets[work.migrated_buckets < STEPS ? work.migrated_buckets : STEPS]++;
	t->pages_most = work.fresh_pages > t->pages_most ? work.fresh_pages : t->pages_most;
	t->buckets_most = work.migrated_buckets > t->buckets_most ? work.migrated_buckets : t->buckets_most;
}

static void do_once(const struct steps *s, unsigned thread, enum verb verb, uint64_t number)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];
	size_t size;
	int error = 0;

	pair_key(key, number * s->threads + thread);
	pair_value(value, number, 0);
	work_begin();
	if (verb == GET)
		error = rcumap_get(s->map, key, sizeof key, value, sizeof value, &size, NULL);
	else if (verb == DELETE)
		error = rcumap_delete(s->map, key, sizeof key);
	else
		error = rcumap_put(s->map, key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL);
	count(&s->tally[thread][verb], work_end());
	if (error) {
		fprintf(stderr, "steps: %s: %s\n", verb_names[verb], strerror(-error));
		exit(1);
	}
}

static void work(struct team_member *me)
{
	const struct steps *s = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t n = 0; n < s->pairs; n++) {
		do_once(s, me->index, INSERT, n);
		if (n % 4 == 0)
			do_once(s, me->index, OVERWRITE, rng_below(&rng, n + 1));
		if (n % 4 == 2)
			do_once(s, me->index, GET, rng_below(&rng, n + 1));
	}
	for (uint64_t n = 0; n < s->pairs; n++)
		do_once(s, me->index, DELETE, n);
}

static struct tally_of sum_of(const struct steps *s, enum verb verb)
{
	struct tally_of sum = { 0 };

	for (unsigned i = 0; i < s->threads; i++) {
		const struct tally_of *t = &s->tally[i][verb];

		sum.operations += t->operations;
		for (unsigned n = 0; n <= STEPS; n++) {
			sum.pages[n] += t->pages[n];
			sum.buckets[n] += t->buckets[n];
		}
		sum.pages_most = t->pages_most > sum.pages_most ? t->pages_most : sum.pages_most;
		sum.buckets_most = t->buckets_most > sum.buckets_most ? t->buckets_most : sum.buckets_most;
	}
	return sum;
}

/* How many did more than that. */
static uint64_t beyond(const uint64_t steps[STEPS + 1], unsigned limit)
{
	uint64_t sum = 0;

	for (unsigned n = limit + 1; n <= STEPS; n++)
		sum += steps[n];
	return sum;
}

static bool print(const struct steps *s)
{
	bool holds = true;

	for (unsigned verb = 0; verb < VERBS; verb++) {
		const unsigned buckets_most = verb == DELETE ? BUCKETS_MOST_SHRINKING : BUCKETS_MOST;
		struct tally_of t = sum_of(s, verb);

		printf("  %7u  %-12s%14s%10" PRIu64 "%12" PRIu64 "%12" PRIu64 "%14" PRIu64 "%12" PRIu64 "%12" PRIu64 "\n", s->threads, verb_names[verb], format_count(t.operations).text,
		       t.pages_most, beyond(t.pages, 0),
		       beyond(t.pages, PAGES_MOST), t.buckets_most,
		       beyond(t.buckets, 0), beyond(t.buckets, buckets_most));
		holds &= t.pages_most <= PAGES_MOST && t.buckets_most <= buckets_most;
	}
	fflush(stdout);
	return holds;
}

static bool run(unsigned threads, uint64_t pairs)
{
	struct rcumap_options options = { .size = sizeof options };
	struct steps s = { .pairs = pairs / threads, .threads = threads, .tally = calloc(threads, sizeof *s.tally) };
	struct team_options team = { .threads = threads, .work = work, .ctx = &s, .name = "steps", .watchdog_s = 600 };
	bool holds;

	if (!s.tally || rcumap_create(&s.map, &options) != 0) {
		fprintf(stderr, "steps: no memory\n");
		exit(2);
	}
	team_run(&team);
	holds = print(&s);
	rcumap_destroy(s.map);
	free(s.tally);
	return holds;
}

int main(int argc, char **argv)
{
	uint64_t pairs = 1500000, threads_max = 4;
	const struct arg args[] = {
		ARG_U64("pairs", &pairs, "to which maps grow"),
		ARG_U64("threads", &threads_max, "1, 2, 4 and so on, up to this many"),
		ARG_END,
	};
	struct machine machine;
	bool holds = true;

	args_parse(args, "Pages and buckets of the longest operations while a table grows and shrinks; status 1 if there are too many.", argc,
		   argv);
	if (pairs < 1000 || threads_max < 1 || threads_max > 64) {
		fprintf(stderr, "steps: at least 1000 pairs, and 1 to 64 threads\n");
		return 2;
	}
	machine = machine_describe();
	report_machine(&machine);
	work_start();
	printf("Fresh pages that an operation touches, buckets that it migrates, while maps grow from nothing to %s pairs and shrink again\n\n",
	       format_count(pairs).text);
	printf("  %7s  %-12s%14s%10s%12s%12s%14s%12s%12s\n", "threads", "", "operations", "pages", "with any", "too many", "buckets", "with any",
	       "too many");
	for (unsigned threads = 1; threads <= threads_max; threads *= 2)
		holds &= run(threads, pairs);
	printf("\n  Pages, buckets: of the operation with most; with any: of how many operations. At most %u pages, %u buckets while growing and %u while shrinking: %s.\n",
	       PAGES_MOST, BUCKETS_MOST, BUCKETS_MOST_SHRINKING, holds ? "holds" : "MISSED");
	return holds ? 0 : 1;
}
