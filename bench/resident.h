/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file resident.h
 * What the kernel says this process occupies.
 */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

#include <stdint.h>

/** Resident bytes now; 0 if the kernel does not say. */
uint64_t resident_bytes(void);

/** The same, after free memory that malloc keeps has gone back: for the difference that one map makes. */
uint64_t resident_bytes_trimmed(void);

/** What it has more than that; 0 if less. */
uint64_t resident_bytes_since(uint64_t base);

#endif
