/* SPDX-License-Identifier: BSD-2-Clause */
#include "random.h"

#include <math.h>
#include <sys/random.h>
#include <time.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

void rng_init_stream(struct rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = rng_mix(seed + GOLDEN) ^ rng_mix(~stream);

	/* splitmix64: four outputs in a row are never all zero, the one state that xoshiro cannot leave. */
	for (int i = 0; i < 4; i++)
		r->s[i] = rng_mix(x += GOLDEN);
}

void rng_init(struct rng *r, uint64_t seed)
{
	rng_init_stream(r, seed, 0);
}

uint64_t rng_fresh_seed(void)
{
	uint64_t seed;
	struct timespec t;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
		return seed >> 32; /* short enough to type */
	clock_gettime(CLOCK_REALTIME, &t);
	return rng_mix((uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 30) >> 32;
}

/* (e^x - 1) / x and log(1 + x) / x, by their series near 0 where the quotient loses all digits. */
static double expm1_over(double x)
{
	return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2 * (1 + x / 3);
}

static double log1p_over(double x)
{
	return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x / 3);
}

/* The weight x^-theta, its integral H, and the inverse of H. */
static double weight(double x, double theta)
{
	return exp(-theta * log(x));
}

static double integral(double x, double theta)
{
	double log_x = log(x);

	return expm1_over((1 - theta) * log_x) * log_x;
}

static double integral_inverse(double y, double theta)
{
	double t = y * (1 - theta);

	return exp(log1p_over(t < -1 ? -1 : t) * y);
}

void zipf_init(struct zipf *z, uint64_t n, double theta)
{
	z->n = (double)n;
	z->theta = theta;
	z->h_first = integral(1.5, theta) - 1;
	z->h_last = integral(z->n + 0.5, theta);
	z->accept = 2 - integral_inverse(integral(2.5, theta) - weight(2, theta), theta);
}

uint64_t zipf_next(const struct zipf *z, struct rng *r)
{
	for (;;) {
		double u = z->h_last + rng_double(r) * (z->h_first - z->h_last);
		double x = integral_inverse(u, z->theta), k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		else if (k > z->n)
			k = z->n;
		if (k - x <= z->accept || u >= integral(k + 0.5, z->theta) - weight(k, z->theta))
			return (uint64_t)k - 1;
	}
}
