/* SPDX-License-Identifier: BSD-2-Clause */
#include "growth.h"

#include "clock.h"
#include "format.h"

#include <stdio.h>
#include <stdlib.h>

/* What must hold, beside one reader: the median of the longest puts, and the 99.9th percentile beside that of maps which need not grow. */
#define LONGEST_PUT_NS 1e6
#define P999_TIMES 4.0

static void reserve(const struct run *run, uint64_t pairs)
{
	int error = run->subject->reserve(run->map, pairs);

	if (error) {
		fprintf(stderr, "%s: no room for that many pairs: %s\n", run->subject->name, strerror(-error));
		exit(2);
	}
}

/* Can it be filled that way? One that cannot grow has room from the first. */
static bool has_way(const struct subject *subject, bool reserved)
{
	return reserved ? subject->reserve || subject->cannot_grow : !subject->cannot_grow;
}

struct filling {
	struct growth *g;
	const struct matrix *m;
	struct progress progress; /* in pairs */
	uint64_t filled;
};

/* A virtual machine that tells its host which memory is free, as virtio's balloon does, does so two seconds after it was given back, and
 * stands still meanwhile: for 30 ms, with all threads, where a map of ten million pairs was destroyed before. That would be
 * taken for the next map's. */
static void rest(const struct growth *g)
{
	sleep_ns((uint64_t)(g->rest_seconds * 1e9));
}

static void fill(struct filling *f, unsigned s, bool reserved, unsigned round)
{
	static struct load_result load;
	const struct subject *subject = f->m->subject[s].subject;
	struct growth_way *way = reserved ? &f->g->of[s].reserved : &f->g->of[s].growing;
	struct pairs p = { .run = run_create(subject, f->g->pairs),
			   .pairs = f->g->pairs,
			   .threads = 1 + f->g->readers,
			   .seed = f->m->seed + round,
			   .progress = &f->progress,
			   .progress_base = f->filled++ * f->g->pairs };

	if (reserved && subject->reserve)
		reserve(&p.run, p.pairs);
	rest(f->g);
	memset(&load, 0, sizeof load);
	pairs_load(&p, &load);
	run_destroy(&p.run);
	way->seconds[way->rounds] = load.seconds;
	way->longest_put_ns[way->rounds] = (double)histogram_max(&load.insert);
	way->longest_get_ns[way->rounds] = (double)histogram_max(&load.get);
	way->put_p999_ns[way->rounds] = (double)histogram_percentile(&load.insert, 99.9);
	way->slow_puts[way->rounds] = (double)histogram_above(&load.insert, (uint64_t)LONGEST_PUT_NS);
	way->undisturbed_put_ns[way->rounds] = (double)load.undisturbed_max_ns;
	way->switches[way->rounds++] = (double)load.switches;
}

static unsigned rounds_of(const struct growth *g, const struct matrix *m, unsigned s)
{
	if (m->subject[s].kind == SUBJECT_FLOOR || m->subject[s].is_variant)
		return 0;
	return s == 0 ? g->rounds : g->rival_rounds;
}

/* Which way comes first changes from round to round. */
void growth_measure(struct growth *g, const struct matrix *m)
{
	struct filling f = { .g = g, .m = m };
	uint64_t fills = 0;

	for (unsigned s = 0; s < m->subjects; s++)
		fills += rounds_of(g, m, s) *
			 ((uint64_t)has_way(m->subject[s].subject, true) + has_way(m->subject[s].subject, false));
	progress_start(&f.progress, "growth", fills * g->pairs);
	for (unsigned round = 0; round < g->rounds; round++)
		for (unsigned s = 0; s < m->subjects; s++)
			for (unsigned i = 0; i < 2 && round < rounds_of(g, m, s); i++)
				if (has_way(m->subject[s].subject, (i + round) % 2))
					fill(&f, s, (i + round) % 2, round);
	progress_finish(&f.progress, NULL);
}

/* ------------------------------------------------------------------------------------ what came out */

static struct spread of_rounds(const double values[MATRIX_ROUNDS], unsigned rounds)
{
	double sorted[MATRIX_ROUNDS];

	memcpy(sorted, values, rounds * sizeof *sorted);
	return spread_of(sorted, rounds);
}

