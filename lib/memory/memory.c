/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ground/pages.h"

#define PAGE ((size_t)4096)
/* From here on an array of lines is mapped by itself. */
#define LINES_MAPPED_MIN ((size_t)64 << 10)
/* What glibc's malloc adds to a block, so that the count is honest. */
#define MALLOC_HEADER 16u

void memory_init(struct memory *memory, const struct rcumap_allocator *user)
{
	memory->user = *user;
	slab_init(&memory->slab);
}

void memory_fini(struct memory *memory)
{
	slab_fini(&memory->slab);
}

static void count(struct memory *memory, int64_t bytes)
{
	/* relaxed: a statistic, summed over all stripes */
	atomic_fetch_add_explicit(&memory->stripe[stripe_index()].bytes, bytes, memory_order_relaxed);
}

static bool usable(const void *p, size_t align)
{
	return ((uintptr_t)p & (align - 1)) == 0 && (uint64_t)(uintptr_t)p >> MEMORY_ADDRESS_BITS == 0;
}

/* From the user's allocator, or from malloc. */
static void *outside_alloc(const struct rcumap_allocator *user, size_t size, size_t align)
{
	void *p = NULL;

	if (user->alloc)
		return user->alloc(user->ctx, size, align);
	if (align <= 16)
		return malloc(size);
	return posix_memalign(&p, align, size) ? NULL : p;
}

static void outside_free(const struct rcumap_allocator *user, void *p, size_t size)
{
	if (user->alloc)
		user->free(user->ctx, p, size);
	else
		free(p);
}

/* outside_alloc(), with an address that fits a slot word; malloc, too, may return others: tagged ones. */
static int checked_alloc(const struct rcumap_allocator *user, size_t size, size_t align, void **p)
{
	void *block = outside_alloc(user, size, align);

	if (!block)
		return -ENOMEM;
	if (!usable(block, align)) {
		outside_free(user, block, size);
		return -EFAULT;
	}
	*p = block;
	return 0;
}

int memory_alloc_root(const struct rcumap_allocator *user, size_t size, size_t align, void **p)
{
	return checked_alloc(user, size, align, p);
}

void memory_free_root(const struct rcumap_allocator *user, void *p, size_t size)
{
	outside_free(user, p, size);
}

/* Does the slab serve blocks of this size? */
static bool in_slab(const struct memory *memory, size_t size)
{
	return !memory->user.alloc && size <= SLAB_BLOCK_MAX;
}

/* What a block from outside takes. */
static int64_t outside_held(const struct memory *memory, size_t size)
{
	return (int64_t)(size + (memory->user.alloc ? 0 : MALLOC_HEADER));
}

int memory_alloc(struct memory *memory, size_t size, size_t align, void **p)
{
	if (in_slab(memory, size)) {
		void *block = slab_alloc(&memory->slab, stripe_index(), size);

		if (!block)
			return -ENOMEM;
		*p = block;
		return 0;
	}

	int error = checked_alloc(&memory->user, size, align, p);

	if (!error)
		count(memory, outside_held(memory, size));
	return error;
}

static void free_large(struct memory *memory, void *p, size_t size)
{
	outside_free(&memory->user, p, size);
	count(memory, -outside_held(memory, size));
}

void memory_free(struct memory *memory, struct slab_freer *freer, void *p, size_t size)
{
	if (in_slab(memory, size))
		slab_free(&memory->slab, freer, p, size);
	else
		free_large(memory, p, size);
}

void memory_discard(struct memory *memory, void *p, size_t size)
{
	if (in_slab(memory, size))
		slab_discard(&memory->slab, p, size);
	else
		free_large(memory, p, size);
}

void memory_abandon(struct memory *memory, void *p, size_t size)
{
	if (!in_slab(memory, size))
		free_large(memory, p, size);
}

static int64_t large_bytes(const struct memory *memory)
{
	int64_t bytes = 0;

	/* relaxed: a statistic, exact when nobody writes */
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		bytes += atomic_load_explicit(&memory->stripe[s].bytes, memory_order_relaxed);
	return bytes;
}

bool memory_has_large(const struct memory *memory)
{
	return large_bytes(memory) > 0;
}

/* Is an array of this size mapped by itself? */
static bool is_mapped(const struct memory *memory, size_t size)
{
	return !memory->user.alloc && size >= LINES_MAPPED_MIN;
}

/* What an array of `size` bytes takes. */
static size_t lines_held(const struct memory *memory, size_t size)
{
	return is_mapped(memory, size) ? (size + PAGE - 1) & ~(PAGE - 1) : size;
}

int memory_alloc_lines(struct memory *memory, size_t size, void **p)
{
	size_t held = lines_held(memory, size);

	if (!is_mapped(memory, size)) {
		int error = checked_alloc(&memory->user, size, 64, p);

		if (error)
			return error;
		memset(*p, 0, size);
	} else {
		void *pages = pages_map(held);

		if (!pages)
			return -ENOMEM;
		if (!usable(pages, 64)) {
			pages_unmap(pages, held);
			return -EFAULT;
		}
		*p = pages;
	}
	atomic_fetch_add_explicit(&memory->line_bytes, held, memory_order_relaxed); /* a statistic */
	return 0;
}

bool memory_could_hold_lines(const struct memory *memory, size_t size)
{
	if (!is_mapped(memory, size))
		return true;

	size_t held = lines_held(memory, size);
	void *pages = pages_map(held);

	if (pages)
		pages_unmap(pages, held);
	return pages;
}

void memory_free_lines(struct memory *memory, void *p, size_t size)
{
	size_t held = lines_held(memory, size);

	if (is_mapped(memory, size))
		pages_unmap(p, held);
	else
		outside_free(&memory->user, p, size);
	atomic_fetch_sub_explicit(&memory->line_bytes, held, memory_order_relaxed);
}

uint64_t memory_bytes(const struct memory *memory)
{
	int64_t large = large_bytes(memory);

	/* relaxed: statistics */
	return (large > 0 ? (uint64_t)large : 0) + atomic_load_explicit(&memory->slab.bytes, memory_order_relaxed) +
	       atomic_load_explicit(&memory->line_bytes, memory_order_relaxed);
}
