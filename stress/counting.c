/* SPDX-License-Identifier: BSD-2-Clause */
#include "counting.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* As an address it is above 2^48 and not aligned, as a size it is absurd, as a checksum wrong. */
#define POISON 0xdd

static pthread_mutex_t in_malloc = PTHREAD_MUTEX_INITIALIZER;

void counting_before_fork(void)
{
	pthread_mutex_lock(&in_malloc);
}

void counting_after_fork(void)
{
	pthread_mutex_unlock(&in_malloc);
}

static void enter_malloc(const struct counting *counting)
{
	if (counting->guarded)
		pthread_mutex_lock(&in_malloc);
}

static void leave_malloc(const struct counting *counting)
{
	if (counting->guarded)
		pthread_mutex_unlock(&in_malloc);
}

static void *count_alloc(void *ctx, size_t size, size_t align)
{
	struct counting *counting = ctx;
	void *p;
	int error;

	enter_malloc(counting);
	error = posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size);
	leave_malloc(counting);
	if (error)
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
	enter_malloc(counting);
	free(p);
	leave_malloc(counting);
}

struct rcumap_allocator counting_allocator(struct counting *counting)
{
	return (struct rcumap_allocator){ .alloc = count_alloc, .free = count_free, .ctx = counting };
}
