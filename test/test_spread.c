/* SPDX-License-Identifier: BSD-2-Clause */
/* harness/spread: medians, and the bound by which a benchmark says that one thing is no slower than another. */
#include "tap.h"

#include "harness/random.h"
#include "harness/spread.h"

#include <math.h>

#define DRAWS 61u
#define TRIALS 4000u

static void medians(void)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 };
	struct spread spread = spread_of(even, 4);

	ok(median(odd, 3) == 5, "the middle one of three");
	ok(spread.median == 2.5 && spread.least == 1 && spread.most == 4, "between the middle two of four, with least and most");
	ok(median(one, 1) == 7, "of one, that one");
}

/* The ranks of a table of the sign test: of n values the k-th bounds the median. */
static void known_ranks(void)
{
	static const struct {
		unsigned n, rank;
	} known[] = { { 5, 5 }, { 8, 7 }, { 10, 9 }, { 20, 15 }, { 61, 38 }, { 100, 59 } };
	unsigned right = 0;

	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		double values[100];

		for (unsigned v = 0; v < known[i].n; v++)
			values[v] = known[i].n - v;
		right += median_upper_bound(values, known[i].n) == known[i].rank;
	}
	is_int(right, sizeof known / sizeof *known, "the bound is the value of the known rank");
}

/* Whatever they are drawn from: here from a skewed distribution whose median is 1. Five standard deviations of 4000 trials at 0.95
 * are 0.017; the rank is the next larger one, so it is right a little more often: 0.963. */
static void covers_the_median(void)
{
	unsigned covered = 0;
	double values[DRAWS], share;
	struct rng rng;

	rng_init(&rng, 1);
	for (unsigned trial = 0; trial < TRIALS; trial++) {
		for (unsigned i = 0; i < DRAWS; i++)
			values[i] = pow(1 / rng_double(&rng) - 1, 2);
		covered += median_upper_bound(values, DRAWS) >= 1;
	}
	share = (double)covered / TRIALS;
	ok(share > 0.95 && share < 0.98, "it covers the median in 0.963 of all cases: %.3f", share);
}

/* Of two that are one as fast as the other, where conditions make both four times slower now and then, seldom at once. */
static void ratios_compare_like_with_like(void)
{
	const double a[] = { 8, 2, 2, 2, 2, 2 }, b[] = { 4, 4, 1, 4, 4, 1 }, near_a[] = { 1, 5, 5, 5, 5, 5 }, near_b[] = { 1, 1, 5, 1, 1, 6 };
	const double none[] = { 0, 0, 0, 0, 0, 0 }, same[] = { 3, 3, 3, 3, 3, 3 }, other[] = { 9, 9, 9, 9, 9, 9 };

	ok(median_ratio(a, b, near_a, near_b, 1.5, 6) == 2, "the same conditions: the ratio that both have");
	ok(median_ratio(a, b, same, other, 1.5, 5) == 0.5 && median_ratio(a, b, same, other, 1.5, 2) == 1.25, "never the same: all count");
	ok(median_ratio(a, b, none, none, 1.5, 2) == 1.25, "no conditions are the same, too");
	ok(median_ratio(a, none, same, same, 1.5, 6) == 0 && median_ratio(a, b, same, same, 1.5, 0) == 0, "nothing to compare with");
}

int main(void)
{
	tap_plan(9);
	medians();
	ratios_compare_like_with_like();
	known_ranks();
	covers_the_median();
	return tap_done();
}
