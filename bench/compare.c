/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librcumap and every other map that is there: many mixes of operations at several sizes; get beside find; growth; a reader who
 * stays; bytes a pair. What must hold of all that.
 *
 * For the mixes all maps of a size are loaded first; then each mix goes round all of them, several times, so that what else the machine
 * does meets all alike. For the rest there is one map at a time.
 */
#include "growth.h"
#include "overhead.h"
#include "paired.h"
#include "stalled.h"
#include "transfer.h"

#include "args.h"
#include "report.h"
#include "rivals/rivals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
	const char *measures, *pairs, *subjects, *mixes, *threads, *json, *csv;
	double seconds, stall_seconds, rest_seconds;
	uint64_t rounds, seed, growth_pairs, growth_rounds, growth_readers, rival_rounds, overhead_pairs, stalled_pairs, pace;
	bool ours_alone, check;
};

struct comparison {
	struct machine machine;
	struct matrix matrix;
	struct paired paired;
	struct growth growth;
	struct stalled stalled;
	struct overhead overhead;
	struct bound_list bounds;
};

#define MEASURES "mixes,paired,growth,stalled,overhead"

static _Noreturn void refuse(const char *why, const char *what)
{
	fprintf(stderr, "compare: %s%s%s\n", why, what ? ": " : "", what ? what : "");
	exit(2);
}

/* Is the name among those of a list that commas divide? An empty list has all. */
static bool is_listed(const char *list, const char *name)
{
	size_t size = strlen(name);

	if (!*list)
		return true;
	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, size) == 0 && (at[size] == ',' || !at[size]))
			return true;
	return false;
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .measures = MEASURES,
			     .pairs = "10000,1000000,10000000",
			     .subjects = "",
			     .mixes = "",
			     .threads = "",
			     .seconds = 0.25,
			     .rounds = 11,
			     .growth_pairs = 10000000,
			     .growth_readers = 1,
			     .growth_rounds = 9,
			     .rival_rounds = 3,
			     .rest_seconds = 5,
			     .stalled_pairs = 1000000,
			     .stall_seconds = 4,
			     .pace = 300000,
			     .overhead_pairs = 20000000 };
	const struct arg args[] = {
		ARG_TEXT("measures", &o.measures, "which of these, with commas between"),
		ARG_TEXT("subjects", &o.subjects, "names of subjects, with commas between; default: all that were built"),
		ARG_TEXT("pairs", &o.pairs, "mixes: how many pairs, several sizes with commas between"),
		ARG_TEXT("mixes", &o.mixes, "names of mixes, with commas between; default: all"),
		ARG_TEXT("threads", &o.threads, "numbers of threads, with commas between: each with gets, misses, batches, 95/5, 50/50 and Zipf"),
		ARG_DOUBLE("seconds", &o.seconds, "mixes: how long a round takes, per subject and mix; paired: a tenth of it"),
		ARG_U64("rounds", &o.rounds, "mixes: rounds, of which the median counts"),
		ARG_U64("growth-pairs", &o.growth_pairs, "growth: how many pairs a map grows to"),
		ARG_U64("growth-readers", &o.growth_readers, "growth: how many threads get meanwhile; 0 leaves the second processor to the map"),
		ARG_U64("growth-rounds", &o.growth_rounds, "growth: rounds of the first subject"),
		ARG_U64("rival-rounds", &o.rival_rounds, "growth: rounds of the others"),
		ARG_DOUBLE("rest-seconds", &o.rest_seconds, "growth: the pause before each round"),
		ARG_U64("stalled-pairs", &o.stalled_pairs, "stalled: how many pairs there are"),
		ARG_DOUBLE("stall-seconds", &o.stall_seconds, "stalled: how long the reader stays; a quarter of that before, half of it after"),
		ARG_U64("pace", &o.pace, "stalled: overwrites a second"),
		ARG_U64("overhead-pairs", &o.overhead_pairs, "overhead: the largest size; the smallest is a quarter of it"),
		ARG_FLAG("ours-alone", &o.ours_alone, "overhead: without the other maps"),
		ARG_U64("seed", &o.seed, "of the order of access; 0: a fresh one"),
		ARG_TEXT("json", &o.json, "write all results to this file, too"),
		ARG_TEXT("csv", &o.csv, "write every round's rate to this file"),
		ARG_FLAG("check", &o.check, "end with status 1 if what must hold does not"),
		ARG_END,
	};

	args_parse(args, "librcumap beside every other map that was there when this was built.", argc, argv);
	if (o.rounds < 1 || o.rounds > MATRIX_ROUNDS || o.seconds <= 0)
		refuse("1 to 32 rounds, and more than 0 seconds", NULL);
	if (o.growth_rounds < 1 || o.growth_rounds > MATRIX_ROUNDS || o.rival_rounds > o.growth_rounds || o.growth_pairs < 1000 ||
	    !(o.rest_seconds >= 0 && o.rest_seconds <= 60) || o.growth_readers > 63)
		refuse("1 to 32 rounds of growth, no more of the rivals, at least 1000 pairs, a rest of 0 to 60 seconds, and up to 63 readers",
		       NULL);
	if (o.stalled_pairs < 1000 || o.stall_seconds <= 0 || o.pace < 1000 || o.pace > 100000000)
		refuse("at least 1000 pairs, and 1000 to 100 million overwrites a second", NULL);
	if (o.overhead_pairs < 1000)
		refuse("at least 1000 pairs", NULL);
	if (o.seed == 0)
		o.seed = rng_fresh_seed();
	return o;
}

