/* SPDX-License-Identifier: BSD-2-Clause */
#include "stalled.h"

#include "clock.h"
#include "format.h"
#include "progress.h"
#include "resident.h"

#include <malloc.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* A writer who was held up for longer does not make up for it. */
#define LAG_NS UINT64_C(10000000)

/* One run: what its threads share. */
struct scene {
	const struct stalled *st;
	const struct run *run;
	struct worker *workers; /* the writer, the reader */
	sem_t enter, leave;	/* the reader's orders */
};

enum { WRITER, READER, THREADS };

static void overwrite_random(const struct scene *s, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t id = rng_below(&w->rng, s->st->pairs);

		pair_value(value, id, i);
		run_put_timed(s->run, w, id, value, sizeof value);
	}
}

static void write_at_pace(const struct scene *s, struct team_member *me, struct worker *w)
{
	uint64_t due = now_ns(), step = RUN_BATCH * UINT64_C(1000000000) / s->st->pace;

	while (!team_stopping(me)) {
		uint64_t now;

		overwrite_random(s, w);
		worker_pause(s->run, w, RUN_BATCH);
		due += step;
		now = now_ns();
		if (due > now)
			sleep_ns(due - now);
		else if (now - due > LAG_NS)
			due = now - LAG_NS;
	}
}

static void wait_for(sem_t *order)
{
	while (sem_wait(order) != 0)
		;
}

/* With some subjects whoever has entered is a reader, so he enters no sooner than he is to stay. */
static void stay(struct scene *s, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];
	size_t size;

	wait_for(&s->enter);
	worker_begin(s->run, w);
	s->run->subject->section_begin();
	if (!run_get(s->run, 0, value, sizeof value, &size))
		run_lost(s->run, 0);
	wait_for(&s->leave);
	s->run->subject->section_end();
	worker_end(s->run, w);
}

static void work(struct team_member *me)
{
	struct scene *s = me->ctx;

	if (me->index == READER) {
		stay(s, &s->workers[READER]);
		return;
	}
	worker_begin(s->run, &s->workers[WRITER]);
	write_at_pace(s, me, &s->workers[WRITER]);
	worker_end(s->run, &s->workers[WRITER]);
}

static void take_sample(struct stalled_series *series, const struct scene *s, uint64_t start_ns, uint64_t base)
{
	series->sample[series->samples++] = (struct stalled_sample){ .at_s = (double)(now_ns() - start_ns) / 1e9,
								     .bytes = resident_bytes_since(base),
								     .overwrites = workers_done(s->workers, 1) };
}

/* Tell the reader when to enter and to leave, and look at the memory all along. */
static void watch(struct stalled_series *series, struct scene *s, uint64_t base)
{
	const struct stalled *st = s->st;
	uint64_t start = now_ns(), step = (uint64_t)(st->ends_s * 1e9 / STALLED_SAMPLES);
	unsigned entered_at = 0, left_at = 0;

	for (unsigned i = 0; i < STALLED_SAMPLES; i++) {
		const struct stalled_sample *last;
		uint64_t due = start + i * step, now = now_ns();

		if (due > now)
			sleep_ns(due - now);
		take_sample(series, s, start, base);
		last = &series->sample[i];
		if (!entered_at && last->at_s >= st->enters_s) {
			entered_at = i;
			series->before_bytes = last->bytes;
			sem_post(&s->enter);
		}
		if (entered_at && !left_at && last->at_s >= st->leaves_s) {
			left_at = i;
			series->overwrites = last->overwrites - series->sample[entered_at].overwrites;
			sem_post(&s->leave);
		}
		if (entered_at && last->bytes > series->peak_bytes)
			series->peak_bytes = last->bytes;
	}
	/* Where the last sample came early. */
	if (!entered_at)
		sem_post(&s->enter);
	if (!left_at)
		sem_post(&s->leave);
}

static void load(const struct run *run, uint64_t pairs, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];

	worker_begin(run, w);
	for (uint64_t id = 0; id < pairs; id++) {
		pair_value(value, id, 0);
		run_put_timed(run, w, id, value, sizeof value);
		if (id % RUN_BATCH == 0)
			run->subject->thread_pause();
	}
	worker_end(run, w);
	run->subject->settle(run->map);
	histogram_reset(&w->put);
}

