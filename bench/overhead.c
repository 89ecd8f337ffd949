/* SPDX-License-Identifier: BSD-2-Clause */
#include "overhead.h"

#include "clock.h"
#include "format.h"
#include "progress.h"
#include "resident.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CONTENT_BYTES (PAIR_KEY_SIZE + PAIR_VALUE_SIZE)
/* What must hold of the accounted bytes, from this size on: below, the steps in which memory is taken show. */
#define JUDGED_PAIRS_MIN 1000000u
#define MEAN_BYTES 36.0
#define WORST_BYTES 40.0
#define MEAN_BYTES_LIVES 50.0
#define WORST_BYTES_LIVES 56.0
#define PEAK_TIMES 1.25
/* Lives are long enough that none ends meanwhile, and spread as those of a service's pairs. */
#define LIFE_MS_MIN UINT64_C(3600000)
#define LIFE_MS_MAX UINT64_C(86400000)
#define LOOK_NS 1000000u

static uint64_t size_of_step(unsigned step, uint64_t max)
{
	return (uint64_t)((double)max * pow(4, (double)step / (OVERHEAD_SIZES - 1) - 1) + 0.5);
}

static double beyond_content(uint64_t bytes, uint64_t pairs)
{
	return (double)bytes / (double)pairs - CONTENT_BYTES;
}

/* ------------------------------------------------------------------------------------ peaks */

/* Memory from moment to moment, once there are enough pairs. */
struct moments {
	size_t n, room;
	double *bytes;
};

static void add_moment(struct moments *all, uint64_t bytes)
{
	if (all->n == all->room) {
		all->room = all->room ? all->room * 2 : 4096;
		all->bytes = realloc(all->bytes, all->room * sizeof *all->bytes);
		if (!all->bytes) {
			fprintf(stderr, "no memory for samples\n");
			exit(2);
		}
	}
	all->bytes[all->n++] = (double)bytes;
}

/* Pairs only come: whatever a moment has more than a later one was there for a while only. The larger of before and after is what
 * is there after. */
static double peak_of(const struct moments *all)
{
	double least = INFINITY, peak = 0;

	for (size_t i = all->n; i-- > 0;) {
		least = fmin(least, all->bytes[i]);
		peak = fmax(peak, all->bytes[i] / least);
	}
	return peak;
}

/* ------------------------------------------------------------------------------------ one series */

struct filling {
	struct overhead_series *series;
	struct run run;
	struct worker *w;
	uint64_t max, base; /* bytes of the process before */
	/* [relaxed] how far the writer is, for who looks at it. */
	atomic_uint_fast64_t stored;
	atomic_bool done;
};

static void store(struct filling *f, uint64_t id)
{
	unsigned char value[PAIR_VALUE_SIZE];

	pair_value(value, id, 0);
	if (f->series->has_lives)
		run_put_for_timed(&f->run, f->w, id, value, sizeof value,
				  LIFE_MS_MIN + rng_below(&f->w->rng, LIFE_MS_MAX - LIFE_MS_MIN));
	else
		run_put_timed(&f->run, f->w, id, value, sizeof value);
}

static void fill(struct team_member *me)
{
	struct filling *f = me->ctx;
	uint64_t id = 0;

	for (unsigned i = 0; i < OVERHEAD_SIZES; i++) {
		uint64_t size = size_of_step(i, f->max);

		worker_begin(&f->run, f->w);
		for (; id < size; id++) {
			store(f, id);
			if (id % RUN_BATCH == 0) {
				worker_pause(&f->run, f->w, RUN_BATCH);
				atomic_store_explicit(&f->stored, id, memory_order_relaxed);
			}
		}
		worker_end(&f->run, f->w);
		f->run.subject->settle(f->run.map);
		f->series->settled[i] = beyond_content(f->run.subject->memory(f->run.map), size);
		f->series->resident[i] = beyond_content(resident_bytes_since(f->base), size);
		if (f->run.subject->fill)
			f->series->fill[i] = f->run.subject->fill(f->run.map);
		run_expect_count(&f->run, size);
	}
	atomic_store_explicit(&f->done, true, memory_order_relaxed);
}

/* By a thread that has entered, for the map is in use. */
static uint64_t account_of(const struct run *run)
{
	uint64_t bytes;

	run->subject->thread_enter();
	bytes = run->subject->memory(run->map);
	run->subject->thread_leave();
	return bytes;
}

