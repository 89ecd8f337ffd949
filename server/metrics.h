/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file metrics.h
 * What is counted: requests and how long they took, by verb and status; what became of keys. Each thread counts in a block
 * of its own, so that counting shares no line; who asks adds the blocks up.
 */
#ifndef RCUMAPD_METRICS_H
#define RCUMAPD_METRICS_H

#include <stdint.h>

enum verb { VERB_GET, VERB_HEAD, VERB_PUT, VERB_POST, VERB_DELETE, VERB_OPTIONS, VERB_BATCH, VERB_OTHER, VERBS };

/** What became of keys, those of batches included. */
enum counter {
	COUNTER_HIT,
	COUNTER_MISS,
	COUNTER_STORED,
	COUNTER_REMOVED,
	COUNTER_REFUSED, /* by the map, for want of room */
	COUNTER_BATCH_ITEM,
	COUNTER_BYTES_IN, /* of bodies */
	COUNTER_BYTES_OUT,
	COUNTER_CONNECTION,	/* accepted so far */
	COUNTER_TURNED_AWAY,	/* connections that were answered 503 at once */
	COUNTER_PROTOCOL_ERROR, /* what the HTTP library refused by itself, or lost */
	COUNTERS
};

/** Statuses that rcumapd answers with; another counts as the last. */
#define METRICS_STATUSES                                                                                              \
	{                                                                                                             \
		200, 201, 204, 206, 304, 400, 404, 405, 408, 411, 412, 413, 414, 416, 417, 431, 500, 501, 503, 507, 0 \
	}
#define METRICS_STATUS_COUNT 21u
extern const uint16_t metrics_statuses[METRICS_STATUS_COUNT];
extern const char *const metrics_verb_names[VERBS];
extern const struct metrics_counter {
	const char *name, *help;
} metrics_counters[COUNTERS];

/**
 * A histogram of times: bucket i counts those of at most metrics_bound_ns(i), and more than the bound before; the last
 * one has no bound. Bounds go 1, 1.5, 2, 3, 4, 6, ... microseconds, to 12.6 seconds.
 */
#define METRICS_BUCKETS 49u
uint64_t metrics_bound_ns(unsigned bucket);

struct metrics_series {
	uint64_t count, total_ns, buckets[METRICS_BUCKETS];
};

/** A sum over all threads; each number by itself is no older than the call. */
struct metrics {
	uint64_t counters[COUNTERS];
	struct metrics_series series[VERBS][METRICS_STATUS_COUNT];
};

/* All by any thread; a thread's first call allocates its block. Without memory nothing is counted. */

/** A request that was answered. */
void metrics_request(enum verb verb, unsigned status, uint64_t ns);

void metrics_add(enum counter counter, uint64_t n);

void metrics_read(struct metrics *sum);

/** Give the blocks back. No other thread counts any more. */
void metrics_close(void);

/** The time below which `per_mille` thousandths of the series lie, in nanoseconds, within its bucket by proportion. */
uint64_t metrics_quantile_ns(const struct metrics_series *series, unsigned per_mille);

#endif
