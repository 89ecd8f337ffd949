/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file clock.h
 * Time: now_ns() for what happens, ticks for timing one short operation.
 *
 * Ticks are the time stamp counter where the processor says that it runs at a constant rate on all cores, else
 * nanoseconds. They are calibrated before main(), which costs every program that uses them 5 ms.
 */
#ifndef HARNESS_CLOCK_H
#define HARNESS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

/** CLOCK_MONOTONIC, in ns. */
static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Written before main() only. */
extern bool clock_tsc;
extern double clock_ns_per_tick;

/** Now, in ticks. Neither it nor what surrounds it is reordered with the reading. */
static inline uint64_t ticks_now(void)
{
#ifdef __x86_64__
	if (clock_tsc) {
		uint64_t t;

		_mm_lfence(); /* all loads before are done */
		t = __rdtsc();
		_mm_lfence(); /* nothing after has begun */
		return t;
	}
#endif
	return now_ns();
}

/** A difference of ticks, in ns. */
static inline uint64_t ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)((double)ticks * clock_ns_per_tick);
}

/** Sleep for some ns, through signals. */
void sleep_ns(uint64_t ns);

#endif