static void measure_one(const struct stalled *st, struct stalled_series *series, const struct subject *subject, uint64_t seed)
{
	uint64_t base = resident_bytes_trimmed();
	struct run run = run_create(subject, st->pairs);
	struct scene s = { .st = st, .run = &run, .workers = workers_create(THREADS, seed) };
	struct team_options options = { .threads = THREADS,
					.work = work,
					.ctx = &s,
					.name = "stalled",
					.watchdog_s = (unsigned)st->ends_s + RUN_WATCHDOG_S };
	struct team *team;

	series->sample = calloc(STALLED_SAMPLES, sizeof *series->sample);
	if (!series->sample || sem_init(&s.enter, 0, 0) != 0 || sem_init(&s.leave, 0, 0) != 0) {
		fprintf(stderr, "no memory for samples\n");
		exit(2);
	}
	load(&run, st->pairs, &s.workers[WRITER]);
	team = team_start(&options);
	watch(series, &s, base);
	team_stop(team);
	team_join(team);
	series->longest_put_ns = (double)histogram_max(&s.workers[WRITER].put);
	run.subject->settle(run.map);
	run_expect_count(&run, st->pairs);
	malloc_trim(0);
	series->after_bytes = resident_bytes_since(base);
	run_destroy(&run);
	sem_destroy(&s.enter);
	sem_destroy(&s.leave);
	free(s.workers);
}

static bool takes_part(const struct matrix *m, unsigned s)
{
	return m->subject[s].subject->section_begin && !m->subject[s].is_variant;
}

void stalled_measure(struct stalled *st, const struct matrix *m)
{
	struct progress progress;
	unsigned done = 0;

	progress_start(&progress, "stalled reader", m->subjects);
	for (unsigned s = 0; s < m->subjects; s++) {
		if (takes_part(m, s))
			measure_one(st, &st->of[s], m->subject[s].subject, m->seed);
		progress_update(&progress, ++done, m->subject[s].subject->name);
	}
	progress_finish(&progress, NULL);
}

/* ------------------------------------------------------------------------------------ what came out */

void stalled_print(const struct stalled *st, const struct matrix *m)
{
	printf("\n\nA READER WHO STAYS in his section for %.1f s, while %s overwrites a second are asked for: resident bytes of %s pairs\n\n",
	       st->leaves_s - st->enters_s, format_count(st->pace).text, format_count(st->pairs).text);
	printf("  %-12s%12s%12s%12s%14s%18s%14s\n", "", "before", "at most", "at the end", "overwrites", "bytes each", "longest put");
	for (unsigned s = 0; s < m->subjects; s++) {
		const struct stalled_series *series = &st->of[s];
		double grown = (double)series->peak_bytes - (double)series->before_bytes;

		if (series->samples == 0)
			continue;
		printf("  %-12s%12s%12s%12s%14s%18.1f%14s\n", m->subject[s].subject->name, format_bytes((double)series->before_bytes).text,
		       format_bytes((double)series->peak_bytes).text, format_bytes((double)series->after_bytes).text,
		       format_count(series->overwrites).text, series->overwrites ? grown / (double)series->overwrites : 0,
		       format_ns(series->longest_put_ns).text);
	}
	printf("\n  Overwrites: while he stayed. Bytes each: what memory grew by meanwhile, for each of them. At the end: %.1f s after he\n"
	       "  left, settled, and with malloc's free pages given back. Where readers hold locks, a writer waits for him instead.\n",
	       st->ends_s - st->leaves_s);
	fflush(stdout);
}

static void json_series(struct json *j, const char *subject, const struct stalled_series *series)
{
	json_object(j, NULL);
	json_text(j, "subject", subject);
	json_number(j, "before_bytes", (double)series->before_bytes);
	json_number(j, "peak_bytes", (double)series->peak_bytes);
	json_number(j, "after_bytes", (double)series->after_bytes);
	json_number(j, "overwrites", (double)series->overwrites);
	json_number(j, "longest_put_ns", series->longest_put_ns);
	json_list(j, "seconds");
	for (unsigned i = 0; i < series->samples; i++)
		json_number(j, NULL, series->sample[i].at_s);
	json_list_end(j);
	json_list(j, "bytes");
	for (unsigned i = 0; i < series->samples; i++)
		json_number(j, NULL, (double)series->sample[i].bytes);
	json_list_end(j);
	json_object_end(j);
}

void stalled_write_json(const struct stalled *st, const struct matrix *m, struct json *j)
{
	json_object(j, "stalled");
	json_number(j, "pairs", (double)st->pairs);
	json_number(j, "overwrites_per_second", (double)st->pace);
	json_number(j, "enters_s", st->enters_s);
	json_number(j, "leaves_s", st->leaves_s);
	json_number(j, "ends_s", st->ends_s);
	json_list(j, "subjects");
	for (unsigned s = 0; s < m->subjects; s++)
		if (st->of[s].samples)
			json_series(j, m->subject[s].subject->name, &st->of[s]);
	json_list_end(j);
	json_object_end(j);
}