/* The next number of a list that commas divide, from `least` to `most`; *at goes behind it. */
static uint64_t next_number(const char **at, uint64_t least, uint64_t most, const char *what)
{
	char *end;
	uint64_t number = strtoull(*at, &end, 10);

	if (end == *at || (*end && *end != ',') || number < least || number > most)
		refuse(what, *at);
	*at = *end ? end + 1 : end;
	return number;
}

static void choose_sizes(struct matrix *m, const char *list)
{
	while (*list) {
		if (m->sizes == MATRIX_SIZES)
			refuse("more than four sizes", list);
		m->size[m->sizes++] = next_number(&list, 1000, UINT32_MAX, "sizes from 1000 to 4294967295 pairs");
	}
}

static void choose_subjects(struct matrix *m, const char *list)
{
	for (const struct rival *r = rivals; r->name; r++) {
		if (!is_listed(list, r->name))
			continue;
		if (!r->subject) {
			printf("%s is left out: %s was not there when this was built.\n", r->name, r->package ? r->package : "its file");
			continue;
		}
		m->subject[m->subjects].subject = r->subject;
		m->subject[m->subjects].is_variant = r->is_variant;
		m->subject[m->subjects++].kind = r->kind;
	}
	if (m->subjects == 0)
		refuse("no such subject", list);
}

static void choose_mixes(struct matrix *m, const char *threads, const char *list)
{
	unsigned scale[MATRIX_SCALES], scales = 0, chosen = 0;

	while (*threads) {
		if (scales == MATRIX_SCALES)
			refuse("more than eight numbers of threads", threads);
		scale[scales++] = (unsigned)next_number(&threads, 1, 256, "1 to 256 threads");
	}
	if (scales) {
		matrix_set_scales(m, scale, scales);
	} else {
		memcpy(m->mix, matrix_mixes, sizeof matrix_mixes);
		m->mixes = MATRIX_MIXES;
	}
	for (unsigned x = 0; x < m->mixes; x++)
		if (is_listed(list, m->mix[x].name))
			m->mix[chosen++] = m->mix[x];
	m->mixes = chosen;
	if (chosen == 0)
		refuse("no such mix", list);
}

/* ------------------------------------------------------------------------------------ one size */

static struct matrix_cell *new_cell(void)
{
	struct matrix_cell *cell = calloc(1, sizeof *cell);

	if (!cell)
		refuse("no memory", NULL);
	return cell;
}

static void load_all(struct matrix *m, unsigned size, struct run runs[])
{
	struct progress progress;

	progress_start(&progress, "load", m->size[size] * m->subjects);
	for (unsigned s = 0; s < m->subjects; s++) {
		struct pairs p = { .run = run_create(m->subject[s].subject, m->size[size]),
				   .pairs = m->size[size],
				   .threads = m->subject[s].kind == SUBJECT_FLOOR ? 1 : 2,
				   .seed = m->seed,
				   .progress = &progress,
				   .progress_base = m->size[size] * s };

		m->cell[size][s] = new_cell();
		pairs_load(&p, &m->cell[size][s]->load);
		runs[s] = p.run;
	}
	progress_finish(&progress, NULL);
}

static bool takes_part(const struct matrix *m, unsigned s, const struct mix *mix)
{
	return mix_is_for(mix, m->subject[s].subject) && (m->subject[s].kind != SUBJECT_FLOOR || mix->puts == 0);
}

/* Who begins changes from round to round. */
static void mix_all(struct matrix *m, unsigned size, const struct run runs[])
{
	static struct mix_result result;
	struct mix_sequence sequence = mix_sequence_create(m->size[size], m->seed);
	const unsigned total = m->mixes * m->rounds * m->subjects;
	struct progress progress;
	unsigned done = 0;

	progress_start(&progress, "mixes", total);
	for (unsigned x = 0; x < m->mixes; x++)
		for (unsigned round = 0; round < m->rounds; round++)
			for (unsigned i = 0; i < m->subjects; i++) {
				unsigned s = (i + round) % m->subjects;

				progress_update(&progress, done++, m->mix[x].name);
				if (!takes_part(m, s, &m->mix[x]))
					continue;

				const double transfer_ns = m->mix[x].threads > 1 ? transfer_measure() : 0;

				mix_run(&runs[s], m->size[size], &m->mix[x], &sequence, m->seconds, m->seed + round, &result);
				matrix_add_round(&m->cell[size][s]->mix[x], &result, transfer_ns);
			}
	progress_finish(&progress, NULL);
	mix_sequence_free(&sequence);
}

/* A round of the pairs is this part of one of a mix, so short that what changes in the machine meets both of it. */
#define PAIRED_PART 10

