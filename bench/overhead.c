/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a pair costs beyond its 48 bytes, from a size to four times that size: one map grows through all of them, as it
 * would in a service. Sizes are spaced evenly on a log scale, so every state of a table between two growths counts alike.
 */
#include "args.h"
#include "format.h"
#include "machine.h"
#include "progress.h"
#include "report.h"
#include "resident.h"
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZES 16u
#define CONTENT_BYTES (PAIR_KEY_SIZE + PAIR_VALUE_SIZE)
#define AVERAGE_BYTES 48.0
#define WORST_BYTES 56.0
/* Below this size the steps in which memory is taken show. */
#define JUDGED_PAIRS_MIN 1000000u

/* Bytes per pair beyond key and value. */
struct overhead {
	double at_once;	 /* in the moment the size is reached: an old table may still be there */
	double settled;	 /* when nothing is put off any more */
	double resident; /* the same by the kernel's count */
};

static uint64_t size_of_step(unsigned step, uint64_t max)
{
	return (uint64_t)((double)max * pow(4, (double)step / (SIZES - 1) - 1) + 0.5);
}

static double beyond_content(uint64_t bytes, uint64_t pairs)
{
	return (double)bytes / (double)pairs - CONTENT_BYTES;
}

static void insert(const struct run *run, struct worker *w, uint64_t from, uint64_t to)
{
	unsigned char value[PAIR_VALUE_SIZE];

	worker_begin(run, w);
	for (uint64_t id = from; id < to; id++) {
		pair_value(value, id, 0);
		run_put_timed(run, w, id, value, sizeof value);
		if (id % RUN_BATCH == 0)
			worker_pause(run, w, RUN_BATCH);
	}
	worker_end(run, w);
}

static void measure(const struct subject *subject, uint64_t max, struct progress *progress, uint64_t base,
		    struct overhead result[SIZES])
{
	uint64_t before = resident_bytes_trimmed(), pairs = 0;
	struct worker *w = workers_create(1, 0);
	struct run run = run_create(subject, max);

	for (unsigned i = 0; i < SIZES; i++) {
		uint64_t size = size_of_step(i, max);

		insert(&run, w, pairs, size);
		pairs = size;
		result[i].at_once = beyond_content(subject->memory(run.map), pairs);
		subject->settle(run.map);
		result[i].settled = beyond_content(subject->memory(run.map), pairs);
		result[i].resident = beyond_content(resident_bytes() - before, pairs);
		run_expect_count(&run, pairs);
		progress_update(progress, base + pairs, subject->name);
	}
	run_destroy(&run);
	free(w);
}

static void print_row(const char *what, const struct overhead *ours, const struct overhead *rival)
{
	printf("  %12s%14.1f%10.1f%10.1f%14.1f%10.1f\n", what, ours->at_once, ours->settled, ours->resident,
	       rival->settled, rival->resident);
}

static struct overhead average_of(const struct overhead o[SIZES])
{
	struct overhead sum = { 0, 0, 0 };

	for (unsigned i = 0; i < SIZES; i++) {
		sum.at_once += o[i].at_once / SIZES;
		sum.settled += o[i].settled / SIZES;
		sum.resident += o[i].resident / SIZES;
	}
	return sum;
}

static struct overhead worst_of(const struct overhead o[SIZES])
{
	struct overhead worst = o[0];

	for (unsigned i = 1; i < SIZES; i++) {
		worst.at_once = fmax(worst.at_once, o[i].at_once);
		worst.settled = fmax(worst.settled, o[i].settled);
		worst.resident = fmax(worst.resident, o[i].resident);
	}
	return worst;
}

static void print_table(uint64_t max, const struct overhead ours[SIZES], const struct overhead rival[SIZES])
{
	struct overhead average[] = { average_of(ours), average_of(rival) },
			worst[] = { worst_of(ours), worst_of(rival) };

	printf("Bytes per pair beyond its %u-byte key and %u-byte value, while one map grows:\n\n", PAIR_KEY_SIZE,
	       PAIR_VALUE_SIZE);
	printf("  %12s%34s%24s\n", "", subject_rcumap_bp.name, subject_mutex.name);
	printf("  %12s%14s%10s%10s%14s%10s\n", "pairs", "at once", "settled", "resident", "settled", "resident");
	for (unsigned i = 0; i < SIZES; i++)
		print_row(format_count(size_of_step(i, max)).text, &ours[i], &rival[i]);
	printf("\n");
	print_row("average", &average[0], &average[1]);
	print_row("worst", &worst[0], &worst[1]);
}

int main(int argc, char **argv)
{
	static struct overhead ours[SIZES], rival[SIZES];
	uint64_t max = 20000000;
	const struct arg args[] = {
		ARG_U64("max", &max, "the largest size, in pairs; the smallest is a quarter of it"),
		ARG_END,
	};
	struct machine machine;
	struct progress progress;
	bool holds;

	args_parse(args, "Overhead per pair at 16 sizes; status 1 if it is above its bounds.", argc, argv);
	if (max < 1000) {
		fprintf(stderr, "overhead: at least 1000 pairs\n");
		return 2;
	}
	machine = machine_describe();
	report_machine(&machine);
	progress_start(&progress, "overhead", 2 * max);
	measure(&subject_rcumap_bp, max, &progress, 0, ours);
	measure(&subject_mutex, max, &progress, max, rival);
	progress_finish(&progress, NULL);
	print_table(max, ours, rival);
	if (size_of_step(0, max) < JUDGED_PAIRS_MIN)
		return 0;
	holds = average_of(ours).settled <= AVERAGE_BYTES && worst_of(ours).settled <= WORST_BYTES;
	printf("\n  Settled, %s must be at most %.0f bytes on average and %.0f at the worst: %s.\n",
	       subject_rcumap_bp.name, AVERAGE_BYTES, WORST_BYTES, holds ? "holds" : "MISSED");
	return holds ? 0 : 1;
}
