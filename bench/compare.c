/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * librcumap and every other map that is there, at several sizes, in many mixes of operations. All maps of a size are loaded
 * first; then each mix goes round all of them, several times, so that what else the machine does meets all alike.
 */
#include "matrix.h"

#include "args.h"
#include "report.h"
#include "rivals/rivals.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
	const char *pairs, *subjects, *mixes, *json, *csv;
	double seconds;
	uint64_t rounds, seed;
	bool check;
};

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
	struct options o = { .pairs = "10000,1000000,10000000", .subjects = "", .mixes = "", .seconds = 0.5, .rounds = 5 };
	const struct arg args[] = {
		ARG_TEXT("pairs", &o.pairs, "how many pairs, several sizes with commas between"),
		ARG_TEXT("subjects", &o.subjects, "names of subjects, with commas between; default: all that were built"),
		ARG_TEXT("mixes", &o.mixes, "names of mixes, with commas between; default: all"),
		ARG_DOUBLE("seconds", &o.seconds, "how long a round takes, per subject and mix"),
		ARG_U64("rounds", &o.rounds, "rounds, of which the median counts"),
		ARG_U64("seed", &o.seed, "of the order of access; 0: a fresh one"),
		ARG_TEXT("json", &o.json, "write all results to this file, too"),
		ARG_TEXT("csv", &o.csv, "write every round's rate to this file"),
		ARG_FLAG("check", &o.check, "end with status 1 if what must hold does not"),
		ARG_END,
	};

	args_parse(args, "librcumap beside every other map that was there when this was built.", argc, argv);
	if (o.rounds < 1 || o.rounds > MATRIX_ROUNDS || o.seconds <= 0)
		refuse("1 to 16 rounds, and more than 0 seconds", NULL);
	if (o.seed == 0)
		o.seed = rng_fresh_seed();
	return o;
}

static void choose_sizes(struct matrix *m, const char *list)
{
	for (const char *at = list; *at;) {
		char *end;
		uint64_t pairs = strtoull(at, &end, 10);

		if (end == at || (*end && *end != ',') || pairs < 1000 || pairs > UINT32_MAX || m->sizes == MATRIX_SIZES)
			refuse("up to four sizes from 1000 to 4294967295 pairs", list);
		m->size[m->sizes++] = pairs;
		at = *end ? end + 1 : end;
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
		m->subject[m->subjects++].kind = r->kind;
	}
	if (m->subjects == 0)
		refuse("no such subject", list);
}

/* The mixes that were asked for, in a table of their own. */
static void choose_mixes(struct matrix *m, const char *list)
{
	static struct mix chosen[MATRIX_MIXES];

	for (unsigned x = 0; x < MATRIX_MIXES; x++)
		if (is_listed(list, matrix_mixes[x].name))
			chosen[m->mixes++] = matrix_mixes[x];
	m->mix = chosen;
	if (m->mixes == 0)
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
	struct mix_sequence sequence = mix_sequence_create(m->size[size], m->seed);
	const unsigned total = m->mixes * m->rounds * m->subjects;
	struct progress progress;
	unsigned done = 0;

	progress_start(&progress, "mixes", total);
	for (unsigned x = 0; x < m->mixes; x++)
		for (unsigned round = 0; round < m->rounds; round++)
			for (unsigned i = 0; i < m->subjects; i++) {
				unsigned s = (i + round) % m->subjects;
				struct matrix_cell *cell = m->cell[size][s];

				progress_update(&progress, done++, m->mix[x].name);
				if (!takes_part(m, s, &m->mix[x]))
					continue;
				mix_run(&runs[s], m->size[size], &m->mix[x], &sequence, m->seconds, m->seed + round,
					&cell->mix[x].all);
				cell->mix[x].rate[round] = cell->mix[x].all.rate;
				cell->mix[x].measured = true;
			}
	progress_finish(&progress, NULL);
	mix_sequence_free(&sequence);
}

static void measure(struct matrix *m, unsigned size)
{
	struct run runs[MATRIX_SUBJECTS];

	load_all(m, size, runs);
	mix_all(m, size, runs);
	for (unsigned s = 0; s < m->subjects; s++) {
		run_expect_count(&runs[s], m->size[size]);
		run_destroy(&runs[s]);
	}
	matrix_print(m, size);
}

static void write_file(int (*write)(const struct matrix *m, const char *path), const struct matrix *m, const char *path)
{
	int error = path ? write(m, path) : 0;

	if (error)
		refuse(strerror(-error), path);
}

int main(int argc, char **argv)
{
	static struct matrix m;
	struct options o = parse(argc, argv);
	bool holds;

	m.machine = machine_describe();
	m.rounds = (unsigned)o.rounds;
	m.seconds = o.seconds;
	m.seed = o.seed;
	report_machine(&m.machine);
	choose_sizes(&m, o.pairs);
	choose_subjects(&m, o.subjects);
	choose_mixes(&m, o.mixes);
	for (unsigned size = 0; size < m.sizes; size++)
		measure(&m, size);
	holds = matrix_judge(&m);
	write_file(matrix_write_json, &m, o.json);
	write_file(matrix_write_csv, &m, o.csv);
	return o.check && !holds ? 1 : 0;
}
