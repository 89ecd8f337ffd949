/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include "actor.h"
#include "counting.h"

#include "harness/clock.h"
#include "harness/team.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS 20000000u
#define SETTLE_NS_MAX UINT64_C(60000000000)

/* How long a round may go on after it was told to end: with 68 threads of a sanitizer build on few processors the last
 * one gets there after seconds. */
#define PATIENCE_S 90u

/* More than any allocator tells apart, and keys enough that the blocks of all sizes come up. */
#define WARM_THREADS 128u
#define WARM_KEYS 256u

/* ------------------------------------------------------------------ what is said */

static void describe(const struct run *run, char *out, size_t size)
{
	const struct settings *s = run->settings;

	snprintf(out, size, "--scenario %s --flavor %s --allocator %s --threads %ju --writers %ju --seed %ju",
		 run->scenario->name, flavor_names[run->flavor], run->counting ? "counting" : "builtin",
		 (uintmax_t)s->readers, (uintmax_t)s->writers, (uintmax_t)s->seed);
}

void violation(const struct run *run, const char *format, ...)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	char what[512], how[256], line[1200];
	va_list args;
	int n;

	/* The first thread speaks for all. relaxed: nothing but the flag is shared. */
	while (atomic_flag_test_and_set_explicit(&said, memory_order_relaxed))
		pause();
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	describe(run, how, sizeof how);
	n = snprintf(line, sizeof line,
		     "\nVIOLATION in scenario %s, flavor %s, seed %ju, round %u: %s\nagain with: %s --seconds %ju\n",
		     run->scenario->name, flavor_names[run->flavor], (uintmax_t)run->settings->seed, run->round, what,
		     how, (uintmax_t)(run->ns / 1000000000u + 1));
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(1);
	_exit(1); /* not exit(): other threads go on using what it would tear down */
}

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (f) {
		if (fscanf(f, "%*u %lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t run_operations(const struct run *run)
{
	uint64_t n = run->operations;

	/* relaxed: a statistic. */
	for (unsigned i = 0; i < run->tallies; i++)
		n += atomic_load_explicit(&run->tally[i].operations, memory_order_relaxed);
	return n;
}

#define NOTE_MAX 160

static void make_note(const struct run *run, char *note)
{
	struct rcumap_stats stats = run_stats(run, run->map);

	snprintf(note, NOTE_MAX, "%.2f M turns, %.2f M writes, %ju entries, %ju pending, map %.1f MiB, RSS %.0f MiB",
		 (double)run_operations(run) / 1e6, (double)(stats.inserted + stats.replaced + stats.deleted) / 1e6,
		 (uintmax_t)stats.entries, (uintmax_t)stats.retired_pending, (double)stats.memory_bytes / 0x1p20,
		 (double)resident_bytes() / 0x1p20);
}

static void show_progress(struct run *run, uint64_t done_ns)
{
	char note[NOTE_MAX];

	make_note(run, note);
	progress_update(&run->progress, done_ns, note);
}

static void finish_progress(struct run *run)
{
	char note[NOTE_MAX];

	make_note(run, note);
	progress_finish(&run->progress, note);
}

/* ------------------------------------------------------------------ maps */

struct rcumap *run_create(struct run *run, struct rcumap_options options)
{
	struct rcumap *map = NULL;
	int r;

	options.size = sizeof options;
	options.flavor = flavor_rcu(run->flavor);
	if (run->counting)
		options.allocator = counting_allocator(run->counting);
	r = rcumap_create(&map, &options);
	if (r != 0)
		violation(run, "create returned %d", r);
	return map;
}

void run_destroy(struct run *run, struct rcumap *map)
{
	int r = rcumap_destroy(map);

	if (r != 0)
		violation(run, "destroy returned %d", r);
}

void run_play(struct run *run)
{
	int64_t left;

	run->scenario->play(run);
	/* relaxed: nobody else uses the allocator now, all threads were joined. */
	left = run->counting ? atomic_load_explicit(&run->counting->bytes, memory_order_relaxed) : 0;
	if (left != 0)
		violation(run, "%jd bytes were not given back, and all maps are destroyed", (intmax_t)left);
}

struct rcumap_stats run_stats(const struct run *run, const struct rcumap *map)
{
	struct rcumap_stats stats;
	int r = rcumap_stats(map, &stats, sizeof stats);

	if (r != 0)
		violation(run, "stats returned %d", r);
	return stats;
}

/* ------------------------------------------------------------------ with nobody writing */

/* Nobody looks at the map meanwhile, or wakes its reclaimer: what has a deadline goes by itself. */
static void wait_for_deadlines(struct actor *outer, struct rcumap *map)
{
	uint64_t end = now_ns() + SETTLE_NS_MAX;
	struct rcumap_stats stats;

	while ((stats = run_stats(outer->run, map)).expiring != 0 || stats.hints != 0) {
		if (now_ns() > end)
			violation(
				outer->run,
				"%ju of %ju entries still have a deadline, %ju hints remind of them, long after all of "
				"these must have passed",
				(uintmax_t)stats.expiring, (uintmax_t)stats.entries, (uintmax_t)stats.hints);
		flavor_offline(outer->run->flavor);
		sleep_ns(1000000);
		flavor_online(outer->run->flavor);
	}
}

/* Tables shrink and old ones go in the background: at rest is what ten barriers in a row leave as it is. */
static struct rcumap_stats come_to_rest(struct actor *outer, struct rcumap *map)
{
	struct rcumap_stats before = { 0 }, stats;
	uint64_t end = now_ns() + SETTLE_NS_MAX;
	unsigned calm = 0;

	do {
		actor_demand(outer, "barrier", 0, rcumap_barrier(map), 0);
		stats = run_stats(outer->run, map);
		calm = stats.memory_bytes == before.memory_bytes && stats.table_slots == before.table_slots ? calm + 1 :
													      0;
		before = stats;
		if (now_ns() > end)
			violation(outer->run,
				  "the map does not come to rest: %ju entries, %ju slots, grown %ju, shrunk %ju, %ju "
				  "bytes",
				  (uintmax_t)stats.entries, (uintmax_t)stats.table_slots, (uintmax_t)stats.grown,
				  (uintmax_t)stats.shrunk, (uintmax_t)stats.memory_bytes);
	} while (calm < 10);
	return stats;
}

static uint64_t count_found(struct actor *outer, struct rcumap *map, uint64_t universe)
{
	uint64_t found = 0;

	for (uint64_t key = 0; key < universe;) {
		section_open(outer, map);
		for (unsigned i = 0; i < ACTOR_SIGHTS && key < universe; i++)
			found += section_find(outer, key++) != NULL;
		section_close(outer);
		flavor_quiescent(outer->run->flavor);
	}
	return found;
}

/* A table that is at rest is at least a tenth full, unless it is tiny, and the only one: nobody can be in an old one. Its lines
 * take 16 bytes a slot at most, overflow lines 64, and its memory comes in pages, maybe huge ones. */
static void check_table(const struct run *run, const struct rcumap_stats *s, uint64_t capacity)
{
	uint64_t entries = s->entries > capacity ? s->entries : capacity;

	if (s->table_slots > 128 && s->table_slots > 10 * entries)
		violation(run, "the table has %ju slots at rest, for %ju entries and a capacity of %ju",
			  (uintmax_t)s->table_slots, (uintmax_t)s->entries, (uintmax_t)capacity);
	if (s->table_bytes > s->table_slots * 16 + s->overflow_lines * 64 + (UINT64_C(4) << 20))
		violation(run, "tables take %ju bytes at rest, for %ju slots and %ju overflow lines",
			  (uintmax_t)s->table_bytes, (uintmax_t)s->table_slots, (uintmax_t)s->overflow_lines);
}

uint64_t run_settle(struct actor *outer, struct rcumap *map, uint64_t universe, uint64_t capacity)
{
	struct run *run = outer->run;
	struct rcumap_stats s = come_to_rest(outer, map);
	uint64_t found = count_found(outer, map, universe), count = rcumap_count(map);

	if (s.inserted - s.deleted - s.expired - s.evicted != s.entries || s.entries != count || count != found)
		violation(run,
			  "%ju inserted - %ju deleted - %ju expired - %ju evicted, stats say %ju entries, count says "
			  "%ju, %ju can be found",
			  (uintmax_t)s.inserted, (uintmax_t)s.deleted, (uintmax_t)s.expired, (uintmax_t)s.evicted,
			  (uintmax_t)s.entries, (uintmax_t)count, (uintmax_t)found);
	if (s.retired_pending != 0)
		violation(run, "%ju retired entries are pending after a barrier", (uintmax_t)s.retired_pending);
	if (s.retired_bytes != 0)
		violation(run, "no retired entries are pending, but %ju bytes of them", (uintmax_t)s.retired_bytes);
	if (s.reclaimed != s.replaced + s.deleted + s.expired + s.evicted)
		violation(run,
			  "%ju replaced + %ju deleted + %ju expired + %ju evicted, but %ju reclaimed after a barrier",
			  (uintmax_t)s.replaced, (uintmax_t)s.deleted, (uintmax_t)s.expired, (uintmax_t)s.evicted,
			  (uintmax_t)s.reclaimed);
	check_table(run, &s, capacity);
	return s.memory_bytes - s.table_bytes;
}

/* What the map holds at rest after later rounds, apart from its table (check_table()), must not exceed what it held after
 * earlier ones, or it would grow for ever. Rounds that did the same may differ in how many entries there happen to be, for
 * which an eighth is plenty; and the built-in allocator keeps blocks for reuse, as many as were ever in use at once. Of
 * those that await a grace period there are RUN_PENDING_MAX and a batch per writer at most, of 256 bytes on average
 * (value_size()): so one round may need that many more than another. What it keeps per thread it has since warm_up().
 * A counting allocator keeps nothing; its slack pays for the records by which entries are retired. A leak of one small
 * entry in a hundred is beyond that within a minute, and with a counting allocator run_play() sees any. */
static void demand_flat(const struct run *run)
{
	uint64_t early = 0, late = 0, slack = run->plan->slack_bytes;

	slack += run->counting ? 1u << 20 : RUN_PENDING_MAX * UINT64_C(256);
	for (unsigned i = 0; i < RUN_ROUNDS; i++) {
		uint64_t *max = i < RUN_ROUNDS / 2 ? &early : &late;

		*max = run->memory[i] > *max ? run->memory[i] : *max;
	}
	if (late > early + early / 8 + slack)
		violation(run, "memory at rest rose from %ju to %ju bytes over the rounds", (uintmax_t)early,
			  (uintmax_t)late);
}

/* ------------------------------------------------------------------ rounds */

static unsigned plan_threads(const struct plan *plan)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PLAN_PARTS; i++)
		n += plan->parts[i].threads;
	return n;
}

/* What each thread of the team runs: find its part, and play it. */
static void play_part(struct team_member *member)
{
	struct run *run = member->ctx;
	const struct part *part = run->plan->parts;
	struct actor *me = malloc(sizeof *me);
	unsigned index = member->index;

	while (index >= part->threads)
		index -= part++->threads;
	if (!me)
		violation(run, "no memory for a thread");
	actor_init(me, run, member->index + 1);
	me->part = part;
	me->index = index;
	me->member = member;
	me->tally = &run->tally[member->index + 1];
	part->play(me);
	free(me);
}

static void play_round(struct run *run, struct actor *outer)
{
	const struct plan *plan = run->plan;
	uint64_t ns = run->ns / RUN_ROUNDS, start = now_ns(), elapsed;
	char name[64];
	struct team_options options = { .threads = plan_threads(plan),
					.work = play_part,
					.ctx = run,
					.name = name,
					.register_flavor = !plan->unregistered,
					.flavor = run->flavor,
					.watchdog_s = (unsigned)(ns / 1000000000u) + PATIENCE_S };
	struct team *team;

	snprintf(name, sizeof name, "%s, flavor %s, seed %ju, round %u", run->scenario->name, flavor_names[run->flavor],
		 (uintmax_t)run->settings->seed, run->round);
	flavor_offline(run->flavor);
	team = team_start(&options);
	while ((elapsed = now_ns() - start) < ns) {
		sleep_ns(ns - elapsed < TICK_NS ? ns - elapsed : TICK_NS);
		show_progress(run, run->round * ns + elapsed);
		if (plan->tick)
			plan->tick(outer);
	}
	if (plan->close)
		plan->close(outer);
	team_stop(team);
	team_join(team);
	flavor_online(run->flavor);
}

static void store_every_size(struct team_member *member)
{
	struct run *run = member->ctx;
	struct actor *me = malloc(sizeof *me);

	if (!me)
		violation(run, "no memory for a thread");
	actor_init(me, run, member->index);
	for (uint64_t i = 0; i < WARM_KEYS; i++) {
		uint64_t key = run->plan->universe + member->index * WARM_KEYS + i;

		actor_demand(me, "add", key, actor_store_for(me, run->map, VERB_ADD, key, 1, 0, RCUMAP_TTL_NEVER, NULL),
			     0);
		actor_demand(me, "delete", key, actor_delete(me, run->map, key), 0);
	}
	free(me);
}

/* The built-in allocator keeps blocks of each size for some number of threads apart, and gives new threads, of which each round
 * has some, the blocks that earlier ones had only once that number is reached. This reaches it. */
static void warm_up(struct run *run)
{
	struct team_options options = { .threads = WARM_THREADS,
					.work = store_every_size,
					.ctx = run,
					.name = "warm-up",
					.register_flavor = true,
					.flavor = run->flavor,
					.watchdog_s = PATIENCE_S };

	flavor_offline(run->flavor);
	team_run(&options);
	flavor_online(run->flavor);
	run->warmed = WARM_THREADS * WARM_KEYS;
}

/* Fold the threads' counts, so that the next round starts from 0. */
static void fold_tally(struct run *run)
{
	run->operations = run_operations(run);
	memset(run->tally, 0, run->tallies * sizeof run->tally[0]);
}

void run_rounds(struct run *run, const struct plan *plan)
{
	struct actor *outer = malloc(sizeof *outer);
	char label[64];

	run->plan = plan;
	run->tallies = plan_threads(plan) + 1;
	run->tally = aligned_alloc(64, run->tallies * sizeof run->tally[0]);
	if (!outer || !run->tally)
		violation(run, "no memory for %u threads", run->tallies);
	memset(run->tally, 0, run->tallies * sizeof run->tally[0]);
	snprintf(label, sizeof label, "%s %s %s", run->scenario->name, flavor_names[run->flavor],
		 run->counting ? "counting" : "builtin");
	progress_start(&run->progress, label, run->ns);
	if (!run->counting && !plan->may_refuse)
		warm_up(run);
	for (run->round = 0; run->round < RUN_ROUNDS; run->round++) {
		actor_init(outer, run, 0);
		outer->tally = &run->tally[0];
		play_round(run, outer);
		wait_for_deadlines(outer, run->map);
		if (plan->check)
			plan->check(outer);
		run->memory[run->round] = run_settle(outer, run->map, plan->universe, plan->capacity);
		fold_tally(run);
	}
	demand_flat(run);
	finish_progress(run);
	free(run->tally);
	run->tallies = 0;
	free(outer);
}
