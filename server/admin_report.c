/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every field of struct rcumap_stats: a counter goes up only. */
static const struct stat_row {
	const char *name;
	size_t offset;
	bool counter;
	const char *help;
} stat_rows[] = {
#define ROW(field, counter, help)                                           \
	{                                                                   \
#field, offsetof(struct rcumap_stats, field), counter, help \
	}
	ROW(entries, false, "Entries in the map."),
	ROW(inserted, true, "Entries stored under an absent key."),
	ROW(replaced, true, "Entries stored in place of a living one."),
	ROW(deleted, true, "Entries removed on request."),
	ROW(retired_pending, false, "Entries unlinked that await their grace period."),
	ROW(reclaimed, true, "Entries whose grace period has passed."),
	ROW(memory_bytes, false, "Bytes of all memory of the map."),
	ROW(table_bytes, false, "Bytes of tables, with their overflow lines."),
	ROW(table_slots, false, "Slots of the newest table."),
	ROW(overflow_lines, false, "Overflow lines of buckets."),
	ROW(grown, true, "Times that the table grew."),
	ROW(shrunk, true, "Times that the table shrank."),
	ROW(growth_failed, true, "Times that the table could not grow for want of memory."),
	ROW(grace_periods, true, "Grace periods waited for."),
	ROW(expired, true, "Entries removed because their life had ended."),
	ROW(expiring, false, "Entries with a deadline."),
	ROW(hints, false, "Reminders of deadlines."),
	ROW(hint_bytes, false, "Bytes of these."),
	ROW(retired_bytes, false, "Bytes of entries that await their grace period."),
	ROW(held_entries, false, "Entries that are being sent."),
	ROW(held_bytes, false, "Bytes of these."),
	ROW(stalls, true, "Readers that held up reclamation."),
	ROW(stalled_ms, false, "Age of the reader who does so now."),
	ROW(evicted, true, "Entries removed to make room for others."),
	ROW(accounted_bytes, false, "Bytes that count against the limit."),
	ROW(reserved_bytes, false, "Bytes of these that are set aside."),
	ROW(entry_bytes, false, "Bytes that the entries count."),
	ROW(refused, true, "Stores refused for want of room."),
	ROW(waited, true, "Stores that waited for room."),
#undef ROW
};

_Static_assert(sizeof stat_rows / sizeof *stat_rows == sizeof(struct rcumap_stats) / sizeof(uint64_t),
	       "every field of the map's statistics is reported");

struct snapshot {
	struct rcumap_stats stats;
	struct metrics metrics;
	unsigned connections;
	uint64_t uptime_s;
};

static struct snapshot *take(const struct admin *admin)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);

	if (!snapshot)
		return NULL;
	rcumap_stats(admin->cache->map, &snapshot->stats, sizeof snapshot->stats);
	metrics_read(&snapshot->metrics);
	snapshot->connections = http_connections(admin->data);
	snapshot->uptime_s = cache_seconds(admin->cache);
	return snapshot;
}

static uint64_t stat_of(const struct snapshot *snapshot, const struct stat_row *row)
{
	uint64_t value;

	memcpy(&value, (const char *)&snapshot->stats + row->offset, sizeof value);
	return value;
}

/* ---------------------------------------------------------------------------------------------- Prometheus */

static void print_head(FILE *out, const char *name, bool counter, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, counter ? "counter" : "gauge");
}

