/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include "json.h"

#include <errno.h>
#include <stdio.h>

static void write_histogram(struct json *j, const char *name, const struct histogram *h)
{
	json_object(j, name);
	json_number(j, "count", (double)histogram_count(h));
	json_number(j, "mean_ns", histogram_mean(h));
	json_number(j, "p50_ns", (double)histogram_percentile(h, 50));
	json_number(j, "p95_ns", (double)histogram_percentile(h, 95));
	json_number(j, "p99_ns", (double)histogram_percentile(h, 99));
	json_number(j, "p99.9_ns", (double)histogram_percentile(h, 99.9));
	json_number(j, "p99.99_ns", (double)histogram_percentile(h, 99.99));
	json_number(j, "max_ns", (double)histogram_max(h));
	json_object_end(j);
}

static void write_spread(struct json *j, const char *name, const struct spread *s)
{
	json_object(j, name);
	json_number(j, "median", s->median);
	json_number(j, "least", s->least);
	json_number(j, "most", s->most);
	json_object_end(j);
}

static void write_trace(struct json *j, const struct results *r)
{
	const struct trace_results *t = &r->trace;

	json_object(j, "trace");
	json_text(j, "path", t->path);
	json_number(j, "requests", (double)t->requests);
	json_number(j, "keys", (double)t->keys);
	json_number(j, "threads", t->threads);
	json_number(j, "passes", RESULTS_PASSES);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct replay_result *replay = &t->side[side].replay;

		json_object(j, r->subject[side]->name);
		write_spread(j, "requests_per_second", &t->side[side].rate);
		json_number(j, "hits", (double)replay->hits);
		json_number(j, "served_bytes", (double)replay->served_bytes);
		json_number(j, "entries", (double)replay->entries);
		json_number(j, "memory_bytes", (double)replay->memory_bytes);
		write_histogram(j, "get", &replay->get);
		write_histogram(j, "put", &replay->put);
		json_object_end(j);
	}
	json_object_end(j);
}

static void write_expiry(struct json *j, const struct expire_result *e)
{
	json_object(j, "expire");
	json_number(j, "inserted", (double)e->books.inserted);
	json_number(j, "replaced", (double)e->books.replaced);
	json_number(j, "deleted", (double)e->books.deleted);
	json_number(j, "expired", (double)e->books.expired);
	json_number(j, "left", (double)e->books.left);
	json_number(j, "reclaimed", (double)e->books.reclaimed);
	json_number(j, "unaccounted", (double)e->unaccounted);
	json_number(j, "late_seconds", e->late_seconds);
	write_histogram(j, "put", &e->put);
	write_histogram(j, "get", &e->get);
	json_object_end(j);
}

static void write_pairs(struct json *j, const struct results *r)
{
	const struct pairs_results *p = &r->pairs;

	json_object(j, "pairs");
	json_number(j, "pairs", (double)p->pairs);
	json_number(j, "threads", p->threads);
	json_number(j, "seconds", p->seconds);
	json_number(j, "seed", (double)p->seed);
	json_number(j, "rounds", RESULTS_ROUNDS);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct load_result *load = &p->side[side].load;

		json_object(j, r->subject[side]->name);
		json_number(j, "load_seconds", load->seconds);
		json_number(j, "memory_bytes", (double)load->memory_bytes);
		json_number(j, "resident_bytes", (double)load->resident_bytes);
		json_number(j, "resident_peak_bytes", (double)load->resident_peak_bytes);
		write_spread(j, "gets_per_second", &p->side[side].get_rate);
		json_number(j, "mixed_per_second", p->side[side].mixed.rate);
		json_number(j, "deleted", (double)p->side[side].deletion.deleted);
		write_histogram(j, "load_insert", &load->insert);
		write_histogram(j, "load_get", &load->get);
		write_histogram(j, "mixed_get", &p->side[side].mixed.get);
		write_histogram(j, "mixed_put", &p->side[side].mixed.put);
		write_histogram(j, "delete", &p->side[side].deletion.delete);
		write_expiry(j, &p->side[side].expiry);
		json_object_end(j);
	}
	json_object_end(j);
}

static void write_bounds(struct json *j, const struct results *r)
{
	struct bound bounds[BOUNDS_MAX];
	unsigned n = bounds_judge(bounds, r);

	bounds_write_json(j, "bounds", bounds, n);
}

int report_json(const char *path, const struct machine *m, const struct results *r)
{
	FILE *file = fopen(path, "we");
	struct json j;
	int error;

	if (!file)
		return -errno;
	json_start(&j, file);
	machine_write_json(&j, m);
	if (r->has_trace)
		write_trace(&j, r);
	if (r->has_pairs)
		write_pairs(&j, r);
	write_bounds(&j, r);
	json_finish(&j);
	error = ferror(file) ? -EIO : 0;
	return fclose(file) != 0 && error == 0 ? -errno : error;
}
