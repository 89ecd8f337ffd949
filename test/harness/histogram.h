/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file histogram.h
 * A histogram of latencies in nanoseconds: any value, constant space, relative error below 1 %.
 *
 * Log-linear, as HdrHistogram: each power of two is cut into 128 equal steps, values below 128 are exact. One
 * writer per histogram; give each thread its own and merge them after the join. 35 KiB: static or malloc'ed.
 */
#ifndef HARNESS_HISTOGRAM_H
#define HARNESS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 7 /* a step is at most 1/128 = 0.8 % of its value */
#define HISTOGRAM_VALUE_BITS 40 /* 18 minutes; longer ones count in the last step, the maximum stays exact */
#define HISTOGRAM_STEPS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS)

/** All zero is an empty histogram. */
struct histogram {
	uint64_t count, sum, max;
	uint64_t steps[HISTOGRAM_STEPS];
};

/* The step of a value: the position of its highest bit, then the 7 bits below that. */
static inline unsigned histogram_step(uint64_t ns)
{
	unsigned shift;

	if (ns >> HISTOGRAM_STEP_BITS == 0)
		return (unsigned)ns;
	if (ns >> HISTOGRAM_VALUE_BITS)
		return HISTOGRAM_STEPS - 1;
	shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
	return (shift << HISTOGRAM_STEP_BITS) + (unsigned)(ns >> shift);
}

/** Count one value. A few ns. */
static inline void histogram_add(struct histogram *h, uint64_t ns)
{
	h->steps[histogram_step(ns)]++;
	h->count++;
	h->sum += ns;
	if (ns > h->max)
		h->max = ns;
}

/** Make it empty. */
void histogram_reset(struct histogram *h);
/** Add all of `from`. */
void histogram_merge(struct histogram *h, const struct histogram *from);
/** How many values are larger than this one, or so near to it that they are not told from larger ones. */
uint64_t histogram_above(const struct histogram *h, uint64_t ns);
/** The value at or below which `percent` of all values lie (99.9, say), never below the true one; 0 if empty. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
/** The largest value, exact. */
uint64_t histogram_max(const struct histogram *h);
/** How many values. */
uint64_t histogram_count(const struct histogram *h);
/** Their mean, exact; 0 if empty. */
double histogram_mean(const struct histogram *h);

#endif
