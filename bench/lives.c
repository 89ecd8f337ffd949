/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librcumap: distinct keys with a life of an hour come and go, by the hundred million. What reminds of their deadlines must not pile
 * up for that hour: memory has to be level from the first ten million on.
 *
 * Each writer stores keys that nobody stored before, and deletes each when he has stored some more: so some of the
 * reminders are void when they are first looked at, and some outlive their keys in the timing wheel. How fast that goes is not
 * the question.
 */
#include "args.h"
#include "clock.h"
#include "flavor.h"
#include "format.h"
#include "machine.h"
#include "pair.h"
#include "report.h"
#include "team.h"

#include <rcumap.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 10u
#define EARLY 3u
#define LIFE_MS UINT64_C(3600000)
#define SAMPLE_NS 2000000u
/* Between two looks at the clock, and at whether too much awaits its grace period. */
#define STEPS 64u
#define REST_NS UINT64_C(20000000000)
/* What is no reason to compact the wheel (lib/map/expiry.c). */
#define HINTS_SLACK 8192u

struct tally {
	_Alignas(64) _Atomic uint64_t pairs; /* stored and deleted */
};

struct lives {
	struct rcumap *map;
	enum flavor flavor;
	uint64_t pairs, live, threads;
	struct tally *tally;
};

/* Over some time. */
struct extremes {
	struct rcumap_stats least, most;
	uint64_t garbage; /* the most bytes that awaited a grace period at once: entries, and the reminders' log */
};

/* ------------------------------------------------------------------------------------ writers */

static void demand(const char *what, uint64_t id, int result)
{
	if (result == 0)
		return;
	fprintf(stderr, "lives: %s of pair %ju returned %d\n", what, (uintmax_t)id, result);
	exit(1);
}

static void put(const struct lives *lives, uint64_t id)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];

	pair_key(key, id);
	pair_value(value, id, 0);
	demand("put", id, rcumap_put(lives->map, key, sizeof key, value, sizeof value, LIFE_MS, NULL));
}

static void discard(const struct lives *lives, uint64_t id)
{
	unsigned char key[PAIR_KEY_SIZE];

	pair_key(key, id);
	demand("delete", id, rcumap_delete(lives->map, key, sizeof key));
}

static void come_and_go(struct team_member *me)
{
	const struct lives *lives = me->ctx;
	const uint64_t threads = lives->threads, live = (lives->live + threads - 1) / threads;
	const uint64_t share = (lives->pairs + threads - 1) / threads;

	for (uint64_t n = 0; n < share + live; n++) {
		if (n < share)
			put(lives, n * threads + me->index);
		if (n >= live)
			discard(lives, (n - live) * threads + me->index);
		if (n % STEPS == 0) {
			flavor_quiescent(lives->flavor);
			/* relaxed: a figure for the table */
			atomic_store_explicit(&lives->tally[me->index].pairs, n < live ? 0 : n - live,
					      memory_order_relaxed);
		}
	}
	atomic_store_explicit(&lives->tally[me->index].pairs, share, memory_order_relaxed);
}

static uint64_t pairs_done(const struct lives *lives)
{
	uint64_t pairs = 0;

	for (uint64_t i = 0; i < lives->threads; i++)
		pairs += atomic_load_explicit(&lives->tally[i].pairs, memory_order_relaxed);
	return pairs;
}

/* ------------------------------------------------------------------------------------ the table */

static struct rcumap_stats stats_of(const struct lives *lives)
{
	struct rcumap_stats stats;

	demand("stats", 0, rcumap_stats(lives->map, &stats, sizeof stats));
	return stats;
}

static void widen(struct extremes *seen, const struct rcumap_stats *now)
{
#define WIDEN(field)                                                                         \
	seen->least.field = now->field < seen->least.field ? now->field : seen->least.field; \
	seen->most.field = now->field > seen->most.field ? now->field : seen->most.field

	WIDEN(memory_bytes);
	WIDEN(hints);
	WIDEN(hint_bytes);
	WIDEN(retired_pending);
#undef WIDEN
	if (seen->garbage < now->retired_bytes + now->hint_bytes)
		seen->garbage = now->retired_bytes + now->hint_bytes;
}

static void merge(struct extremes *seen, const struct extremes *more)
{
	widen(seen, &more->least);
	widen(seen, &more->most);
	if (seen->garbage < more->garbage)
		seen->garbage = more->garbage;
}

static struct extremes extremes_at(const struct rcumap_stats *now)
{
	return (struct extremes){ *now, *now, now->retired_bytes + now->hint_bytes };
}

static void print_head(void)
{
	printf("  %13s%14s%12s%12s%12s%14s\n", "pairs so far", "memory", "at most", "hints", "hint bytes", "retired");
}

static void print_row(const char *pairs, const struct extremes *seen)
{
	printf("  %13s%14s%12s%12s%12s%14s\n", pairs, format_bytes((double)seen->least.memory_bytes).text,
	       format_bytes((double)seen->most.memory_bytes).text, format_count(seen->most.hints).text,
	       format_bytes((double)seen->most.hint_bytes).text, format_count(seen->most.retired_pending).text);
	fflush(stdout);
}

