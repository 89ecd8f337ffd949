/* SPDX-License-Identifier: BSD-2-Clause */
#include "matrix.h"

#include "format.h"
#include "transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MIXES_A_LINE 14u

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

/* Of a comparison of numbers of threads: the same without their number. */
static const struct mix scaled[] = {
	{ "get", "gets of random pairs", MIX_GET, 0, 0 },
	{ "miss", "gets of keys that are not there", MIX_MISS, 0, 0 },
	{ "batch", "gets of 32 pairs at a time", MIX_BATCH, 0, 0 },
	{ "95/5", "gets, and overwrites of one in twenty", MIX_PUT, 0.05, 0 },
	{ "50/50", "gets and overwrites", MIX_PUT, 0.5, 0 },
	{ "zipf", "95/5 of pairs that are not equally popular", MIX_ZIPF, 0.05, 0 },
};

void matrix_set_scales(struct matrix *m, const unsigned threads[], unsigned n)
{
	static char names[MATRIX_MIXES_MAX][16];

	m->mixes = (unsigned)(sizeof scaled / sizeof *scaled) * n;
	for (unsigned x = 0; x < m->mixes; x++) {
		m->mix[x] = scaled[x / n];
		m->mix[x].threads = threads[x % n];
		snprintf(names[x], sizeof names[x], "%s %ut", scaled[x / n].name, threads[x % n]);
		m->mix[x].name = names[x];
	}
}

int matrix_subject_named(const struct matrix *m, const char *name)
{
	for (unsigned s = 0; s < m->subjects; s++)
		if (strcmp(m->subject[s].subject->name, name) == 0)
			return (int)s;
	return -1;
}

int matrix_mix_named(const struct matrix *m, const char *name)
{
	for (unsigned x = 0; x < m->mixes; x++)
		if (strcmp(m->mix[x].name, name) == 0)
			return (int)x;
	return -1;
}

void matrix_add_round(struct matrix_mix *to, const struct mix_result *round, double transfer_ns)
{
	to->rate[to->rounds] = round->rate;
	to->transfer_ns[to->rounds] = transfer_ns;
	to->get_p999_ns[to->rounds++] = (double)histogram_percentile(&round->get, 99.9);
	to->switches += round->switches;
	if (histogram_count(&round->get) == 0)
		return;
	if (!to->timed)
		to->timed = calloc(1, sizeof *to->timed);
	if (!to->timed) {
		fprintf(stderr, "no memory for latencies\n");
		exit(2);
	}
	histogram_merge(&to->timed->get, &round->get);
	histogram_merge(&to->timed->put, &round->put);
}

struct spread matrix_rate(const struct matrix *m, unsigned size, unsigned subject, unsigned mix)
{
	const struct matrix_cell *cell = m->cell[size][subject];
	const unsigned rounds = cell ? cell->mix[mix].rounds : 0;
	double sorted[MATRIX_ROUNDS];

	if (rounds == 0)
		return (struct spread){ 0, 0, 0 };
	memcpy(sorted, cell->mix[mix].rate, rounds * sizeof *sorted);
	return spread_of(sorted, rounds);
}

_Static_assert(MATRIX_ROUNDS <= SPREAD_PAIRS_MAX, "there is a ratio of all rounds");

static double ratio_of_rounds(const struct matrix_mix *a, const struct matrix_mix *b, const double of_a[], const double of_b[])
{
	const unsigned rounds = a->rounds < b->rounds ? a->rounds : b->rounds;

	return median_ratio(of_a, of_b, a->transfer_ns, b->transfer_ns, TRANSFER_ALIKE_TIMES, rounds);
}

double matrix_rate_ratio(const struct matrix_mix *a, const struct matrix_mix *b)
{
	return ratio_of_rounds(a, b, a->rate, b->rate);
}

