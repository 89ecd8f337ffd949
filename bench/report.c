/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include "format.h"
#include "rcumap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	double percent;
} percentiles[] = {
	{ "p50", 50 }, { "p95", 95 }, { "p99", 99 }, { "p99.9", 99.9 }, { "p99.99", 99.99 },
};

#define PERCENTILES (sizeof percentiles / sizeof *percentiles)

void report_machine(const struct machine *m)
{
	printf("librcumap %d.%d.%d, commit %s, %s %s\n", RCUMAP_VERSION_MAJOR, RCUMAP_VERSION_MINOR, RCUMAP_VERSION_PATCH,
	       m->commit, m->compiler, m->flags);
	printf("%s, %u cores, %s, %s, huge pages: %s\n\n", m->cpu, m->cores, format_bytes((double)m->memory_bytes).text,
	       m->kernel, m->huge_pages);
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------ tables */

static void heading(const struct results *r)
{
	printf("\n  %-34s%18s%18s%12s\n", "", r->subject[OURS]->name, r->subject[RIVAL]->name, "better by");
}

/* One figure of both, and how many times ours is better; 0: nothing stands there. */
static void row(const char *what, struct formatted ours, struct formatted rival, double better)
{
	printf("  %-34s%18s%18s%12s\n", what, ours.text, rival.text, better > 0 ? format_times(better).text : "");
}

static void latency_heading(void)
{
	printf("\n  %-22s%-12s", "", "");
	for (unsigned i = 0; i < PERCENTILES; i++)
		printf("%10s", percentiles[i].name);
	printf("%10s\n", "longest");
}

static void latency(const struct results *r, const char *what, const struct histogram *ours,
		    const struct histogram *rival)
{
	const struct histogram *h[SIDES] = { ours, rival };

	for (unsigned side = 0; side < SIDES; side++) {
		if (histogram_count(h[side]) == 0)
			continue;
		printf("  %-22s%-12s", side == OURS ? what : "", r->subject[side]->name);
		for (unsigned i = 0; i < PERCENTILES; i++)
			printf("%10s", format_ns((double)histogram_percentile(h[side], percentiles[i].percent)).text);
		printf("%10s\n", format_ns((double)histogram_max(h[side])).text);
	}
}

static struct formatted text_of(const char *format, double a, double b)
{
	struct formatted f;

	snprintf(f.text, sizeof f.text, format, a, b);
	return f;
}

static struct formatted spread_text(const struct spread *s)
{
	return text_of("%.2f - %.2f M/s", s->least / 1e6, s->most / 1e6);
}

/* ------------------------------------------------------------------------------------ the trace */

static bool sizes_are_synthetic(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, "kv_scarab", 9) == 0;
}

