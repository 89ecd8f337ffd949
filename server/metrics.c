/* SPDX-License-Identifier: BSD-2-Clause */
#include "metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const uint16_t metrics_statuses[METRICS_STATUS_COUNT] = METRICS_STATUSES;

const char *const metrics_verb_names[VERBS] = { "get", "head", "put", "post", "delete", "options", "batch", "other" };

const struct metrics_counter metrics_counters[COUNTERS] = {
	{ "hits", "Keys that were asked for and found, in batches, too." },
	{ "misses", "Keys that were asked for and absent." },
	{ "stored", "Values that were stored." },
	{ "removed", "Keys that were deleted." },
	{ "refused", "Values that the map had no room for." },
	{ "batch_items", "Operations in batches." },
	{ "bytes_in", "Bytes of bodies that came in." },
	{ "bytes_out", "Bytes of values, and of answers to batches, that were sent." },
	{ "connections", "Connections that were accepted." },
	{ "turned_away", "Connections that were answered 503 at once." },
	{ "protocol_errors", "Requests that the HTTP library refused by itself, or lost." },
};

/* Invariant: one thread writes a block, by relaxed loads and stores; others read it. Nothing else depends on a count, so
 * no order is needed, and a count that is read a little late is a count of a little earlier. */
struct series {
	_Atomic uint64_t count, total_ns, buckets[METRICS_BUCKETS];
};

struct block {
	struct block *next; /* set before the block is in the list */
	_Atomic uint64_t counters[COUNTERS];
	struct series series[VERBS][METRICS_STATUS_COUNT];
};

/* All blocks, newest first. A release puts one there, an acquire reads the list: `next`, and zeroed counts, are seen. */
static struct block *_Atomic blocks;
static _Thread_local struct block *own;

static struct block *own_block(void)
{
	struct block *head;

	if (own)
		return own;
	own = aligned_alloc(64, (sizeof *own + 63) / 64 * 64);
	if (!own)
		return NULL;
	memset((void *)own, 0, sizeof *own);
	head = atomic_load_explicit(&blocks, memory_order_relaxed);
	do
		own->next = head;
	while (!atomic_compare_exchange_weak_explicit(&blocks, &head, own, memory_order_release, memory_order_relaxed));
	return own;
}

static void bump(_Atomic uint64_t *count, uint64_t n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n, memory_order_relaxed);
}

static unsigned status_index(unsigned status)
{
	unsigned i = 0;

	while (i < METRICS_STATUS_COUNT - 1 && metrics_statuses[i] != status)
		i++;
	return i;
}

uint64_t metrics_bound_ns(unsigned bucket)
{
	return (bucket % 2 ? UINT64_C(1500) : UINT64_C(1000)) << bucket / 2;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned octave, bucket;

	if (ns <= 1000)
		return 0;
	/* 1000 << octave < ns <= 1000 << (octave + 1), or it is 1000 << octave itself. */
	octave = 63u - (unsigned)__builtin_clzll((ns - 1) / 1000);
	bucket = 2 * octave + (ns > UINT64_C(1500) << octave ? 2u : 1u);
	return bucket < METRICS_BUCKETS ? bucket : METRICS_BUCKETS - 1;
}

void metrics_request(enum verb verb, unsigned status, uint64_t ns)
{
	struct block *block = own_block();
	struct series *series;

	if (!block)
		return;
	series = &block->series[verb][status_index(status)];
	bump(&series->count, 1);
	bump(&series->total_ns, ns);
	bump(&series->buckets[bucket_of(ns)], 1);
}

void metrics_add(enum counter counter, uint64_t n)
{
	struct block *block = own_block();

	if (block)
		bump(&block->counters[counter], n);
}

static void add_series(struct metrics_series *sum, struct series *series)
{
	sum->count += atomic_load_explicit(&series->count, memory_order_relaxed);
	sum->total_ns += atomic_load_explicit(&series->total_ns, memory_order_relaxed);
	for (unsigned i = 0; i < METRICS_BUCKETS; i++)
		sum->buckets[i] += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
}

void metrics_read(struct metrics *sum)
{
	struct block *block = atomic_load_explicit(&blocks, memory_order_acquire);

	memset(sum, 0, sizeof *sum);
	for (; block; block = block->next) {
		for (unsigned i = 0; i < COUNTERS; i++)
			sum->counters[i] += atomic_load_explicit(&block->counters[i], memory_order_relaxed);
		for (unsigned v = 0; v < VERBS; v++)
			for (unsigned s = 0; s < METRICS_STATUS_COUNT; s++)
				add_series(&sum->series[v][s], &block->series[v][s]);
	}
}

void metrics_close(void)
{
	struct block *block = atomic_exchange_explicit(&blocks, NULL, memory_order_acquire);

	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
	own = NULL;
}

uint64_t metrics_quantile_ns(const struct metrics_series *series, unsigned per_mille)
{
	uint64_t total = 0, below = 0, rank;

	for (unsigned i = 0; i < METRICS_BUCKETS; i++)
		total += series->buckets[i];
	if (total == 0)
		return 0;
	rank = (uint64_t)((unsigned __int128)total * per_mille / 1000);
	rank = rank < total ? rank : total - 1;
	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		uint64_t n = series->buckets[i];

		if (rank < below + n) {
			uint64_t from = i ? metrics_bound_ns(i - 1) : 0, to = metrics_bound_ns(i);

			return from + (uint64_t)((double)(to - from) * ((double)(rank - below) + 0.5) / (double)n);
		}
		below += n;
	}
	return 0;
}
