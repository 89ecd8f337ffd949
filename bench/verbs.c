/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librcumap's verbs beside each other: many keys in one call against one by one, in a map that no cache holds; and entries that have
 * a deadline against such that have none, in a map that the nearest cache holds, where nothing hides what it costs.
 *
 * What is compared takes turns, in many short rounds, and the medians count. Keys are made before the clock starts, and what was
 * found is checked after it has stopped. One thread: this is about the processor's work, not about others'.
 */
#include "args.h"
#include "clock.h"
#include "flavor.h"
#include "format.h"
#include "machine.h"
#include "pair.h"
#include "progress.h"
#include "report.h"
#include "run.h"
#include "spread.h"

#include <rcumap.h>

#include <stdio.h>
#include <stdlib.h>

#define BATCH 32u
#define ROUNDS 21u
/* Keys of each verb in a round. */
#define ROUND_BATCHES 8192u
/* In cache: 256 pairs take 24 KB with their table and keys. */
#define FEW 256u
#define FEW_PASSES 4096u
#define DAY_MS UINT64_C(86400000)

#define BATCH_TIMES 2.0
#define DEADLINE_NS 5.0
/* Promised for maps of this size on: of a smaller one too much is in the cache. */
#define JUDGED_PAIRS_MIN 5000000u

enum verb { FIND, FIND_BATCH, GET, GET_BATCH, VERBS };

/* The same number of random pairs at a time, for all verbs. */
struct group {
	uint64_t id[BATCH];
	unsigned char bytes[BATCH][PAIR_KEY_SIZE];
	struct rcumap_key key[BATCH];
	const struct rcumap_entry *entry[BATCH];
	unsigned char value[BATCH][PAIR_VALUE_SIZE];
	struct rcumap_copy copy[BATCH];
};

static void draw_group(struct group *g, struct rng *rng, uint64_t pairs)
{
	for (unsigned i = 0; i < BATCH; i++) {
		g->id[i] = rng_below(rng, pairs);
		pair_key(g->bytes[i], g->id[i]);
		g->key[i] = (struct rcumap_key){ g->bytes[i], PAIR_KEY_SIZE };
		g->entry[i] = NULL;
		g->copy[i] = (struct rcumap_copy){ .buffer = g->value[i], .buffer_size = PAIR_VALUE_SIZE, .result = 1 };
	}
}

/* What the verb brought, and ends the program if that is not what was stored. */
static void check_group(const struct run *run, const struct group *g, enum verb verb)
{
	for (unsigned i = 0; i < BATCH; i++) {
		bool finds = verb == FIND || verb == FIND_BATCH;

		if (finds ? !g->entry[i] : g->copy[i].result != 0)
			run_lost(run, g->id[i]);
		if (!pair_value_is_of(finds ? rcumap_entry_value(g->entry[i]) : g->value[i], g->id[i]))
			run_wrong_value(run, g->id[i], "not a value that was stored for it");
	}
}

/* In ticks; inside a section. */
static uint64_t time_group(const struct rcumap *map, struct group *g, enum verb verb)
{
	uint64_t start = ticks_now();

	switch (verb) {
	case FIND:
		for (unsigned i = 0; i < BATCH; i++)
			g->entry[i] = rcumap_find(map, g->key[i].data, g->key[i].size);
		break;
	case FIND_BATCH:
		rcumap_find_batch(map, g->key, BATCH, g->entry);
		break;
	case GET:
		for (unsigned i = 0; i < BATCH; i++)
			g->copy[i].result =
				rcumap_get(map, g->key[i].data, g->key[i].size, g->copy[i].buffer,
					   g->copy[i].buffer_size, &g->copy[i].value_size, &g->copy[i].version);
		break;
	default:
		rcumap_get_batch(map, g->key, BATCH, g->copy);
	}
	return ticks_now() - start;
}

/* Nanoseconds per key. */
static double time_round(const struct run *run, struct rng *rng, uint64_t pairs, enum verb verb)
{
	uint64_t ticks = 0;
	struct group g;

	for (unsigned n = 0; n < ROUND_BATCHES; n++) {
		draw_group(&g, rng, pairs);
		rcumap_read_lock_bp();
		ticks += time_group(run->map, &g, verb);
		check_group(run, &g, verb);
		rcumap_read_unlock_bp();
	}
	return (double)ticks_to_ns(ticks) / (ROUND_BATCHES * BATCH);
}

static void load(const struct run *run, uint64_t pairs, struct progress *progress)
{
	unsigned char value[PAIR_VALUE_SIZE];
	struct worker *w = workers_create(1, 0);

	worker_begin(run, w);
	for (uint64_t id = 0; id < pairs; id++) {
		pair_value(value, id, 0);
		run_put_timed(run, w, id, value, sizeof value);
		if (id % 4096 == 0)
			progress_update(progress, id, "load");
	}
	worker_end(run, w);
	free(w);
	run->subject->settle(run->map);
	run_expect_count(run, pairs);
}

static void compare_batches(uint64_t pairs, uint64_t seed, double result[VERBS])
{
	double ns[VERBS][ROUNDS];
	struct run run = run_create(&subject_rcumap_bp, pairs);
	struct progress progress;
	struct rng rng;

	rng_init(&rng, seed);
	progress_start(&progress, "load", pairs);
	load(&run, pairs, &progress);
	progress_finish(&progress, NULL);
	progress_start(&progress, "batches", ROUNDS);
	run.subject->thread_enter();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < VERBS; i++) {
			enum verb verb = (enum verb)((i + round) % VERBS);

			ns[verb][round] = time_round(&run, &rng, pairs, verb);
		}
		progress_update(&progress, round + 1, NULL);
	}
	run.subject->thread_leave();
	progress_finish(&progress, NULL);
	run_destroy(&run);
	for (unsigned verb = 0; verb < VERBS; verb++)
		result[verb] = median(ns[verb], ROUNDS);
}

