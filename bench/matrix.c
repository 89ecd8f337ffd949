/* SPDX-License-Identifier: BSD-2-Clause */
#include "matrix.h"

#include "format.h"
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

const struct mix matrix_mixes[MATRIX_MIXES] = {
	{ "get 1t", "gets of random pairs", MIX_GET, 0, 1 },
	{ "get 2t", "the same, two threads", MIX_GET, 0, 2 },
	{ "get 8t", "the same, eight threads", MIX_GET, 0, 8 },
	{ "miss 1t", "gets of keys that are not there", MIX_MISS, 0, 1 },
	{ "miss 2t", "the same, two threads", MIX_MISS, 0, 2 },
	{ "batch 1t", "gets of 32 pairs at a time", MIX_BATCH, 0, 1 },
	{ "batch 2t", "the same, two threads", MIX_BATCH, 0, 2 },
	{ "depend 1t", "gets of pairs named by the value before", MIX_DEPENDENT, 0, 1 },
	{ "95/5 2t", "gets, and overwrites of one in twenty", MIX_PUT, 0.05, 2 },
	{ "95/5 8t", "the same, eight threads", MIX_PUT, 0.05, 8 },
	{ "50/50 2t", "gets and overwrites", MIX_PUT, 0.5, 2 },
	{ "zipf 2t", "95/5 of pairs that are not equally popular", MIX_ZIPF, 0.05, 2 },
	{ "timed 2t", "95/5, each operation timed", MIX_TIMED, 0.05, 2 },
	{ "timed 8t", "the same, eight threads", MIX_TIMED, 0.05, 8 },
};

static const double percents[] = { 50, 99, 99.9, 99.99, 99.999 };

#define PERCENTS (sizeof percents / sizeof *percents)

struct spread matrix_rate(const struct matrix *m, unsigned size, unsigned subject, unsigned mix)
{
	const struct matrix_cell *cell = m->cell[size][subject];
	double rates[MATRIX_ROUNDS];

	if (!cell || !cell->mix[mix].measured)
		return (struct spread){ 0, 0, 0 };
	for (unsigned i = 0; i < m->rounds; i++)
		rates[i] = cell->mix[mix].rate[i];
	return spread_of(rates, m->rounds);
}

/* ------------------------------------------------------------------------------------ tables */

static void print_rates(const struct matrix *m, unsigned size)
{
	double widest = 0;

	printf("\n  millions of operations a second, all threads; median of %u rounds of %.2f s\n\n  %-12s", m->rounds, m->seconds, "");
	for (unsigned x = 0; x < m->mixes; x++)
		printf("%10s", m->mix[x].name);
	printf("\n");
	for (unsigned s = 0; s < m->subjects; s++) {
		printf("  %-12s", m->subject[s].subject->name);
		for (unsigned x = 0; x < m->mixes; x++) {
			struct spread rate = matrix_rate(m, size, s, x);
			double spread = rate.median > 0 ? (rate.most - rate.least) / rate.median : 0;

			widest = spread > widest ? spread : widest;
			if (rate.median > 0)
				printf("%10.2f", rate.median / 1e6);
			else
				printf("%10s", "-");
		}
		printf("\n");
	}
	printf("\n  Least and most of a median's rounds are at most %.0f %% of it apart.\n", widest * 100);
}

static void print_histogram(const char *name, const char *what, const struct histogram *h, double share)
{
	if (histogram_count(h) == 0)
		return;
	printf("  %-12s%-10s", name, what);
	for (unsigned i = 0; i < PERCENTS; i++)
		printf("%10s", format_ns((double)histogram_percentile(h, percents[i])).text);
	printf("%10s", format_ns((double)histogram_max(h)).text);
	if (share > 0)
		printf("%12.1f", share);
	printf("\n");
}

static void print_head(const char *last)
{
	printf("\n  %-12s%-10s", "", "");
	for (unsigned i = 0; i < PERCENTS; i++) {
		char text[16];

		snprintf(text, sizeof text, "p%g", percents[i]);
		printf("%10s", text);
	}
	printf("%10s%12s\n", "longest", last);
}

static void print_latencies(const struct matrix *m, unsigned size)
{
	for (unsigned x = 0; x < m->mixes; x++) {
		if (m->mix[x].kind != MIX_TIMED)
			continue;
		printf("\n  %s: %s; switches: involuntary ones a second", m->mix[x].name, m->mix[x].what);
		print_head("switches");
		for (unsigned s = 0; s < m->subjects; s++) {
			const struct matrix_cell *cell = m->cell[size][s];

			if (!cell || !cell->mix[x].measured)
				continue;
			print_histogram(m->subject[s].subject->name, "get", &cell->mix[x].all.get,
					(double)cell->mix[x].all.switches / (m->seconds * m->rounds));
			print_histogram("", "put", &cell->mix[x].all.put, 0);
		}
	}
}

