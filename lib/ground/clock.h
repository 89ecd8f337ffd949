/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map's clock, in microseconds: CLOCK_MONOTONIC, or the user's. Deadlines are set by the exact clock, rounded up, and
 * compared with the coarse one, which is never ahead of it: so nothing expires early, and whether it has is told
 * without a system call or the processor's counter.
 */
#ifndef RCUMAP_CLOCK_H
#define RCUMAP_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <rcumap.h>

struct clock {
	rcumap_clock_fn *fn; /* NULL: the system's */
	void *ctx;
};

/* No clock is told to be later than this: a user's that says more has stopped here. 53 bits hold it. */
#define CLOCK_US_MAX ((UINT64_C(1) << 53) - 4)

static inline uint64_t clock_system_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail with these clocks */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_user_us(const struct clock *clock)
{
	uint64_t us = clock->fn(clock->ctx) / 1000;

	return us < CLOCK_US_MAX ? us : CLOCK_US_MAX;
}

/* To tell whether a deadline has passed. Wait-free; a few nanoseconds. */
static inline uint64_t clock_coarse_us(const struct clock *clock)
{
	if (__builtin_expect(clock->fn != NULL, 0))
		return clock_user_us(clock);
	return clock_system_ns(CLOCK_MONOTONIC_COARSE) / 1000;
}

/* To set a deadline. Wait-free. */
static inline uint64_t clock_exact_us(const struct clock *clock)
{
	return (clock->fn ? clock_user_us(clock) : clock_system_ns(CLOCK_MONOTONIC) / 1000) + 1;
}

#endif