/* A row for each tenth, with what was seen meanwhile. */
static void watch(const struct lives *lives, struct extremes rows[ROWS])
{
	const uint64_t tenth = (lives->pairs + ROWS - 1) / ROWS;
	struct rcumap_stats now = stats_of(lives);

	print_head();
	for (unsigned row = 0; row < ROWS; row++) {
		const uint64_t end = row + 1 < ROWS ? (row + 1) * tenth : lives->pairs;

		rows[row] = extremes_at(&now);
		while (pairs_done(lives) < end) {
			sleep_ns(SAMPLE_NS);
			now = stats_of(lives);
			widen(&rows[row], &now);
		}
		print_row(format_count(end).text, &rows[row]);
	}
}

/* With nobody writing: until what was retired is reclaimed, and the wheel as small as it gets. */
static struct rcumap_stats rest(const struct lives *lives)
{
	const uint64_t end = now_ns() + REST_NS;
	struct rcumap_stats now;
	struct extremes seen;

	demand("barrier", 0, rcumap_barrier(lives->map));
	do {
		sleep_ns(SAMPLE_NS);
		now = stats_of(lives);
	} while (now.hints > HINTS_SLACK && now_ns() < end);
	seen = extremes_at(&now);
	print_row("at rest", &seen);
	return now;
}

static bool judge(const char *what, uint64_t is, uint64_t most)
{
	printf("  %-58s%14s  at most %14s  %s\n", what, format_count(is).text, format_count(most).text,
	       is <= most ? "holds" : "MISSED");
	return is <= most;
}

/*
 * A map keeps what it once needed, so the least of the last rows is held against the most of the first. Writers without
 * pause, more of them than processors, may later on have more garbage at once than they had at first; it
 * rests for one more grace period before it is used again: that much more is no growth.
 */
static bool judge_all(const struct lives *lives, const struct extremes rows[ROWS], const struct rcumap_stats *rested)
{
	const uint64_t live = lives->live + lives->threads;
	struct extremes early = rows[0], all = rows[0];
	uint64_t late = UINT64_MAX, most;
	bool holds;

	for (unsigned row = 0; row < ROWS; row++) {
		merge(&all, &rows[row]);
		if (row < EARLY)
			merge(&early, &rows[row]);
		if (row >= ROWS - EARLY && rows[row].least.memory_bytes < late)
			late = rows[row].least.memory_bytes;
	}
	most = early.most.memory_bytes + early.most.memory_bytes / 16 + 2 * (all.garbage - early.garbage);
	printf("  garbage at once: %s at first, %s in all\n\n", format_bytes((double)early.garbage).text,
	       format_bytes((double)all.garbage).text);
	holds = judge("bytes, least of the last three rows against most of the first", late, most);
	/* Filed while the wheel is compacted: no more than are looked at for it. */
	holds &= judge("hints in the wheel", all.most.hints, 2 * (2 * live + HINTS_SLACK));
	holds &= judge("hints at rest, with all keys gone", rested->hints, HINTS_SLACK);
	holds &= judge("entries at rest", rested->entries + rested->retired_pending + rested->expiring, 0);
	return holds;
}

static bool run(struct lives *lives)
{
	struct rcumap_options options = { .size = sizeof options, .flavor = flavor_rcu(lives->flavor) };
	struct team_options writers = { .threads = (unsigned)lives->threads,
					.work = come_and_go,
					.ctx = lives,
					.register_flavor = true,
					.flavor = lives->flavor };
	struct extremes rows[ROWS];
	struct rcumap_stats rested;
	struct team *team;
	uint64_t start;
	bool holds;

	lives->tally = aligned_alloc(64, lives->threads * sizeof lives->tally[0]);
	demand("memory", 0, lives->tally ? 0 : -ENOMEM);
	memset(lives->tally, 0, lives->threads * sizeof lives->tally[0]);
	demand("create", 0, rcumap_create(&lives->map, &options));
	flavor_register(lives->flavor);
	flavor_offline(lives->flavor);
	start = now_ns();
	team = team_start(&writers);
	watch(lives, rows);
	team_join(team);
	flavor_online(lives->flavor);
	rested = rest(lives);
	printf("\n  %s pairs by %ju writers in %.0f s, %s live at a time, flavor %s\n", format_count(lives->pairs).text,
	       (uintmax_t)lives->threads, (double)(now_ns() - start) / 1e9, format_count(lives->live).text,
	       flavor_names[lives->flavor]);
	holds = judge_all(lives, rows, &rested);
	demand("destroy", 0, rcumap_destroy(lives->map));
	flavor_unregister(lives->flavor);
	free(lives->tally);
	return holds;
}

int main(int argc, char **argv)
{
	struct lives lives = { .pairs = 100000000, .live = 65536, .threads = 8 };
	unsigned flavor = FLAVOR_BP;
	const struct arg args[] = {
		ARG_U64("pairs", &lives.pairs, "distinct keys to store and delete, in all"),
		ARG_U64("threads", &lives.threads, "writers"),
		ARG_U64("live", &lives.live, "keys that are there at a time"),
		ARG_CHOICE("flavor", &flavor, flavor_names, "RCU flavor"),
		ARG_END,
	};
	struct machine machine;

	args_parse(args, "Keys with a life of an hour are stored and deleted; status 1 if memory grows.", argc, argv);
	if (lives.threads < 1 || lives.threads > 1024 || lives.pairs < ROWS * lives.threads ||
	    lives.live > lives.pairs / ROWS) {
		fprintf(stderr, "lives: 1 to 1024 writers, pairs for ten of each, a tenth of them live\n");
		return 2;
	}
	lives.flavor = (enum flavor)flavor;
	machine = machine_describe();
	report_machine(&machine);
	return run(&lives) ? 0 : 1;
}