static void print_way(const char *name, const char *how, const struct growth_way *way)
{
	struct spread longest;

	if (way->rounds == 0)
		return;
	longest = of_rounds(way->longest_put_ns, way->rounds);
	printf("  %-12s%-10s%6u%10.2f%12s%12s%12s%12s%10.0f%12s%12s%10.0f\n", name, how, way->rounds, of_rounds(way->seconds, way->rounds).median,
	       format_ns(longest.median).text, format_ns(longest.least).text, format_ns(longest.most).text,
	       format_ns(of_rounds(way->undisturbed_put_ns, way->rounds).median).text,
	       of_rounds(way->slow_puts, way->rounds).median, format_ns(of_rounds(way->put_p999_ns, way->rounds).median).text,
	       format_ns(of_rounds(way->longest_get_ns, way->rounds).median).text, of_rounds(way->switches, way->rounds).median);
}

void growth_print(const struct growth *g, const struct matrix *m)
{
	printf("\n\nGROWTH to %s pairs, one writer, readers beside: %u; maps that begin small, and such that were told the size; medians\n\n",
	       format_count(g->pairs).text, g->readers);
	printf("  %-22s%6s%10s%12s%12s%12s%12s%10s%12s%12s%10s\n", "", "rounds", "seconds", "longest put", "at least", "at most", "undisturbed",
	       "over 1 ms", "put p99.9", "longest get", "switches");
	for (unsigned s = 0; s < m->subjects; s++) {
		bool grows = g->of[s].growing.rounds > 0;

		print_way(m->subject[s].subject->name, "growing", &g->of[s].growing);
		print_way(grows ? "" : m->subject[s].subject->name, "reserved", &g->of[s].reserved);
	}
	printf("\n  At least, at most: of the rounds' longest puts. Undisturbed: the longest of those among which the writer was not switched\n"
	       "  away from. Over 1 ms: how many puts of a round. Switches: involuntary ones of the writer, in all of a round.\n");
	fflush(stdout);
}

void growth_judge(const struct growth *g, const struct matrix *m, struct bound_list *bounds)
{
	const struct growth_way *growing = &g->of[0].growing, *reserved = &g->of[0].reserved;

	if (g->readers != 1 || m->subject[0].kind != SUBJECT_OURS || growing->rounds == 0 || reserved->rounds == 0)
		return;
	bound_list_add(bounds,
		       &(struct bound){ .value = of_rounds(growing->longest_put_ns, growing->rounds).median,
					.limit = LONGEST_PUT_NS,
					.unit = BOUND_NS },
		       "growth to %s pairs, longest put, median of %u rounds", format_count(g->pairs).text, growing->rounds);
	bound_list_add(bounds,
		       &(struct bound){ .value = of_rounds(growing->put_p999_ns, growing->rounds).median /
						 of_rounds(reserved->put_p999_ns, reserved->rounds).median,
					.limit = P999_TIMES,
					.unit = BOUND_TIMES },
		       "the same, p99.9 of a put beside that with the size reserved");
}

static void json_rounds(struct json *j, const char *name, const double values[MATRIX_ROUNDS], unsigned rounds)
{
	json_list(j, name);
	for (unsigned i = 0; i < rounds; i++)
		json_number(j, NULL, values[i]);
	json_list_end(j);
}

static void json_way(struct json *j, const char *name, const struct growth_way *way)
{
	if (way->rounds == 0)
		return;
	json_object(j, name);
	json_rounds(j, "seconds", way->seconds, way->rounds);
	json_rounds(j, "longest_put_ns", way->longest_put_ns, way->rounds);
	json_rounds(j, "undisturbed_put_ns", way->undisturbed_put_ns, way->rounds);
	json_rounds(j, "puts_over_1_ms", way->slow_puts, way->rounds);
	json_rounds(j, "longest_get_ns", way->longest_get_ns, way->rounds);
	json_rounds(j, "put_p99.9_ns", way->put_p999_ns, way->rounds);
	json_rounds(j, "writer_involuntary_switches", way->switches, way->rounds);
	json_object_end(j);
}

void growth_write_json(const struct growth *g, const struct matrix *m, struct json *j)
{
	json_object(j, "growth");
	json_number(j, "pairs", (double)g->pairs);
	json_number(j, "readers", g->readers);
	json_list(j, "subjects");
	for (unsigned s = 0; s < m->subjects; s++) {
		if (g->of[s].growing.rounds + g->of[s].reserved.rounds == 0)
			continue;
		json_object(j, NULL);
		json_text(j, "subject", m->subject[s].subject->name);
		json_way(j, "growing", &g->of[s].growing);
		json_way(j, "reserved", &g->of[s].reserved);
		json_object_end(j);
	}
	json_list_end(j);
	json_object_end(j);
}
