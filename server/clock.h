/* SPDX-License-Identifier: BSD-2-Clause */
/** @file clock.h What the server's clocks say. */
#ifndef RCUMAPD_CLOCK_H
#define RCUMAPD_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Nanoseconds of CLOCK_MONOTONIC or CLOCK_MONOTONIC_COARSE. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