double matrix_get_p999_ratio(const struct matrix_mix *a, const struct matrix_mix *b)
{
	return ratio_of_rounds(a, b, a->get_p999_ns, b->get_p999_ns);
}

/* ------------------------------------------------------------------------------------ tables */

/* How far the processors were from each other in the rounds of all subjects with several threads. */
static void print_transfer(const struct matrix *m, unsigned size)
{
	double least = 0, most = 0;

	for (unsigned s = 0; s < m->subjects; s++)
		for (unsigned x = 0; m->cell[size][s] && x < m->mixes; x++) {
			const struct matrix_mix *mix = &m->cell[size][s]->mix[x];

			for (unsigned i = 0; i < mix->rounds; i++) {
				const double ns = mix->transfer_ns[i];

				least = ns > 0 && (least <= 0 || ns < least) ? ns : least;
				most = ns > most ? ns : most;
			}
		}
	if (most > 0)
		printf("  A cache line took %.0f to %.0f ns from one processor to another. What must hold is judged round by round, of rounds in\n"
		       "  which that was about the same: the median ratio, not the ratio of these medians.\n",
		       least, most);
}

/* Those from `first` on, as many as a line takes. Returns how far least and most of a median's rounds are apart at the widest. */
static double print_rates_of(const struct matrix *m, unsigned size, unsigned first)
{
	unsigned end = m->mixes - first > MIXES_A_LINE ? first + MIXES_A_LINE : m->mixes;
	double widest = 0;

	printf("\n  %-12s", "");
	for (unsigned x = first; x < end; x++)
		printf("%10s", m->mix[x].name);
	printf("\n");
	for (unsigned s = 0; s < m->subjects; s++) {
		printf("  %-12s", m->subject[s].subject->name);
		for (unsigned x = first; x < end; x++) {
			struct spread rate = matrix_rate(m, size, s, x);

			if (rate.median > 0)
				printf("%10.2f", rate.median / 1e6);
			else
				printf("%10s", "-");
			if (rate.median > 0 && (rate.most - rate.least) / rate.median > widest)
				widest = (rate.most - rate.least) / rate.median;
		}
		printf("\n");
	}
	return widest;
}

static void print_rates(const struct matrix *m, unsigned size)
{
	double widest = 0;

	printf("\n  millions of operations a second, all threads; median of %u rounds of %.2f s\n", m->rounds, m->seconds);
	for (unsigned first = 0; first < m->mixes; first += MIXES_A_LINE) {
		double wide = print_rates_of(m, size, first);

		widest = wide > widest ? wide : widest;
	}
	printf("\n  Least and most of a median's rounds are at most %.0f %% of it apart.\n", widest * 100);
	print_transfer(m, size);
}

/* What a processor waits for where it cannot look ahead. */
static void print_dependent(const struct matrix *m, unsigned size)
{
	for (unsigned x = 0; x < m->mixes; x++) {
		if (m->mix[x].kind != MIX_DEPENDENT)
			continue;
		printf("\n  %s: %s: ns a get, the median round's, the best one's, the worst one's\n\n", m->mix[x].name, m->mix[x].what);
		for (unsigned s = 0; s < m->subjects; s++) {
			struct spread rate = matrix_rate(m, size, s, x);

			if (rate.median > 0)
				printf("  %-12s%10.0f%10.0f%10.0f\n", m->subject[s].subject->name, 1e9 / rate.median,
				       1e9 / rate.most, 1e9 / rate.least);
		}
	}
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
			const struct matrix_mix *mix = m->cell[size][s] ? &m->cell[size][s]->mix[x] : NULL;

			if (!mix || !mix->timed)
				continue;
			print_histogram(m->subject[s].subject->name, "get", &mix->timed->get,
					(double)mix->switches / (m->seconds * mix->rounds));
			print_histogram("", "put", &mix->timed->put, 0);
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
	print_dependent(m, size);
	print_latencies(m, size);
	print_loads(m, size);
	fflush(stdout);
}
