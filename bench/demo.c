/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demo: librcumap beside one mutex around a chained table, on a real trace and on ten million small pairs.
 *
 * Both maps get the same work, phase by phase; what takes a given time is measured in short rounds that alternate
 * between them, so that a slow moment of the machine hits both.
 */
#include "args.h"
#include "flavor.h"
#include "format.h"
#include "machine.h"
#include "pairs.h"
#include "replay.h"
#include "report.h"
#include "results.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum part {
	PART_ALL,
	PART_TRACE,
	PART_PAIRS,
};

static const char *const part_names[] = { "all", "trace", "pairs", NULL };

struct options {
	uint64_t pairs, threads, readers, seed;
	double seconds;
	unsigned flavor, part;
	const char *trace, *json;
	bool check;
};

static struct options parse(int argc, char **argv)
{
	static struct options o = {
		.pairs = 10000000,
		.threads = 2,
		.readers = 8,
		.seconds = 5,
		.flavor = FLAVOR_BP,
		.part = PART_ALL,
		.trace = "bench/traces/kv_scarab.bin.zst",
	};
	const struct arg args[] = {
		ARG_U64("pairs", &o.pairs, "how many pairs to store"),
		ARG_U64("threads", &o.threads, "threads on the pairs: one writer, the others read"),
		ARG_DOUBLE("seconds", &o.seconds, "how long each timed measurement takes, per map"),
		ARG_U64("readers", &o.readers, "threads that replay the trace"),
		ARG_TEXT("trace", &o.trace, "the trace to replay; skipped if it is not there"),
		ARG_CHOICE("flavor", &o.flavor, flavor_names, "RCU flavor of librcumap"),
		ARG_CHOICE("part", &o.part, part_names, "what to run"),
		ARG_U64("seed", &o.seed, "of the order of access; 0: a fresh one"),
		ARG_TEXT("json", &o.json, "write all results to this file, too"),
		ARG_FLAG("check", &o.check, "end with status 1 if a bound is missed"),
		ARG_END,
	};

	args_parse(args, "librcumap beside a mutex around a chained table: a real trace, then ten million pairs.", argc,
		   argv);
	if (o.pairs < 1000 || o.threads < 1 || o.threads > 1000 || o.readers < 1 || o.readers > 1000 ||
	    o.seconds <= 0) {
		fprintf(stderr, "demo: at least 1000 pairs, 1 to 1000 threads and readers, and more than 0 seconds\n");
		exit(2);
	}
	if (o.seed == 0)
		o.seed = rng_fresh_seed();
	return o;
}

/* ------------------------------------------------------------------------------------ the trace */

static void replay_passes(struct results *r, const struct trace *trace, const struct options *o)
{
	double rates[SIDES][RESULTS_PASSES];
	struct progress progress;
	uint64_t base = 0;

	progress_start(&progress, "trace", trace->count * RESULTS_PASSES * SIDES);
	for (unsigned pass = 0; pass < RESULTS_PASSES; pass++) {
		for (unsigned side = 0; side < SIDES; side++) {
			struct replay_result *result = &r->trace.side[side].replay;
			struct run run = run_create(r->subject[side], trace->keys);

			replay_run(&run, trace, (unsigned)o->readers, &progress, base, result);
			run_destroy(&run);
			rates[side][pass] = (double)trace->count / result->seconds;
			base += trace->count;
		}
	}
	progress_finish(&progress, NULL);
	for (unsigned side = 0; side < SIDES; side++)
		r->trace.side[side].rate = spread_of(rates[side], RESULTS_PASSES);
}

static void run_trace(struct results *r, const struct options *o)
{
	struct trace trace;
	int error = trace_read(&trace, o->trace);

	if (error == -ENOENT) {
		printf("1  No trace at %s: this part is skipped.\n", o->trace);
		return;
	}
	if (error) {
		fprintf(stderr, "demo: cannot read the trace %s: %s\n", o->trace, strerror(-error));
		exit(2);
	}
	r->trace.path = o->trace;
	r->trace.threads = (unsigned)o->readers;
	r->trace.requests = trace.count;
	r->trace.keys = trace.keys;
	replay_passes(r, &trace, o);
	trace_free(&trace);
	r->has_trace = true;
	report_trace(r);
}

/* ------------------------------------------------------------------------------------ the pairs */

static void load_both(struct results *r, struct pairs side[SIDES])
{
	struct progress progress;

	progress_start(&progress, "load", r->pairs.pairs * SIDES);
	for (unsigned i = 0; i < SIDES; i++) {
		side[i].progress = &progress;
		side[i].progress_base = i * r->pairs.pairs;
		pairs_load(&side[i], &r->pairs.side[i].load);
	}
	progress_finish(&progress, NULL);
}