/* From the side, so that no moment is left out, not even while the writer waits for the map to settle. */
static void watch(struct filling *f, struct progress *progress, uint64_t progress_base)
{
	struct moments own = { 0 }, resident = { 0 };

	while (!atomic_load_explicit(&f->done, memory_order_relaxed)) {
		uint64_t stored = atomic_load_explicit(&f->stored, memory_order_relaxed);

		if (stored >= JUDGED_PAIRS_MIN && f->series->is_ours)
			add_moment(&own, account_of(&f->run));
		if (stored >= JUDGED_PAIRS_MIN)
			add_moment(&resident, resident_bytes_since(f->base));
		progress_update(progress, progress_base + stored, f->series->name);
		sleep_ns(LOOK_NS);
	}
	f->series->peak = peak_of(&own);
	f->series->resident_peak = peak_of(&resident);
	free(own.bytes);
	free(resident.bytes);
}

static void measure_one(struct overhead_series *series, const struct subject *subject, uint64_t max, struct progress *progress,
			uint64_t progress_base)
{
	struct filling f = { .series = series, .max = max, .base = resident_bytes_trimmed(), .w = workers_create(1, 0) };
	struct team_options options = { .threads = 1, .work = fill, .ctx = &f, .name = "fill", .watchdog_s = 2 * RUN_WATCHDOG_S };
	struct team *team;

	f.run = run_create(subject, max);
	atomic_init(&f.stored, 0);
	atomic_init(&f.done, false);
	team = team_start(&options);
	watch(&f, progress, progress_base);
	team_join(team);
	run_destroy(&f.run);
	free(f.w);
}

/* Of a fixed size each of the sizes would be another map. */
static bool takes_part(const struct overhead *o, const struct matrix *m, unsigned s)
{
	if (m->subject[s].kind == SUBJECT_OURS)
		return s == 0;
	return o->with_rivals && !m->subject[s].subject->cannot_grow && !m->subject[s].is_variant;
}

void overhead_measure(struct overhead *o, const struct matrix *m)
{
	struct progress progress;
	uint64_t total = 0;

	for (unsigned s = 0; s < m->subjects; s++)
		total += takes_part(o, m, s) * o->max * (m->subject[s].kind == SUBJECT_OURS ? 2 : 1);
	progress_start(&progress, "overhead", total);
	for (unsigned s = 0; s < m->subjects; s++)
		for (unsigned lives = 0; takes_part(o, m, s) && lives < (m->subject[s].kind == SUBJECT_OURS ? 2 : 1); lives++) {
			struct overhead_series *series = &o->of[o->n];

			*series = (struct overhead_series){ .name = m->subject[s].subject->name,
							    .is_ours = m->subject[s].kind == SUBJECT_OURS,
							    .has_lives = lives };
			measure_one(series, m->subject[s].subject, o->max, &progress, o->n++ * o->max);
		}
	progress_finish(&progress, NULL);
}

/* ------------------------------------------------------------------------------------ what came out */

static double mean_of(const double values[OVERHEAD_SIZES])
{
	double sum = 0;

	for (unsigned i = 0; i < OVERHEAD_SIZES; i++)
		sum += values[i] / OVERHEAD_SIZES;
	return sum;
}

static double worst_of(const double values[OVERHEAD_SIZES])
{
	double worst = values[0];

	for (unsigned i = 1; i < OVERHEAD_SIZES; i++)
		worst = fmax(worst, values[i]);
	return worst;
}

static double mean(const struct overhead_series *series)
{
	return mean_of(series->settled);
}

static double worst(const struct overhead_series *series)
{
	return worst_of(series->settled);
}

static double mean_resident(const struct overhead_series *series)
{
	return mean_of(series->resident);
}

static double peak(const struct overhead_series *series)
{
	return series->peak;
}

static double peak_resident(const struct overhead_series *series)
{
	return series->resident_peak;
}

/* 0 stands for what was not measured. */
static void print_row(const struct overhead *o, const char *label, double (*figure)(const struct overhead_series *series))
{
	printf("  %13s", label);
	for (unsigned i = 0; i < o->n; i++) {
		double value = figure(&o->of[i]);

		if (value > 0)
			printf("%12.*f", value < 10 ? 2 : 1, value);
		else
			printf("%12s", "-");
	}
	printf("\n");
}

static void print_head(const struct overhead *o)
{
	printf("\n\nOVERHEAD: bytes a pair beyond its %u-byte key and %u-byte value, while one map grows; by its own account, settled\n\n",
	       PAIR_KEY_SIZE, PAIR_VALUE_SIZE);
	printf("  %13s", "pairs");
	for (unsigned i = 0; i < o->n; i++)
		printf("%12s", o->of[i].name);
	printf("\n  %13s", "");
	for (unsigned i = 0; i < o->n; i++)
		printf("%12s", o->of[i].has_lives ? "with lives" : "");
	printf("\n");
}

