/* SPDX-License-Identifier: BSD-2-Clause */
#include "counting.h"

#include <stdlib.h>
#include <string.h>

/* As an address it is above 2^48 and not aligned, as a size it is absurd, as a checksum wrong. */
#define POISON 0xdd

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	struct counting *counting = ctx;
	void *p;

	if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
		return NULL;
	memset(p, POISON, size);
	/* relaxed: read when all threads that use the map have ended. */
	atomic_fetch_add_explicit(&counting->bytes, (int64_t)size, memory_order_relaxed);
	return p;
}

static void count_free(void *ctx, void *p, size_t size)
{
	struct counting *counting = ctx;

	atomic_fetch_sub_explicit(&counting->bytes, (int64_t)size, memory_order_relaxed);
	memset(p, POISON, size);
	__asm__ volatile("" : : "r"(p) : "memory"); /* else the compiler drops stores to what is freed next */
	free(p);
}

struct rcumap_allocator counting_allocator(struct counting *counting)
{
	return (struct rcumap_allocator){ .alloc = count_alloc, .free = count_free, .ctx = counting };
}
