/* SPDX-License-Identifier: BSD-2-Clause */
#include "spread.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, unsigned n)
{
	qsort(values, n, sizeof *values, compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct spread spread_of(double *values, unsigned n)
{
	double middle = median(values, n);

	return (struct spread){ middle, values[0], values[n - 1] };
}

double median_ratio(const double *a, const double *b, const double *at_a, const double *at_b, double times, unsigned n)
{
	double all[SPREAD_PAIRS_MAX], alike[SPREAD_PAIRS_MAX];
	unsigned n_all = 0, n_alike = 0;

	for (unsigned i = 0; i < n; i++) {
		if (b[i] <= 0)
			continue;
		all[n_all++] = a[i] / b[i];
		if (at_a[i] <= at_b[i] * times && at_b[i] <= at_a[i] * times)
			alike[n_alike++] = a[i] / b[i];
	}
	if (n_all == 0)
		return 0;
	return n_alike * 3 >= n_all ? median(alike, n_alike) : median(all, n_all);
}

double median_upper_bound(double *values, unsigned n)
{
	double probability = pow(0.5, n), sum = probability; /* that just k lie below the median; that at most k do */
	unsigned k = 0;

	qsort(values, n, sizeof *values, compare);
	for (; sum < 0.95; k++) {
		probability *= (double)(n - k) / (k + 1);
		sum += probability;
	}
	return values[k];
}
