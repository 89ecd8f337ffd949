/* SPDX-License-Identifier: BSD-2-Clause */
#include "histogram.h"

#include <math.h>
#include <string.h>

/* The largest value that falls into a step. */
static uint64_t step_top(unsigned step)
{
	unsigned shift = step >> HISTOGRAM_STEP_BITS;

	if (shift < 2)
		return step; /* steps of width 1 */
	shift--;
	return (((uint64_t)(step - (shift << HISTOGRAM_STEP_BITS)) + 1) << shift) - 1;
}

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof *h);
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_STEPS; i++)
		h->steps[i] += from->steps[i];
	h->count += from->count;
	h->sum += from->sum;
	if (from->max > h->max)
		h->max = from->max;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t rank = (uint64_t)ceil((double)h->count * percent / 100), seen = 0;

	if (h->count == 0)
		return 0;
	if (rank < 1)
		rank = 1;
	for (unsigned i = 0; i < HISTOGRAM_STEPS - 1; i++) {
		seen += h->steps[i];
		if (seen >= rank)
			return step_top(i) < h->max ? step_top(i) : h->max;
	}
	return h->max;
}

uint64_t histogram_above(const struct histogram *h, uint64_t ns)
{
	uint64_t above = 0;

	for (unsigned i = 0; i < HISTOGRAM_STEPS; i++)
		above += step_top(i) > ns ? h->steps[i] : 0;
	return above;
}

uint64_t histogram_max(const struct histogram *h)
{
	return h->max;
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->count;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}
