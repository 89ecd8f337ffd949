/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file blocks.h
 * Tables of maps that take an allocator, for the adapters in C: from the size of a huge page on they lie in huge pages, as
 * librcumap's. No map is to gain by its pages.
 */
#ifndef BENCH_RIVALS_BLOCKS_H
#define BENCH_RIVALS_BLOCKS_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define CACHE_LINE ((size_t)64)
/** glibc puts the size of a block in the word before it. */
#define MALLOC_HEADER 8u

/** To be given to free(), or NULL. */
static inline void *block_take(size_t size)
{
	void *block;

	if (posix_memalign(&block, size >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE, size) != 0)
		return NULL;
	if (size >= HUGE_PAGE)
		(void)madvise(block, size, MADV_HUGEPAGE);
	return block;
}

#endif