static void measure(struct comparison *c, unsigned size, bool mixes, bool paired)
{
	struct matrix *m = &c->matrix;
	struct run runs[MATRIX_SUBJECTS];

	load_all(m, size, runs);
	if (mixes)
		mix_all(m, size, runs);
	if (paired)
		paired_measure(&c->paired, m, size, runs, m->seconds / PAIRED_PART);
	for (unsigned s = 0; s < m->subjects; s++) {
		run_expect_count(&runs[s], m->size[size]);
		run_destroy(&runs[s]);
	}
	if (mixes)
		matrix_print(m, size);
}

/* ------------------------------------------------------------------------------------ all of it */

static void measure_matrix(struct comparison *c, const struct options *o)
{
	bool mixes = is_listed(o->measures, "mixes"), paired = is_listed(o->measures, "paired");

	for (unsigned size = 0; (mixes || paired) && size < c->matrix.sizes; size++)
		measure(c, size, mixes, paired);
	paired_print(&c->paired);
	if (mixes)
		matrix_judge(&c->matrix, &c->bounds);
	paired_judge(&c->paired, &c->bounds);
}

static void measure_growth(struct comparison *c, const struct options *o)
{
	c->growth.pairs = o->growth_pairs;
	c->growth.readers = (unsigned)o->growth_readers;
	c->growth.rounds = (unsigned)o->growth_rounds;
	c->growth.rival_rounds = (unsigned)o->rival_rounds;
	c->growth.rest_seconds = o->rest_seconds;
	growth_measure(&c->growth, &c->matrix);
	growth_print(&c->growth, &c->matrix);
	growth_judge(&c->growth, &c->matrix, &c->bounds);
}

static void measure_stalled(struct comparison *c, const struct options *o)
{
	c->stalled.pairs = o->stalled_pairs;
	c->stalled.pace = o->pace;
	c->stalled.enters_s = o->stall_seconds / 4;
	c->stalled.leaves_s = c->stalled.enters_s + o->stall_seconds;
	c->stalled.ends_s = c->stalled.leaves_s + o->stall_seconds / 2;
	stalled_measure(&c->stalled, &c->matrix);
	stalled_print(&c->stalled, &c->matrix);
}

static void measure_overhead(struct comparison *c, const struct options *o)
{
	c->overhead.max = o->overhead_pairs;
	c->overhead.with_rivals = !o->ours_alone;
	overhead_measure(&c->overhead, &c->matrix);
	overhead_print(&c->overhead);
	overhead_judge(&c->overhead, &c->bounds);
}

static int write_json(const struct comparison *c, const struct options *o)
{
	FILE *file = fopen(o->json, "we");
	struct json j;
	bool failed;

	if (!file)
		return -errno;
	json_start(&j, file);
	machine_write_json(&j, &c->machine);
	json_number(&j, "seed", (double)c->matrix.seed);
	if (is_listed(o->measures, "mixes"))
		matrix_write_json(&c->matrix, &j);
	if (is_listed(o->measures, "paired"))
		paired_write_json(&c->paired, &j);
	if (is_listed(o->measures, "growth"))
		growth_write_json(&c->growth, &c->matrix, &j);
	if (is_listed(o->measures, "stalled"))
		stalled_write_json(&c->stalled, &c->matrix, &j);
	if (is_listed(o->measures, "overhead"))
		overhead_write_json(&c->overhead, &j);
	json_text(&j, "judged", c->matrix.subject[0].subject->name);
	bounds_write_json(&j, "bounds", c->bounds.bound, c->bounds.n);
	json_finish(&j);
	failed = ferror(file);
	return fclose(file) != 0 || failed ? -EIO : 0;
}

static bool print_bounds(const struct comparison *c)
{
	if (c->bounds.n == 0)
		return true;
	printf("\n\nWHAT MUST HOLD for %s, as far as it was measured\n\n", c->matrix.subject[0].subject->name);
	return bound_list_print(&c->bounds);
}

int main(int argc, char **argv)
{
	static struct comparison c;
	struct options o = parse(argc, argv);
	int error;
	bool holds;

	c.machine = machine_describe();
	c.matrix.rounds = (unsigned)o.rounds;
	c.matrix.seconds = o.seconds;
	c.matrix.seed = o.seed;
	report_machine(&c.machine);
	choose_sizes(&c.matrix, o.pairs);
	choose_subjects(&c.matrix, o.subjects);
	choose_mixes(&c.matrix, o.threads, o.mixes);
	measure_matrix(&c, &o);
	if (is_listed(o.measures, "growth"))
		measure_growth(&c, &o);
	if (is_listed(o.measures, "stalled"))
		measure_stalled(&c, &o);
	if (is_listed(o.measures, "overhead"))
		measure_overhead(&c, &o);
	holds = print_bounds(&c);
	error = o.json ? write_json(&c, &o) : 0;
	if (error)
		refuse(strerror(-error), o.json);
	error = o.csv ? matrix_write_csv(&c.matrix, o.csv) : 0;
	if (error)
		refuse(strerror(-error), o.csv);
	return o.check && !holds ? 1 : 0;
}