static void print_one(FILE *out, const char *prefix, const char *field, bool counter, const char *help, uint64_t value)
{
	char name[80];

	snprintf(name, sizeof name, "%s_%s%s", prefix, field, counter ? "_total" : "");
	print_head(out, name, counter, help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

/* Prometheus wants seconds: what is called ..._ms is told as ..._seconds. */
static void print_stat(FILE *out, const struct stat_row *row, uint64_t value)
{
	static const char suffix[] = "_ms";
	size_t size = strlen(row->name);
	char name[80];

	if (size < sizeof suffix || strcmp(row->name + size - (sizeof suffix - 1), suffix)) {
		print_one(out, "rcumap", row->name, row->counter, row->help, value);
		return;
	}
	snprintf(name, sizeof name, "rcumap_%.*s_seconds", (int)(size - (sizeof suffix - 1)), row->name);
	print_head(out, name, row->counter, row->help);
	fprintf(out, "%s %" PRIu64 ".%03u\n", name, value / 1000, (unsigned)(value % 1000));
}

static void print_series(FILE *out, const char *verb, unsigned status, const struct metrics_series *series)
{
	static const char name[] = "rcumapd_request_duration_seconds";
	uint64_t below = 0;

	for (unsigned i = 0; i < METRICS_BUCKETS - 1; i++) {
		below += series->buckets[i];
		fprintf(out, "%s_bucket{verb=\"%s\",status=\"%u\",le=\"%.9g\"} %" PRIu64 "\n", name, verb, status,
			(double)metrics_bound_ns(i) / 1e9, below);
	}
	/* Of one moment with its buckets, whatever is counted meanwhile. */
	below += series->buckets[METRICS_BUCKETS - 1];
	fprintf(out, "%s_bucket{verb=\"%s\",status=\"%u\",le=\"+Inf\"} %" PRIu64 "\n", name, verb, status, below);
	fprintf(out, "%s_sum{verb=\"%s\",status=\"%u\"} %.9f\n", name, verb, status, (double)series->total_ns / 1e9);
	fprintf(out, "%s_count{verb=\"%s\",status=\"%u\"} %" PRIu64 "\n", name, verb, status, below);
}

static void print_requests(FILE *out, const struct metrics *metrics)
{
	fprintf(out,
		"# HELP rcumapd_request_duration_seconds From the first line of a request to the end of its answer.\n"
		"# TYPE rcumapd_request_duration_seconds histogram\n");
	for (unsigned v = 0; v < VERBS; v++)
		for (unsigned s = 0; s < METRICS_STATUS_COUNT; s++)
			if (metrics->series[v][s].count)
				print_series(out, metrics_verb_names[v], metrics_statuses[s], &metrics->series[v][s]);
}

char *admin_report_prometheus(const struct admin *admin)
{
	struct snapshot *snapshot = take(admin);
	char *text = NULL;
	size_t size;
	FILE *out = snapshot ? open_memstream(&text, &size) : NULL;

	if (!out) {
		free(snapshot);
		return NULL;
	}
	for (size_t i = 0; i < sizeof stat_rows / sizeof *stat_rows; i++)
		print_stat(out, &stat_rows[i], stat_of(snapshot, &stat_rows[i]));
	for (unsigned i = 0; i < COUNTERS; i++)
		print_one(out, "rcumapd", metrics_counters[i].name, true, metrics_counters[i].help,
			  snapshot->metrics.counters[i]);
	print_one(out, "rcumapd", "open_connections", false, "Connections that are open.", snapshot->connections);
	print_one(out, "rcumapd", "max_memory_bytes", false, "The limit on the map's memory, 0 for none.",
		  admin->cache->max_bytes);
	print_one(out, "rcumapd", "uptime_seconds", false, "Since the start.", snapshot->uptime_s);
	print_requests(out, &snapshot->metrics);
	free(snapshot);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---------------------------------------------------------------------------------------------- JSON */

static void add_series(struct metrics_series *sum, const struct metrics_series *series)
{
	sum->count += series->count;
	sum->total_ns += series->total_ns;
	for (unsigned i = 0; i < METRICS_BUCKETS; i++)
		sum->buckets[i] += series->buckets[i];
}

static json_t *array_of(unsigned count, uint64_t (*number)(const void *ctx, unsigned i), const void *ctx)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(array, json_integer((json_int_t)number(ctx, i)));
	return array;
}

static uint64_t bound_at(const void *ctx, unsigned i)
{
	(void)ctx;
	return metrics_bound_ns(i);
}

static uint64_t bucket_at(const void *ctx, unsigned i)
{
	return ((const struct metrics_series *)ctx)->buckets[i];
}

/* With buckets, too: who asks twice can tell what happened in between. */
static json_t *requests_json(const struct metrics *metrics)
{
	json_t *requests = json_object();

	for (unsigned v = 0; v < VERBS; v++) {
		struct metrics_series all = { 0 };
		json_t *statuses = json_object();

		for (unsigned s = 0; s < METRICS_STATUS_COUNT; s++) {
			char status[8];

			if (!metrics->series[v][s].count)
				continue;
			snprintf(status, sizeof status, "%u", metrics_statuses[s]);
			json_object_set_new(statuses, status, json_integer((json_int_t)metrics->series[v][s].count));
			add_series(&all, &metrics->series[v][s]);
		}
		json_object_set_new(requests, metrics_verb_names[v],
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "count", (json_int_t)all.count,
					      "total_ns", (json_int_t)all.total_ns, "p50_ns",
					      (json_int_t)metrics_quantile_ns(&all, 500), "p99_ns",
					      (json_int_t)metrics_quantile_ns(&all, 990), "p999_ns",
					      (json_int_t)metrics_quantile_ns(&all, 999), "statuses", statuses,
					      "buckets", array_of(METRICS_BUCKETS, bucket_at, &all)));
	}
	return requests;
}

char *admin_report_json(const struct admin *admin)
{
	struct snapshot *snapshot = take(admin);
	json_t *map = json_object(), *counters = json_object(), *all;
	char *text = NULL;

	if (!snapshot) {
		json_decref(map);
		json_decref(counters);
		return NULL;
	}
	for (size_t i = 0; i < sizeof stat_rows / sizeof *stat_rows; i++)
		json_object_set_new(map, stat_rows[i].name, json_integer((json_int_t)stat_of(snapshot, &stat_rows[i])));
	for (unsigned i = 0; i < COUNTERS; i++)
		json_object_set_new(counters, metrics_counters[i].name,
				    json_integer((json_int_t)snapshot->metrics.counters[i]));
	all = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "version",
			json_sprintf("%d.%d.%d", RCUMAP_VERSION_MAJOR, RCUMAP_VERSION_MINOR, RCUMAP_VERSION_PATCH),
			"uptime_s", (json_int_t)snapshot->uptime_s, "max_memory_bytes",
			(json_int_t)admin->cache->max_bytes, "max_entries", (json_int_t)admin->config->max_entries,
			"open_connections", (json_int_t)snapshot->connections, "max_connections",
			(json_int_t)admin->config->max_connections, "draining",
			(int)atomic_load_explicit(&admin->draining, memory_order_relaxed), "map", map, "counters",
			counters, "requests", requests_json(&snapshot->metrics), "bucket_bounds_ns",
			array_of(METRICS_BUCKETS - 1, bound_at, NULL));
	if (all)
		text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	free(snapshot);
	return text;
}
