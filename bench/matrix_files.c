/* SPDX-License-Identifier: BSD-2-Clause */
#include "matrix.h"

#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const double percents[] = { 50, 90, 99, 99.9, 99.99, 99.999 };

#define PERCENTS (sizeof percents / sizeof *percents)

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

static const char *const kinds[] = {
	[SUBJECT_OURS] = "ours", [SUBJECT_LOCKS] = "locks", [SUBJECT_RCU] = "rcu", [SUBJECT_FLOOR] = "floor",
};

static void json_mix(struct json *j, const struct mix *mix, const struct matrix_mix *measured)
{
	if (measured->rounds == 0)
		return;
	json_object(j, NULL);
	json_text(j, "mix", mix->name);
	json_text(j, "what", mix->what);
	json_number(j, "threads", mix->threads);
	json_list(j, "operations_per_second");
	for (unsigned i = 0; i < measured->rounds; i++)
		json_number(j, NULL, measured->rate[i]);
	json_list_end(j);
	if (mix->threads > 1) {
		json_list(j, "line_transfer_ns");
		for (unsigned i = 0; i < measured->rounds; i++)
			json_number(j, NULL, measured->transfer_ns[i]);
		json_list_end(j);
	}
	json_number(j, "involuntary_switches", (double)measured->switches);
	if (measured->timed) {
		json_histogram(j, "get", &measured->timed->get);
		json_histogram(j, "put", &measured->timed->put);
	}
	json_object_end(j);
}

static void json_cell(struct json *j, const struct matrix *m, unsigned size, unsigned s)
{
	const struct matrix_cell *cell = m->cell[size][s];

	json_object(j, NULL);
	json_text(j, "subject", m->subject[s].subject->name);
	json_text(j, "what", m->subject[s].subject->what);
	json_text(j, "kind", kinds[m->subject[s].kind]);
	json_number(j, "load_seconds", cell->load.seconds);
	json_histogram(j, "load_put", &cell->load.insert);
	json_histogram(j, "load_get", &cell->load.get);
	json_number(j, "memory_bytes", (double)cell->load.memory_bytes);
	json_number(j, "resident_bytes", (double)cell->load.resident_bytes);
	json_number(j, "resident_peak_bytes", (double)cell->load.resident_peak_bytes);
	json_list(j, "mixes");
	for (unsigned x = 0; x < m->mixes; x++) {
		json_mix(j, &m->mix[x], &cell->mix[x]);
	}
	json_list_end(j);
	json_object_end(j);
}

void matrix_write_json(const struct matrix *m, struct json *j)
{
	json_number(j, "round_seconds", m->seconds);
	json_list(j, "sizes");
	for (unsigned size = 0; size < m->sizes; size++) {
		json_object(j, NULL);
		json_number(j, "pairs", (double)m->size[size]);
		json_list(j, "subjects");
		for (unsigned s = 0; s < m->subjects; s++)
			if (m->cell[size][s])
				json_cell(j, m, size, s);
		json_list_end(j);
		json_object_end(j);
	}
	json_list_end(j);
}

static int closed(FILE *file)
{
	bool failed = ferror(file);

	return fclose(file) != 0 || failed ? -EIO : 0;
}

static void csv_mix(FILE *file, const struct matrix *m, unsigned size, unsigned s, unsigned x)
{
	const struct matrix_mix *mix = &m->cell[size][s]->mix[x];

	for (unsigned i = 0; i < mix->rounds; i++)
		fprintf(file, "%" PRIu64 ",%s,%s,%u,%u,%.0f,%.0f\n", m->size[size], m->subject[s].subject->name, m->mix[x].name,
			m->mix[x].threads, i + 1, mix->rate[i], mix->transfer_ns[i]);
}

int matrix_write_csv(const struct matrix *m, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fprintf(file, "pairs,subject,mix,threads,round,operations_per_second,line_transfer_ns\n");
	for (unsigned size = 0; size < m->sizes; size++)
		for (unsigned s = 0; s < m->subjects; s++)
			for (unsigned x = 0; x < m->mixes; x++)
				if (m->cell[size][s])
					csv_mix(file, m, size, s, x);
	return closed(file);
}
