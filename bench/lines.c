/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which cache lines go from core to core, operation by operation: counted in a model of caches (traced/coherence.h), not timed, so it
 * needs no cores. Threads take turns, one operation each: nobody has a line for longer than that, which is the worst case.
 *
 * Not seen: accesses by assembly (the compare of tags, whose line the load before it tells; the word on which the reclaimer sleeps), and by
 * liburcu, whose readers have a word each.
 */
#include "args.h"
#include "format.h"
#include "machine.h"
#include "pair.h"
#include "report.h"
#include "team.h"
#include "traced/coherence.h"

#include <rcumap.h>

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the map's shared lines those that move most are named. */
#define WORST_LINES 3u

/* ------------------------------------------------------------------------------------ operations */

/* Each thread has pairs of its own, those whose number leaves its index. */
struct turn {
	struct rcumap *map;
	uint64_t pairs, threads, index, n; /* of all threads: pairs there at first; n: of this thread's operation */
};

static uint64_t own_pair(const struct turn *t)
{
	uint64_t each = t->pairs / t->threads;

	return rng_mix(t->n) % each * t->threads + t->index;
}

static void check(int result, int expected, const char *what)
{
	if (result != expected) {
		fprintf(stderr, "lines: %s: %s\n", what, strerror(-result));
		exit(1);
	}
}

static void put(const struct turn *t, uint64_t id, uint64_t ttl_ms)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];

	pair_key(key, id);
	pair_value(value, id, t->n);
	check(rcumap_put(t->map, key, sizeof key, value, sizeof value, ttl_ms, NULL), 0, "put");
}

static void get(const struct turn *t, uint64_t id, int expected)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];
	size_t size;

	pair_key(key, id);
	check(rcumap_get(t->map, key, sizeof key, value, sizeof value, &size, NULL), expected, "get");
}

/* Of everybody's pairs. */
static void do_get(const struct turn *t)
{
	get(t, rng_mix(t->n * t->threads + t->index) % t->pairs, 0);
}

static void do_miss(const struct turn *t)
{
	get(t, UINT64_MAX - (t->n * t->threads + t->index), -ENOENT);
}

static void do_overwrite(const struct turn *t)
{
	put(t, own_pair(t), RCUMAP_TTL_DEFAULT);
}

static void do_overwrite_for(const struct turn *t)
{
	put(t, own_pair(t), 3600000);
}

static void do_insert(const struct turn *t)
{
	put(t, t->pairs + t->n * t->threads + t->index, RCUMAP_TTL_DEFAULT);
}

static void do_delete(const struct turn *t)
{
	unsigned char key[PAIR_KEY_SIZE];

	pair_key(key, t->n * t->threads + t->index);
	check(rcumap_delete(t->map, key, sizeof key), 0, "delete");
}

static const struct operation {
	const char *name;
	void (*once)(const struct turn *t);
	uint64_t max_bytes; /* of the map; 0: no limit */
	bool moves_none; /* must not move any line */
} operations[] = {
	{ "get", do_get, 0, true },
	{ "get, absent", do_miss, 0, true },
	{ "overwrite", do_overwrite, 0, false },
	{ "overwrite, lives", do_overwrite_for, 0, false },
	{ "insert", do_insert, 0, false },
	{ "delete", do_delete, 0, false },
	{ "get, max_bytes", do_get, UINT64_C(1) << 30, false },
	{ "overwrite, max_bytes", do_overwrite, UINT64_C(1) << 30, false },
};

/* ------------------------------------------------------------------------------------ one run */

struct run_of {
	const struct operation *operation;
	struct rcumap *map;
	uint64_t pairs, times; /* of each thread */
	unsigned threads;
	sem_t turn[COHERENCE_CORES_MAX]; /* posted by who had his before */
};

static void work(struct team_member *me)
{
	struct run_of *r = me->ctx;
	struct turn t = { .map = r->map, .pairs = r->pairs, .threads = r->threads, .index = me->index };

	coherence_be(me->index + 1);
	for (t.n = 0; t.n < r->times; t.n++) {
		while (sem_wait(&r->turn[me->index]) != 0)
			;
		r->operation->once(&t);
		sem_post(&r->turn[(me->index + 1) % r->threads]);
	}
}

static struct rcumap *create_loaded(const struct operation *operation, uint64_t pairs)
{
	struct rcumap_options options = { .size = sizeof options, .max_bytes = operation->max_bytes };
	struct turn t = { .pairs = pairs, .threads = 1 };

	check(rcumap_create(&t.map, &options), 0, "create");
	for (; t.n < pairs; t.n++)
		put(&t, t.n, operation->once == do_overwrite_for ? 3600000 : RCUMAP_TTL_DEFAULT);
	/* Nothing is on its way any more: no table grows, nothing waits to be given back. */
	do
		rcumap_barrier(t.map);
	while (table_next(tables_current(&t.map->tables)));
	return t.map;
}

