/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file checked_allocator.h
 * An allocator for rcumap_options that counts, checks and fails on demand.
 *
 * Every block stands between a header and a mark: a free of a foreign block, with a wrong size, twice, or after a write
 * beyond its end is counted in `broken`. Freed blocks are overwritten before they go, so that a reader who comes late
 * sees it even without a sanitizer.
 *
 * Failure comes in three ways:
 * - fault_arm(n, kind): of the calling thread alone, its n-th allocation from now, once;
 * - `fail_from`: all allocations of all threads from the n-th on;
 * - `bytes_max`, `size_max`: whatever would exceed this many bytes in all, or in one block.
 */
#ifndef CHECKED_ALLOCATOR_H
#define CHECKED_ALLOCATOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rcumap.h>

#include "layout/address.h"

enum fault_kind {
	FAULT_NULL,
	FAULT_MISALIGNED, /* an address that is not aligned as asked */
	FAULT_HIGH,	  /* an aligned address with a bit that words of the map use */
};

/* All relaxed: counters, read when the threads that change them are at rest. */
struct fault_allocator {
	_Atomic int64_t bytes, blocks, bytes_peak;
	_Atomic uint64_t allocated; /* calls of alloc */
	_Atomic uint64_t failed;    /* of these, failed on demand */
	_Atomic uint64_t broken;    /* calls that the contract forbids */
	_Atomic uint64_t bad_given, bad_returned;
	_Atomic size_t bad_size;   /* of the last unusable block given */
	_Atomic int64_t fail_from; /* 1: the next allocation; INT64_MAX: never */
	_Atomic int64_t bytes_max;
	_Atomic size_t size_max;
};

#define FAULT_MAGIC UINT64_C(0x616c6c6f636b6564)
#define FAULT_MARK 0xa5

struct fault_header {
	uint64_t magic;
	size_t size;
	void *base;
	uint64_t reserved;
};

/* What fault_arm() said in this thread. */
static _Thread_local struct {
	uint64_t countdown; /* 0: not armed */
	enum fault_kind kind;
	bool hit;
} fault_armed;

/* Unusable blocks point here, or above all memory; nobody may touch what they point to. */
static _Alignas(4096) char fault_area[8192];
/* The lowest address that words of the map have no room for. */
#define FAULT_HIGH_ADDRESS (UINT64_C(1) << ADDRESS_BITS)

/* Let this thread's n-th allocation from now (1: the next) fail. */
static inline void fault_arm(uint64_t n, enum fault_kind kind)
{
	fault_armed.countdown = n;
	fault_armed.kind = kind;
	fault_armed.hit = false;
}

/* No more. True if the allocation was reached. */
static inline bool fault_disarm(void)
{
	fault_armed.countdown = 0;
	return fault_armed.hit;
}

static inline void fault_count(struct fault_allocator *a, int64_t bytes, int64_t blocks)
{
	int64_t now = atomic_fetch_add_explicit(&a->bytes, bytes, memory_order_relaxed) + bytes;
	int64_t peak = atomic_load_explicit(&a->bytes_peak, memory_order_relaxed);

	atomic_fetch_add_explicit(&a->blocks, blocks, memory_order_relaxed);
	while (now > peak && !atomic_compare_exchange_weak_explicit(&a->bytes_peak, &peak, now, memory_order_relaxed,
								    memory_order_relaxed))
		;
}

static inline void *fault_bad_address(struct fault_allocator *a, size_t size, size_t align, enum fault_kind kind)
{
	atomic_fetch_add_explicit(&a->bad_given, 1, memory_order_relaxed);
	atomic_store_explicit(&a->bad_size, size, memory_order_relaxed);
	if (kind == FAULT_MISALIGNED)
		return fault_area + align / 2;
	return (void *)(uintptr_t)(FAULT_HIGH_ADDRESS + 4096);
}

