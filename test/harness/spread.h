/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file spread.h
 * What several measurements of one thing come to. None of these assumes how the values are distributed.
 */
#ifndef HARNESS_SPREAD_H
#define HARNESS_SPREAD_H

struct spread {
	double median, least, most;
};

/** The middle one of n values, n >= 1; sorts them. */
double median(double *values, unsigned n);
/** Median, least and most of n values, n >= 1; sorts them. */
struct spread spread_of(double *values, unsigned n);

/** The most pairs of values for median_ratio(). */
#define SPREAD_PAIRS_MAX 64u

/**
 * The median of a[i] / b[i], n <= SPREAD_PAIRS_MAX. at_a and at_b: a figure of the conditions under which each was measured. Of all pairs
 * only those count whose two differ by a factor of `times` at most, if they are a third of all. Pairs without a positive b do not count. 0: there
 * is none.
 */
double median_ratio(const double *a, const double *b, const double *at_a, const double *at_b, double times, unsigned n);

/** So many values, at least, are needed for a bound. */
#define SPREAD_BOUND_MIN 5u

/**
 * An upper bound of the median of what n values were drawn from, which is right in 95 of 100 cases; n from SPREAD_BOUND_MIN to 1000.
 *
 * Sorts them. From order statistics (the sign test turned round): each value lies below the true median as a fair coin falls, so
 * with a probability of 0.95 at most k of them do, and the one after these is no less than the median.
 */
double median_upper_bound(double *values, unsigned n);

#endif
