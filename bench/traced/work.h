/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file work.h
 * What one operation of a thread does for the growth of a table: the pages that it is the first to touch, and the buckets that it
 * migrates. Pages count as touched when anybody has, also the library's own threads, until they are unmapped; memory that was there
 * before the start counts as fresh once.
 */
#ifndef BENCH_TRACED_WORK_H
#define BENCH_TRACED_WORK_H

#include <stddef.h>
#include <stdint.h>

#define WORK_PAGE 4096u

struct work {
	uint64_t fresh_pages, migrated_buckets;
};

/** From now on touched pages are known. Stays so. */
void work_start(void);
/** An operation of the calling thread begins; it has ended. */
void work_begin(void);
struct work work_end(void);

/** For the runtime: an access; a compare-and-swap that has put `value` there; memory that is given back to the kernel. */
void work_access(const volatile void *address, size_t size);
void work_exchanged(const volatile void *address, size_t size, uint64_t value);
void work_unmapped(const void *address, size_t size);

#endif