static inline bool fault_refuses(struct fault_allocator *a, size_t size)
{
	int64_t from = atomic_load_explicit(&a->fail_from, memory_order_relaxed);

	if (from != INT64_MAX && atomic_fetch_sub_explicit(&a->fail_from, 1, memory_order_relaxed) <= 1)
		return true;
	if (size > atomic_load_explicit(&a->size_max, memory_order_relaxed))
		return true;
	return atomic_load_explicit(&a->bytes, memory_order_relaxed) + (int64_t)size >
	       atomic_load_explicit(&a->bytes_max, memory_order_relaxed);
}

static inline void *fault_alloc(void *ctx, size_t size, size_t align)
{
	struct fault_allocator *a = (struct fault_allocator *)ctx;

	atomic_fetch_add_explicit(&a->allocated, 1, memory_order_relaxed);
	if (size == 0 || align == 0 || (align & (align - 1)) != 0 || align > 4096) {
		atomic_fetch_add_explicit(&a->broken, 1, memory_order_relaxed);
		return NULL;
	}
	if (fault_armed.countdown && --fault_armed.countdown == 0) {
		fault_armed.hit = true;
		atomic_fetch_add_explicit(&a->failed, 1, memory_order_relaxed);
		if (fault_armed.kind == FAULT_NULL || align < 2)
			return NULL;
		return fault_bad_address(a, size, align, fault_armed.kind);
	}
	if (size > SIZE_MAX / 2 || fault_refuses(a, size)) {
		atomic_fetch_add_explicit(&a->failed, 1, memory_order_relaxed);
		return NULL;
	}

	size_t front = align > sizeof(struct fault_header) ? align : sizeof(struct fault_header);
	void *base = NULL;

	if (posix_memalign(&base, front, front + size + 1) != 0)
		return NULL;

	char *p = (char *)base + front;
	struct fault_header header = { FAULT_MAGIC, size, base, 0 };

	memcpy(p - sizeof header, &header, sizeof header);
	memset(p, 0xcc, size); /* nobody may expect zeros */
	p[size] = (char)FAULT_MARK;
	fault_count(a, (int64_t)size, 1);
	return p;
}

static inline void fault_free(void *ctx, void *p, size_t size)
{
	struct fault_allocator *a = (struct fault_allocator *)ctx;
	struct fault_header header;

	if ((uint64_t)(uintptr_t)p >= FAULT_HIGH_ADDRESS ||
	    ((char *)p >= fault_area && (char *)p < fault_area + sizeof fault_area)) {
		atomic_fetch_add_explicit(&a->bad_returned, 1, memory_order_relaxed);
		if (size != atomic_load_explicit(&a->bad_size, memory_order_relaxed))
			atomic_fetch_add_explicit(&a->broken, 1, memory_order_relaxed);
		return;
	}
	if (!p) {
		atomic_fetch_add_explicit(&a->broken, 1, memory_order_relaxed);
		return;
	}
	memcpy(&header, (char *)p - sizeof header, sizeof header);
	if (header.magic != FAULT_MAGIC || header.size != size || ((char *)p)[header.size] != (char)FAULT_MARK) {
		atomic_fetch_add_explicit(&a->broken, 1, memory_order_relaxed);
		return;
	}
	fault_count(a, -(int64_t)size, -1);
	memset((char *)p - sizeof header, 0xdd, sizeof header + size);
	free(header.base);
}

/* Start counting; never fails until told to. */
static inline void fault_init(struct fault_allocator *a)
{
	memset(a, 0, sizeof *a);
	atomic_init(&a->fail_from, INT64_MAX);
	atomic_init(&a->bytes_max, INT64_MAX);
	atomic_init(&a->size_max, SIZE_MAX);
}

/* What rcumap_options.allocator takes. */
static inline struct rcumap_allocator fault_allocator(struct fault_allocator *a)
{
	return (struct rcumap_allocator){ fault_alloc, fault_free, a };
}

/* After the map is gone: is all given back, and was the contract kept? */
static inline bool fault_settled(const struct fault_allocator *a)
{
	struct fault_allocator *m = (struct fault_allocator *)a;

	return atomic_load(&m->bytes) == 0 && atomic_load(&m->blocks) == 0 && atomic_load(&m->broken) == 0 &&
	       atomic_load(&m->bad_given) == atomic_load(&m->bad_returned);
}

#endif
