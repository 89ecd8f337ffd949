/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file format.h
 * Figures as people read them. Each function returns its text by value: `printf("%9s", format_ns(n).text)`.
 */
#ifndef BENCH_FORMAT_H
#define BENCH_FORMAT_H

#include <stdint.h>

struct formatted {
	char text[32];
};

/** "12,345,678" */
struct formatted format_count(uint64_t n);
/** "830 ns", "1.25 us", "41.0 ms", "3.90 s": three digits. */
struct formatted format_ns(double ns);
/** "93.5 MB", "1.86 GB": decimal units, three digits. */
struct formatted format_bytes(double bytes);
/** "12.4 M/s", "830 k/s" */
struct formatted format_rate(double per_second);
/** "5.7 x", "770 x": how many times. */
struct formatted format_times(double times);

#endif