void report_trace(const struct results *r)
{
	const struct trace_results *t = &r->trace;
	const struct replay_result *ours = &t->side[OURS].replay, *rival = &t->side[RIVAL].replay;

	printf("\n1  A REAL TRACE AS A READ-THROUGH CACHE: get; on a miss, put\n\n");
	printf("  %s: %s requests for %s objects, %u threads, median of %u passes.\n", t->path,
	       format_count(t->requests).text, format_count(t->keys).text, t->threads, RESULTS_PASSES);
	if (sizes_are_synthetic(t->path))
		printf("  Recommendation look-ups of web shops: keys and their order are real, the objects' sizes "
		       "synthetic.\n");
	printf("  The map is given no limit here, so nothing is evicted: this is the most that any cache can hit.\n");

	heading(r);
	row("requests per second", format_rate(t->side[OURS].rate.median), format_rate(t->side[RIVAL].rate.median),
	    t->side[OURS].rate.median / t->side[RIVAL].rate.median);
	row("  least to most", spread_text(&t->side[OURS].rate), spread_text(&t->side[RIVAL].rate), 0);
	row("hit ratio", text_of("%.2f %%", 100.0 * (double)ours->hits / (double)ours->requests, 0),
	    text_of("%.2f %%", 100.0 * (double)rival->hits / (double)rival->requests, 0), 0);
	row("bytes served by hits", format_bytes((double)ours->served_bytes), format_bytes((double)rival->served_bytes),
	    0);
	row("objects at the end", format_count(ours->entries), format_count(rival->entries), 0);
	row("memory at the end", format_bytes((double)ours->memory_bytes), format_bytes((double)rival->memory_bytes),
	    (double)rival->memory_bytes / (double)ours->memory_bytes);

	latency_heading();
	latency(r, "get", &ours->get, &rival->get);
	latency(r, "put", &ours->put, &rival->put);
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------ the pairs */

static double per_pair(const struct results *r, uint64_t bytes)
{
	return (double)bytes / (double)r->pairs.pairs;
}

static void memory_rows(const struct results *r)
{
	const struct load_result *ours = &r->pairs.side[OURS].load, *rival = &r->pairs.side[RIVAL].load;
	const double content = PAIR_KEY_SIZE + PAIR_VALUE_SIZE;

	row("memory, by the map's own account", format_bytes((double)ours->memory_bytes),
	    format_bytes((double)rival->memory_bytes), (double)rival->memory_bytes / (double)ours->memory_bytes);
	row("  per pair", text_of("%.1f B", per_pair(r, ours->memory_bytes), 0),
	    text_of("%.1f B", per_pair(r, rival->memory_bytes), 0), 0);
	row("  of which overhead", text_of("%.1f B", per_pair(r, ours->memory_bytes) - content, 0),
	    text_of("%.1f B", per_pair(r, rival->memory_bytes) - content, 0), 0);
	row("resident, as the kernel counts", format_bytes((double)ours->resident_bytes),
	    format_bytes((double)rival->resident_bytes), (double)rival->resident_bytes / (double)ours->resident_bytes);
	row("  at most while loading", format_bytes((double)ours->resident_peak_bytes),
	    format_bytes((double)rival->resident_peak_bytes),
	    (double)rival->resident_peak_bytes / (double)ours->resident_peak_bytes);
}

static void rate_rows(const struct pairs_results *p)
{
	const struct spread *ours = &p->side[OURS].get_rate, *rival = &p->side[RIVAL].get_rate;
	char what[40];

	snprintf(what, sizeof what, "gets, %u thread%s, median of %u", p->threads, p->threads == 1 ? "" : "s",
		 RESULTS_ROUNDS);
	row(what, format_rate(ours->median), format_rate(rival->median), ours->median / rival->median);
	row("  least to most", spread_text(ours), spread_text(rival), 0);
	row("95/5, each operation timed", format_rate(p->side[OURS].mixed.rate), format_rate(p->side[RIVAL].mixed.rate),
	    p->side[OURS].mixed.rate / p->side[RIVAL].mixed.rate);
}

/* What of the map's own account agrees with what was done to it. */
static void books_line(const struct results *r, enum side side)
{
	const struct expire_result *e = &r->pairs.side[side].expiry;
	const struct subject_books *b = &e->books;

	printf("  %-12s%s inserted - %s deleted - %s expired = %s left; %s went or were replaced, %s reclaimed: %s\n",
	       r->subject[side]->name, format_count(b->inserted).text, format_count(b->deleted).text,
	       format_count(b->expired).text, format_count(b->left).text,
	       format_count(b->replaced + b->deleted + b->expired).text, format_count(b->reclaimed).text,
	       e->unaccounted ? "WRONG" : "right");
}

static void expiry_lines(const struct results *r)
{
	printf("\n  One pair in %u is stored again for a life of %u to %u s. The mutex table drops what has expired "
	       "when it is "
	       "asked for,\n  and by a thread that walks the table under the same lock, a part at a time.\n",
	       PAIRS_EXPIRE_EVERY, PAIRS_LIFE_MS_MIN / 1000, PAIRS_LIFE_MS_MAX / 1000);
	for (unsigned side = 0; side < SIDES; side++)
		books_line(r, side);
}

static void expiry_rows(const struct pairs_results *p)
{
	const struct expire_result *ours = &p->side[OURS].expiry, *rival = &p->side[RIVAL].expiry;

	row("pairs that expired", format_count(ours->books.expired), format_count(rival->books.expired), 0);
	row("  gone after the last deadline", format_ns(ours->late_seconds * 1e9), format_ns(rival->late_seconds * 1e9),
	    ours->late_seconds > 0 ? rival->late_seconds / ours->late_seconds : 0);
}

void report_pairs(const struct results *r)
{
	const struct pairs_results *p = &r->pairs;
	const struct load_result *ours = &p->side[OURS].load, *rival = &p->side[RIVAL].load;
	double ours_longest = (double)histogram_max(&ours->insert),
	       rival_longest = (double)histogram_max(&rival->insert);

	printf("\n\n2  %s PAIRS of %u-byte keys and %u-byte values, in random order\n\n", format_count(p->pairs).text,
	       PAIR_KEY_SIZE, PAIR_VALUE_SIZE);
	printf("  One writer, readers beside it: %u; every value that is read is checked. Seed %" PRIu64 ".\n",
	       p->threads - 1, p->seed);

	heading(r);
	row("load, one writer", format_ns(ours->seconds * 1e9), format_ns(rival->seconds * 1e9),
	    rival->seconds / ours->seconds);
	row("  longest single insert", format_ns(ours_longest), format_ns(rival_longest), rival_longest / ours_longest);
	rate_rows(p);
	memory_rows(r);
	expiry_rows(p);

	latency_heading();
	latency(r, "insert while loading", &ours->insert, &rival->insert);
	latency(r, "get while loading", &ours->get, &rival->get);
	latency(r, "get, 95/5", &p->side[OURS].mixed.get, &p->side[RIVAL].mixed.get);
	latency(r, "put, 95/5", &p->side[OURS].mixed.put, &p->side[RIVAL].mixed.put);
	latency(r, "delete, beside gets", &p->side[OURS].deletion.delete, &p->side[RIVAL].deletion.delete);
	latency(r, "put with a life", &p->side[OURS].expiry.put, &p->side[RIVAL].expiry.put);
	latency(r, "get, beside expiry", &p->side[OURS].expiry.get, &p->side[RIVAL].expiry.get);
	expiry_lines(r);
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------ the bounds */

static uint64_t largest_memory(const struct results *r)
{
	const struct load_result *ours = &r->pairs.side[OURS].load;

	return ours->memory_bytes > ours->resident_bytes ? ours->memory_bytes : ours->resident_bytes;
}

bool report_bounds(const struct results *r)
{
	struct bound bounds[BOUNDS_MAX];
	unsigned n = bounds_judge(bounds, r);
	bool all = true;

	if (n == 0)
		return true;
	printf("\n\n3  WHAT MUST HOLD for %s\n\n", r->subject[OURS]->name);
	bound_print_head();
	for (unsigned i = 0; i < n; i++) {
		bound_print(&bounds[i]);
		all = bound_holds(&bounds[i]) && all;
	}
	printf("\n  A service that holds 10,000,000 such pairs may spend 1 to 2 GB on them: here it would be %s.\n",
	       format_bytes(per_pair(r, largest_memory(r)) * 1e7).text);
	fflush(stdout);
	return all;
}