static double overhead_of(const struct matrix *m, unsigned size, const struct matrix_cell *cell)
{
	return (double)cell->load.memory_bytes / (double)m->size[size] - PAIR_KEY_SIZE - PAIR_VALUE_SIZE;
}

static void print_loads(const struct matrix *m, unsigned size)
{
	printf("\n  loading, one writer beside one reader (none at the floor); overhead: bytes a pair beyond key and value");
	printf("\n\n  %-12s%10s%12s%12s%12s%12s%12s%12s\n", "", "seconds", "longest put", "put p99.9", "longest get", "overhead",
	       "resident", "at most");
	for (unsigned s = 0; s < m->subjects; s++) {
		const struct matrix_cell *cell = m->cell[size][s];

		if (!cell)
			continue;
		printf("  %-12s%10.2f%12s%12s%12s%12.1f%12s%12s\n", m->subject[s].subject->name, cell->load.seconds,
		       format_ns((double)histogram_max(&cell->load.insert)).text,
		       format_ns((double)histogram_percentile(&cell->load.insert, 99.9)).text,
		       format_ns((double)histogram_max(&cell->load.get)).text, overhead_of(m, size, cell),
		       format_bytes((double)cell->load.resident_bytes).text,
		       format_bytes((double)cell->load.resident_peak_bytes).text);
	}
}