/* ------------------------------------------------------------------------------------ deadlines */

/* A map of few pairs that live for `ttl_ms`. */
static struct run few_create(uint64_t ttl_ms)
{
	struct run run = run_create(&subject_rcumap_bp, FEW);
	struct worker *w = workers_create(1, 0);
	unsigned char value[PAIR_VALUE_SIZE];

	worker_begin(&run, w);
	for (uint64_t id = 0; id < FEW; id++) {
		pair_value(value, id, 0);
		run_put_for_timed(&run, w, id, value, sizeof value, ttl_ms);
	}
	worker_end(&run, w);
	free(w);
	run.subject->settle(run.map);
	return run;
}

/* Nanoseconds per find: of the median pass, for a pass is shorter than a turn of the scheduler. */
static double time_few(const struct run *run, unsigned char keys[FEW][PAIR_KEY_SIZE])
{
	static double ns[FEW_PASSES];
	uint64_t found = 0;

	for (unsigned pass = 0; pass < FEW_PASSES; pass++) {
		uint64_t start;

		rcumap_read_lock_bp();
		start = ticks_now();
		for (unsigned i = 0; i < FEW; i++)
			found += rcumap_find(run->map, keys[i], PAIR_KEY_SIZE) != NULL;
		ns[pass] = (double)ticks_to_ns(ticks_now() - start) / FEW;
		rcumap_read_unlock_bp();
	}
	if (found != (uint64_t)FEW * FEW_PASSES)
		run_lost(run, 0);
	return median(ns, FEW_PASSES);
}

/* Each round has maps of its own: where a map's seed puts the pairs makes more of a difference than what is measured. */
static void compare_deadlines(uint64_t seed, double *without, double *with)
{
	static unsigned char keys[FEW][PAIR_KEY_SIZE];
	static const uint64_t ttl_ms[2] = { RCUMAP_TTL_NEVER, DAY_MS };
	double ns[2][ROUNDS];
	struct progress progress;
	uint64_t first = rng_mix(seed) % FEW;

	for (uint64_t i = 0; i < FEW; i++)
		pair_key(keys[i],
			 (i * 89 + first) % FEW); /* 89: prime, so all come up, out of the order of insertion */
	progress_start(&progress, "deadlines", ROUNDS);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned turn = (i + round) % 2;
			struct run run = few_create(ttl_ms[turn]);

			run.subject->thread_enter();
			ns[turn][round] = time_few(&run, keys);
			run.subject->thread_leave();
			run_destroy(&run);
		}
		progress_update(&progress, round + 1, NULL);
	}
	progress_finish(&progress, NULL);
	*without = median(ns[0], ROUNDS);
	*with = median(ns[1], ROUNDS);
}

/* ------------------------------------------------------------------------------------ the table */

static const char *judge(bool judged, bool holds)
{
	return !judged ? "not judged" : holds ? "holds" : "MISSED";
}

/* Does it hold? What is not judged does. */
static bool batch_row(const char *what, double single, double batch, bool judged)
{
	bool holds = single / batch >= BATCH_TIMES;

	printf("  %-34s%9.1f ns%9.1f ns%12s  at least %s  %s\n", what, single, batch, format_times(single / batch).text,
	       format_times(BATCH_TIMES).text, judge(judged, holds));
	return holds || !judged;
}

static bool print_table(uint64_t pairs, const double ns[VERBS], double without, double with)
{
	bool judged = pairs >= JUDGED_PAIRS_MIN, holds;

	printf("Nanoseconds per key, medians of %u rounds:\n\n", ROUNDS);
	printf("  %s pairs, at random%*s%12s%12s%12s\n", format_count(pairs).text,
	       (int)(16 - strlen(format_count(pairs).text)), "", "one by one", "32 at once", "better by");
	holds = batch_row("find", ns[FIND], ns[FIND_BATCH], judged);
	holds &= batch_row("get", ns[GET], ns[GET_BATCH], judged);
	printf("\n  %-34s%12s%12s%12s\n", "256 pairs, in cache", "endless", "deadline", "more");
	printf("  %-34s%9.1f ns%9.1f ns%9.1f ns  at most %.1f ns  %s\n", "find", without, with, with - without,
	       DEADLINE_NS, judge(true, with - without <= DEADLINE_NS));
	return holds && with - without <= DEADLINE_NS;
}

int main(int argc, char **argv)
{
	uint64_t pairs = 10000000, seed = 0;
	double ns[VERBS], without, with;
	const struct arg args[] = {
		ARG_U64("pairs", &pairs, "how many pairs to store for the batches"),
		ARG_U64("seed", &seed, "of the order of access; 0: a fresh one"),
		ARG_END,
	};
	struct machine machine;

	args_parse(args, "Batches against single keys, deadlines against none; status 1 if a bound is missed.", argc,
		   argv);
	if (pairs < 1000) {
		fprintf(stderr, "verbs: at least 1000 pairs\n");
		return 2;
	}
	if (seed == 0)
		seed = rng_fresh_seed();
	machine = machine_describe();
	report_machine(&machine);
	compare_deadlines(seed, &without, &with);
	compare_batches(pairs, seed, ns);
	return print_table(pairs, ns, without, with) ? 0 : 1;
}