/* The map that begins changes from round to round. */
static void get_rounds(struct results *r, struct pairs side[SIDES])
{
	double seconds = r->pairs.seconds / RESULTS_ROUNDS, rates[SIDES][RESULTS_ROUNDS];
	struct progress progress;
	double done_ms = 0;

	progress_start(&progress, "get", (uint64_t)(r->pairs.seconds * 1e3 * SIDES));
	for (unsigned round = 0; round < RESULTS_ROUNDS; round++) {
		for (unsigned i = 0; i < SIDES; i++) {
			unsigned turn = (i + round) % SIDES;

			side[turn].progress = &progress;
			side[turn].progress_base = (uint64_t)done_ms;
			rates[turn][round] = pairs_get(&side[turn], seconds);
			done_ms += seconds * 1e3;
		}
	}
	progress_finish(&progress, NULL);
	for (unsigned i = 0; i < SIDES; i++)
		r->pairs.side[i].get_rate = spread_of(rates[i], RESULTS_ROUNDS);
}

static void mix_both(struct results *r, struct pairs side[SIDES])
{
	struct progress progress;

	progress_start(&progress, "95/5", (uint64_t)(r->pairs.seconds * 1e3 * SIDES));
	for (unsigned i = 0; i < SIDES; i++) {
		side[i].progress = &progress;
		side[i].progress_base = (uint64_t)(r->pairs.seconds * 1e3 * i);
		pairs_mixed(&side[i], r->pairs.seconds, &r->pairs.side[i].mixed);
	}
	progress_finish(&progress, NULL);
}

static void delete_both(struct results *r, struct pairs side[SIDES])
{
	uint64_t deletions = r->pairs.pairs / PAIRS_DELETE_EVERY;
	struct progress progress;

	progress_start(&progress, "delete", deletions * SIDES);
	for (unsigned i = 0; i < SIDES; i++) {
		side[i].progress = &progress;
		side[i].progress_base = i * deletions;
		pairs_delete(&side[i], &r->pairs.side[i].deletion);
	}
	progress_finish(&progress, NULL);
}

static void expire_both(struct results *r, struct pairs side[SIDES])
{
	uint64_t expiries = r->pairs.pairs / PAIRS_EXPIRE_EVERY;
	struct progress progress;

	progress_start(&progress, "expire", expiries * SIDES);
	for (unsigned i = 0; i < SIDES; i++) {
		side[i].progress = &progress;
		side[i].progress_base = i * expiries;
		pairs_expire(&side[i], &r->pairs.side[i].expiry);
	}
	progress_finish(&progress, NULL);
}

static void run_pairs(struct results *r, const struct options *o)
{
	struct pairs side[SIDES];

	r->pairs.pairs = o->pairs;
	r->pairs.threads = (unsigned)o->threads;
	r->pairs.seconds = o->seconds;
	r->pairs.seed = o->seed;
	for (unsigned i = 0; i < SIDES; i++)
		side[i] = (struct pairs){
			.run = run_create(r->subject[i], o->pairs),
			.pairs = o->pairs,
			.threads = (unsigned)o->threads,
			.seed = o->seed,
		};
	load_both(r, side);
	get_rounds(r, side);
	mix_both(r, side);
	delete_both(r, side);
	expire_both(r, side);
	r->has_pairs = true;
	report_pairs(r);
	for (unsigned i = 0; i < SIDES; i++)
		run_destroy(&side[i].run);
}

int main(int argc, char **argv)
{
	static struct results results; /* the histograms are large */
	struct options o = parse(argc, argv);
	struct machine machine = machine_describe();
	const struct subject *flavors[] = { &subject_rcumap_bp, &subject_rcumap_memb, &subject_rcumap_qsbr };
	bool holds;
	int error;

	results.subject[OURS] = flavors[o.flavor];
	results.subject[RIVAL] = &subject_mutex;
	report_machine(&machine);
	if (o.part != PART_PAIRS)
		run_trace(&results, &o);
	if (o.part != PART_TRACE)
		run_pairs(&results, &o);
	holds = report_bounds(&results);
	error = o.json ? report_json(o.json, &machine, &results) : 0;
	if (error) {
		fprintf(stderr, "demo: cannot write %s: %s\n", o.json, strerror(-error));
		return 2;
	}
	return o.check && !holds ? 1 : 0;
}