void matrix_print(const struct matrix *m, unsigned size)
{
	printf("\n%s PAIRS of %u-byte keys and %u-byte values; seed %" PRIu64 "\n", format_count(m->size[size]).text, PAIR_KEY_SIZE,
	       PAIR_VALUE_SIZE, m->seed);
	print_rates(m, size);
	print_latencies(m, size);
	print_loads(m, size);
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------ what must hold */

/* Against whom. */
enum against {
	ANY_RIVAL,
	RCU_RIVALS,
	THE_FLOOR,
	OUR_TWO, /* ourselves with two threads */
};

static const struct demand {
	uint64_t pairs;
	const char *mix;
	enum against against;
	double times;
} demands[] = {
	{ 10000000, "get 2t", ANY_RIVAL, 1.15 },  { 10000000, "get 2t", THE_FLOOR, 0.9 },   { 10000000, "miss 1t", ANY_RIVAL, 1.4 },
	{ 10000000, "zipf 2t", ANY_RIVAL, 1.15 }, { 10000000, "batch 2t", ANY_RIVAL, 1.2 }, { 10000000, "95/5 2t", ANY_RIVAL, 1.15 },
	{ 10000000, "95/5 8t", ANY_RIVAL, 1.0 },  { 10000000, "95/5 8t", OUR_TWO, 0.8 },    { 10000000, "50/50 2t", ANY_RIVAL, 1.0 },
	{ 10000000, "50/50 2t", RCU_RIVALS, 3.0 }, { 10000, "get 2t", ANY_RIVAL, 1.3 },	    { 10000, "95/5 2t", ANY_RIVAL, 1.3 },
	{ 1000000, "get 2t", ANY_RIVAL, 1.0 },	  { 1000000, "miss 1t", ANY_RIVAL, 1.0 },   { 1000000, "95/5 2t", ANY_RIVAL, 1.0 },
	{ 1000000, "batch 2t", ANY_RIVAL, 1.0 },
};

static int mix_named(const struct matrix *m, const char *name)
{
	for (unsigned x = 0; x < m->mixes; x++)
		if (strcmp(m->mix[x].name, name) == 0)
			return (int)x;
	return -1;
}

static int size_of(const struct matrix *m, uint64_t pairs)
{
	for (unsigned i = 0; i < m->sizes; i++)
		if (m->size[i] == pairs)
			return (int)i;
	return -1;
}

static bool is_against(const struct matrix *m, unsigned subject, enum against against)
{
	enum subject_kind kind = m->subject[subject].kind;

	switch (against) {
	case ANY_RIVAL:
		return kind == SUBJECT_LOCKS || kind == SUBJECT_RCU;
	case RCU_RIVALS:
		return kind == SUBJECT_RCU;
	case THE_FLOOR:
		return kind == SUBJECT_FLOOR;
	default:
		return subject == 0;
	}
}

/* The best of those; its name in *who. */
static double best_of(const struct matrix *m, unsigned size, unsigned mix, enum against against, const char **who)
{
	double best = 0;

	for (unsigned s = 0; s < m->subjects; s++) {
		double rate = is_against(m, s, against) ? matrix_rate(m, size, s, mix).median : 0;

		if (rate > best) {
			best = rate;
			*who = m->subject[s].subject->name;
		}
	}
	return best;
}

static bool judge(const struct matrix *m, const struct demand *d)
{
	int size = size_of(m, d->pairs), mix = mix_named(m, d->mix), two = mix_named(m, "95/5 2t");
	const char *who = "";
	double ours, best;
	bool holds;

	if (size < 0 || mix < 0 || (d->against == OUR_TWO && two < 0))
		return true;
	ours = matrix_rate(m, (unsigned)size, 0, (unsigned)mix).median;
	best = best_of(m, (unsigned)size, (unsigned)(d->against == OUR_TWO ? two : mix), d->against, &who);
	if (ours <= 0 || best <= 0)
		return true;
	holds = ours >= d->times * best;
	printf("  %12s  %-10s %8.2f M/s, %-12s %8.2f: %6.2f x, at least %.2f  %s\n", format_count(d->pairs).text, d->mix, ours / 1e6, who,
	       best / 1e6, ours / best, d->times, holds ? "holds" : "MISSED");
	return holds;
}

bool matrix_judge(const struct matrix *m)
{
	bool holds = true;

	printf("\nWHAT MUST HOLD for %s, against the best that was measured\n\n", m->subject[0].subject->name);
	for (unsigned i = 0; i < sizeof demands / sizeof *demands; i++)
		holds &= judge(m, &demands[i]);
	return holds;
}

/* ------------------------------------------------------------------------------------ files */

static void json_histogram(struct json *j, const char *name, const struct histogram *h)
{
	if (histogram_count(h) == 0)
		return;
	json_object(j, name);
	json_number(j, "count", (double)histogram_count(h));
	for (unsigned i = 0; i < PERCENTS; i++) {
		char text[32];

		snprintf(text, sizeof text, "p%g_ns", percents[i]);
		json_number(j, text, (double)histogram_percentile(h, percents[i]));
	}
	json_number(j, "max_ns", (double)histogram_max(h));
	json_object_end(j);
}

static void json_cell(struct json *j, const struct matrix *m, unsigned size, unsigned s)
{
	const struct matrix_cell *cell = m->cell[size][s];

	json_object(j, NULL);
	json_text(j, "subject", m->subject[s].subject->name);
	json_text(j, "what", m->subject[s].subject->what);
	json_number(j, "load_seconds", cell->load.seconds);
	json_histogram(j, "load_put", &cell->load.insert);
	json_histogram(j, "load_get", &cell->load.get);
	json_number(j, "memory_bytes", (double)cell->load.memory_bytes);
	json_number(j, "resident_bytes", (double)cell->load.resident_bytes);
	json_number(j, "resident_peak_bytes", (double)cell->load.resident_peak_bytes);
	json_list(j, "mixes");
	for (unsigned x = 0; x < m->mixes; x++) {
		if (!cell->mix[x].measured)
			continue;
		json_object(j, NULL);
		json_text(j, "mix", m->mix[x].name);
		json_list(j, "operations_per_second");
		for (unsigned i = 0; i < m->rounds; i++)
			json_number(j, NULL, cell->mix[x].rate[i]);
		json_list_end(j);
		json_number(j, "involuntary_switches", (double)cell->mix[x].all.switches);
		json_histogram(j, "get", &cell->mix[x].all.get);
		json_histogram(j, "put", &cell->mix[x].all.put);
		json_object_end(j);
	}
	json_list_end(j);
	json_object_end(j);
}

static void json_machine(struct json *j, const struct machine *machine)
{
	json_text(j, "cpu", machine->cpu);
	json_number(j, "cores", machine->cores);
	json_text(j, "kernel", machine->kernel);
	json_text(j, "huge_pages", machine->huge_pages);
	json_text(j, "commit", machine->commit);
	json_text(j, "compiler", machine->compiler);
}

static int closed(FILE *file)
{
	bool failed = ferror(file);

	return fclose(file) != 0 || failed ? -EIO : 0;
}

int matrix_write_json(const struct matrix *m, const char *path)
{
	FILE *file = fopen(path, "w");
	struct json j;

	if (!file)
		return -errno;
	json_start(&j, file);
	json_machine(&j, &m->machine);
	json_number(&j, "seed", (double)m->seed);
	json_number(&j, "round_seconds", m->seconds);
	json_list(&j, "sizes");
	for (unsigned size = 0; size < m->sizes; size++) {
		json_object(&j, NULL);
		json_number(&j, "pairs", (double)m->size[size]);
		json_list(&j, "subjects");
		for (unsigned s = 0; s < m->subjects; s++)
			if (m->cell[size][s])
				json_cell(&j, m, size, s);
		json_list_end(&j);
		json_object_end(&j);
	}
	json_list_end(&j);
	json_finish(&j);
	return closed(file);
}

int matrix_write_csv(const struct matrix *m, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fprintf(file, "pairs,subject,mix,threads,round,operations_per_second\n");
	for (unsigned size = 0; size < m->sizes; size++)
		for (unsigned s = 0; s < m->subjects; s++)
			for (unsigned x = 0; x < m->mixes; x++)
				for (unsigned i = 0; m->cell[size][s] && m->cell[size][s]->mix[x].measured && i < m->rounds; i++)
					fprintf(file, "%" PRIu64 ",%s,%s,%u,%u,%.0f\n", m->size[size], m->subject[s].subject->name,
						m->mix[x].name, m->mix[x].threads, i + 1, m->cell[size][s]->mix[x].rate[i]);
	return closed(file);
}