static const struct coherence_counts *count_operation(const struct operation *operation, unsigned threads, uint64_t pairs, uint64_t times)
{
	struct run_of r = { .operation = operation, .pairs = pairs, .times = times, .threads = threads };
	struct team_options options = { .threads = threads, .work = work, .ctx = &r, .name = "lines", .watchdog_s = 300 };
	const struct coherence_counts *counts;
	struct team *team;

	r.map = create_loaded(operation, pairs);
	for (unsigned i = 0; i < threads; i++)
		if (sem_init(&r.turn[i], 0, 0) != 0)
			check(-errno, 0, "sem_init");
	coherence_start(r.map);
	team = team_start(&options);
	sem_post(&r.turn[0]);
	team_join(team);
	counts = coherence_stop();
	rcumap_destroy(r.map);
	for (unsigned i = 0; i < threads; i++)
		sem_destroy(&r.turn[i]);
	return counts;
}

/* ------------------------------------------------------------------------------------ what came out */

static const char *name_of(size_t offset)
{
	static const struct {
		size_t end;
		const char *name;
	} places[] = {
		{ offsetof(struct rcumap, memory), "tables, options" },
		{ offsetof(struct rcumap, memory.slab), "memory.outside" },
		{ offsetof(struct rcumap, memory.slab.class), "memory.slab.stripe" },
		{ offsetof(struct rcumap, memory.slab.chunk), "memory.slab.class" },
		{ offsetof(struct rcumap, memory.stripe), "memory.slab" },
		{ offsetof(struct rcumap, memory.budget), "memory" },
		{ offsetof(struct rcumap, retire), "memory.budget" },
		{ offsetof(struct rcumap, retire.log.blocks), "retire.log" },
		{ offsetof(struct rcumap, expiry), "retire" },
		{ offsetof(struct rcumap, eviction), "expiry" },
		{ offsetof(struct rcumap, spare), "eviction" },
		{ offsetof(struct rcumap, stripe), "spare" },
		{ offsetof(struct rcumap, reclaimer), "stripe" },
	};

	for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
		if (offset < places[i].end)
			return places[i].name;
	return "reclaimer";
}

/* Lines of the map's struct that move most. */
static void print_worst(const struct coherence_counts *counts, double total)
{
	const size_t lines = sizeof counts->at / sizeof *counts->at;
	bool shown[sizeof counts->at / sizeof *counts->at] = { false };

	for (unsigned n = 0; n < WORST_LINES; n++) {
		size_t worst = 0;

		for (size_t i = 1; i < lines; i++)
			if (!shown[i] && (shown[worst] || counts->at[i] > counts->at[worst]))
				worst = i;
		if ((double)counts->at[worst] * 1000 / total < 1)
			break;
		printf("%s%s+%zu %.0f", n ? ", " : "   ", name_of(worst * COHERENCE_LINE), worst * COHERENCE_LINE,
		       (double)counts->at[worst] * 1000 / total);
		shown[worst] = true;
	}
	printf("\n");
}

/* False: lines moved, and must not have. */
static bool print_row(const struct operation *operation, const struct coherence_counts *counts, unsigned threads, uint64_t times)
{
	uint64_t moves = 0;
	double total = (double)times * threads;

	printf("  %-22s%8u", operation->name, threads);
	for (unsigned part = 0; part < PARTS; part++) {
		moves += counts->moves[part];
		printf("%12.1f", (double)counts->moves[part] * 1000 / total);
	}
	print_worst(counts, total);
	fflush(stdout);
	return moves == 0 || !operation->moves_none;
}

int main(int argc, char **argv)
{
	uint64_t pairs = 200000, times = 3000, threads_max = 16;
	const struct arg args[] = {
		ARG_U64("pairs", &pairs, "how many are in the map at first"),
		ARG_U64("times", &times, "operations of each thread"),
		ARG_U64("threads", &threads_max, "2, 4, 8 and so on, up to this many"),
		ARG_END,
	};
	struct machine machine;
	bool holds = true;

	args_parse(args, "Cache lines that go from core to core, counted operation by operation; status 1 if a get moves any.", argc, argv);
	if (threads_max < 2 || threads_max >= COHERENCE_CORES_MAX || times < 1 || times * threads_max > pairs || pairs > 10000000) {
		fprintf(stderr, "lines: 2 to %u threads, and up to 10 million pairs, at least as many as operations\n",
			COHERENCE_CORES_MAX - 1);
		return 2;
	}
	machine = machine_describe();
	report_machine(&machine);
	printf("Moves of cache lines to a thread, for 1000 operations; threads take turns, each with pairs of its own but for gets\n\n");
	printf("  %-22s%8s%12s%12s%12s%12s   %s\n", "", "threads", "buckets", "stripes", "shared", "elsewhere", "of the shared: line, moves");
	for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++)
		for (unsigned threads = 2; threads <= threads_max; threads *= 2) {
			const struct coherence_counts *counts = count_operation(&operations[i], threads, pairs, times);

			holds &= print_row(&operations[i], counts, threads, times);
		}
	printf("\n  Buckets: of the table, without overflow lines. Stripes: what each stripe has for itself. Shared: the map's own lines otherwise.\n"
	       "  Elsewhere: entries, overflow lines, blocks of retired words, arrays of free blocks.\n"
	       "\n  A get in a map without a limit must move none: %s.\n",
	       holds ? "holds" : "MISSED");
	return holds ? 0 : 1;
}
