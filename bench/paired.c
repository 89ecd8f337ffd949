/* SPDX-License-Identifier: BSD-2-Clause */
#include "paired.h"

#include "format.h"
#include "progress.h"
#include "spread.h"

#include <stdio.h>

/* What must hold, of this many pairs. */
#define JUDGED_PAIRS 10000000u
#define JUDGED_THREADS 2u
#define TIMES 1.08

static const struct {
	const char *get, *find;
} flavors[] = { { "rcumap-bp", "find-bp" }, { "rcumap-memb", "find-memb" }, { "rcumap-qsbr", "find-qsbr" } };

#define FLAVORS (sizeof flavors / sizeof *flavors)

static double rate_of(const struct matrix *m, const struct run *run, unsigned size, const struct mix *mix, double seconds, uint64_t seed)
{
	static struct mix_result result;

	mix_run(run, m->size[size], mix, NULL, seconds, seed, &result);
	return result.rate;
}

/* Both read the map of `get`: one table, one place in memory. Who begins alternates. */
static void measure(const struct matrix *m, unsigned size, const struct run *get, const struct subject *find, unsigned threads,
		    double seconds, double ratio[PAIRED_ROUNDS])
{
	const struct mix mix = { "get", "gets of random pairs", MIX_GET, 0, threads };
	const struct run find_run = { find, get->map };

	for (unsigned round = 0; round < PAIRED_ROUNDS; round++) {
		double get_rate = 0, find_rate = 0;

		for (unsigned i = 0; i < 2; i++) {
			if ((round + i) % 2)
				find_rate = rate_of(m, &find_run, size, &mix, seconds, m->seed + round);
			else
				get_rate = rate_of(m, get, size, &mix, seconds, m->seed + round);
		}
		ratio[round] = find_rate / get_rate;
	}
}

void paired_measure(struct paired *p, const struct matrix *m, unsigned size, const struct run runs[], double seconds)
{
	struct progress progress;

	progress_start(&progress, "get by find", FLAVORS * JUDGED_THREADS);
	for (unsigned i = 0; i < FLAVORS; i++) {
		int get = matrix_subject_named(m, flavors[i].get), find = matrix_subject_named(m, flavors[i].find);

		for (unsigned threads = 1; get >= 0 && find >= 0 && threads <= JUDGED_THREADS && p->n < PAIRED_MAX; threads++, p->n++) {
			p->of[p->n].get = flavors[i].get;
			p->of[p->n].find = flavors[i].find;
			p->of[p->n].pairs = m->size[size];
			p->of[p->n].threads = threads;
			measure(m, size, &runs[get], m->subject[find].subject, threads, seconds, p->of[p->n].ratio);
			p->of[p->n].upper = median_upper_bound(p->of[p->n].ratio, PAIRED_ROUNDS);
			p->of[p->n].median = median(p->of[p->n].ratio, PAIRED_ROUNDS);
			progress_update(&progress, i * JUDGED_THREADS + threads, flavors[i].get);
		}
	}
	progress_finish(&progress, NULL);
}

/* ------------------------------------------------------------------------------------ what came out */

void paired_print(const struct paired *p)
{
	if (p->n == 0)
		return;
	printf("\n\nGET in a section of its own BY FIND in the caller's: time by time, %u rounds by turns\n\n", PAIRED_ROUNDS);
	printf("  %12s%14s%9s%10s%12s%22s\n", "pairs", "", "threads", "median", "at most", "middle half");
	for (unsigned i = 0; i < p->n; i++) {
		const double *ratio = p->of[i].ratio;

		printf("  %12s%14s%9u%10.3f%12.3f%13.3f - %.3f\n", format_count(p->of[i].pairs).text, p->of[i].get, p->of[i].threads,
		       p->of[i].median, p->of[i].upper, ratio[PAIRED_ROUNDS / 4], ratio[PAIRED_ROUNDS - 1 - PAIRED_ROUNDS / 4]);
	}
	printf("\n  At most: the upper 95 %% bound of the median.\n");
	fflush(stdout);
}

void paired_judge(const struct paired *p, struct bound_list *bounds)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->of[i].pairs == JUDGED_PAIRS && p->of[i].threads == JUDGED_THREADS && strcmp(p->of[i].get, "rcumap-qsbr") != 0)
			bound_list_add(bounds,
				       &(struct bound){ .value = p->of[i].upper, .limit = TIMES, .unit = BOUND_TIMES },
				       "%s pairs, get 2t, time of %s by %s", format_count(p->of[i].pairs).text, p->of[i].get,
				       p->of[i].find);
}

void paired_write_json(const struct paired *p, struct json *j)
{
	json_list(j, "paired");
	for (unsigned i = 0; i < p->n; i++) {
		json_object(j, NULL);
		json_text(j, "get", p->of[i].get);
		json_text(j, "find", p->of[i].find);
		json_number(j, "pairs", (double)p->of[i].pairs);
		json_number(j, "threads", p->of[i].threads);
		json_number(j, "median", p->of[i].median);
		json_number(j, "upper_95", p->of[i].upper);
		json_list(j, "ratios");
		for (unsigned round = 0; round < PAIRED_ROUNDS; round++)
			json_number(j, NULL, p->of[i].ratio[round]);
		json_list_end(j);
		json_object_end(j);
	}
	json_list_end(j);
}