/* A lookup of a key that is absent reads its bucket's lines: more than one where it overflows. */
static void print_fill(const struct overhead *o, const struct overhead_series *series)
{
	if (series->fill[0].slots <= 0 || series->has_lives)
		return;
	printf("\n  %s: entries a hundred slots, overflow lines a hundred buckets\n\n", series->name);
	for (unsigned i = 0; i < OVERHEAD_SIZES; i++)
		printf("  %13s%12.1f%12.1f\n", format_count(size_of_step(i, o->max)).text, series->fill[i].slots * 100,
		       series->fill[i].overflow * 100);
}

void overhead_print(const struct overhead *o)
{
	print_head(o);
	for (unsigned step = 0; step < OVERHEAD_SIZES; step++) {
		printf("  %13s", format_count(size_of_step(step, o->max)).text);
		for (unsigned i = 0; i < o->n; i++)
			printf("%12.1f", o->of[i].settled[step]);
		printf("\n");
	}
	printf("\n");
	print_row(o, "mean", mean);
	print_row(o, "worst", worst);
	print_row(o, "mean resident", mean_resident);
	printf("\n");
	print_row(o, "peak", peak);
	print_row(o, "resident peak", peak_resident);
	for (unsigned i = 0; i < o->n; i++)
		print_fill(o, &o->of[i]);
	printf("\n  Resident: by the kernel's count. Peak: memory at any moment, by the least of all later ones, at most.\n");
	fflush(stdout);
}

void overhead_judge(const struct overhead *o, struct bound_list *bounds)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct overhead_series *series = &o->of[i];
		const char *lives = series->has_lives ? "with lives" : "without lives";

		if (!series->is_ours || size_of_step(0, o->max) < JUDGED_PAIRS_MIN)
			continue;
		bound_list_add(bounds,
			       &(struct bound){ .value = mean(series),
						.limit = series->has_lives ? MEAN_BYTES_LIVES : MEAN_BYTES,
						.unit = BOUND_BYTES },
			       "overhead up to %s pairs, mean, %s", format_count(o->max).text, lives);
		bound_list_add(bounds,
			       &(struct bound){ .value = worst(series),
						.limit = series->has_lives ? WORST_BYTES_LIVES : WORST_BYTES,
						.unit = BOUND_BYTES },
			       "overhead up to %s pairs, worst, %s", format_count(o->max).text, lives);
		bound_list_add(bounds, &(struct bound){ .value = series->peak, .limit = PEAK_TIMES, .unit = BOUND_TIMES },
			       "peak while growing to %s pairs, %s", format_count(o->max).text, lives);
	}
}

static void json_steps(struct json *j, const char *name, const double values[OVERHEAD_SIZES])
{
	json_list(j, name);
	for (unsigned i = 0; i < OVERHEAD_SIZES; i++)
		json_number(j, NULL, values[i]);
	json_list_end(j);
}

static void json_fill(struct json *j, const struct subject_fill fill[OVERHEAD_SIZES])
{
	double slots[OVERHEAD_SIZES], overflow[OVERHEAD_SIZES];

	for (unsigned i = 0; i < OVERHEAD_SIZES; i++) {
		slots[i] = fill[i].slots;
		overflow[i] = fill[i].overflow;
	}
	json_steps(j, "entries_per_slot", slots);
	json_steps(j, "overflow_lines_per_bucket", overflow);
}

void overhead_write_json(const struct overhead *o, struct json *j)
{
	json_object(j, "overhead");
	json_list(j, "pairs");
	for (unsigned i = 0; i < OVERHEAD_SIZES; i++)
		json_number(j, NULL, (double)size_of_step(i, o->max));
	json_list_end(j);
	json_list(j, "subjects");
	for (unsigned i = 0; i < o->n; i++) {
		json_object(j, NULL);
		json_text(j, "subject", o->of[i].name);
		json_bool(j, "lives", o->of[i].has_lives);
		json_steps(j, "settled_bytes", o->of[i].settled);
		json_steps(j, "resident_bytes", o->of[i].resident);
		if (o->of[i].fill[0].slots > 0)
			json_fill(j, o->of[i].fill);
		json_number(j, "peak", o->of[i].peak);
		json_number(j, "resident_peak", o->of[i].resident_peak);
		json_object_end(j);
	}
	json_list_end(j);
	json_object_end(j);
}
