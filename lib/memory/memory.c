/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/memory.h"

#include <errno.h>
#include <string.h>

#include "ground/pages.h"
#include "layout/address.h"

/* From here on an array of lines is mapped by itself. */
#define LINES_MAPPED_MIN ((size_t)64 << 10)
/* glibc leaves what is too small for a block of its own to the one before. */
#define MALLOC_REST 16u

void memory_init(struct memory *memory, const struct rcumap_allocator *user)
{
	outside_init(&memory->outside, user);
	slab_init(&memory->slab);
}

void memory_limit(struct memory *memory, uint64_t max_bytes, size_t map_bytes, size_t record_header, unsigned record_cells_max)
{
	budget_init(&memory->budget, max_bytes, map_bytes, record_header, record_cells_max);
	outside_limit(&memory->outside, max_bytes);
}

void memory_fini(struct memory *memory)
{
	slab_fini(&memory->slab);
	outside_fini(&memory->outside);
}

static void count(struct memory *memory, int64_t bytes)
{
	/* relaxed: a statistic, summed over all stripes */
	atomic_fetch_add_explicit(&memory->stripe[stripe_index()].bytes, bytes, memory_order_relaxed);
}

int memory_alloc_root(const struct rcumap_allocator *user, size_t size, size_t align, void **p)
{
	return outside_alloc(&(struct outside){ .user = *user }, size, align, p);
}

void memory_free_root(const struct rcumap_allocator *user, void *p, size_t size)
{
	outside_free(&(struct outside){ .user = *user }, p, size);
}

/* Does the slab serve blocks of this size? */
static bool in_slab(const struct memory *memory, size_t size)
{
	return !memory->outside.user.alloc && size <= SLAB_BLOCK_MAX && !budget_is_on(&memory->budget);
}

bool memory_needs_section(const struct memory *memory, size_t size)
{
	return in_slab(memory, size);
}

size_t memory_entry_bound(const struct memory *memory, size_t size)
{
	return outside_bound(&memory->outside, size, 16) + RECORD_BYTES;
}

size_t memory_entry_bytes(const struct memory *memory, const void *p, size_t size)
{
	return outside_held(&memory->outside, p, size) + RECORD_BYTES;
}

/* What a use counts beyond the block itself. */
static size_t beside(enum memory_use use)
{
	return use == MEMORY_ENTRY ? RECORD_BYTES : 0;
}

/* A block from outside, within the budget. */
static int budget_alloc(struct memory *memory, enum memory_use use, size_t size, size_t align, void **p)
{
	struct budget *budget = &memory->budget;
	const size_t rest = memory->outside.user.alloc ? 0 : MALLOC_REST;
	const size_t bound = outside_bound(&memory->outside, size, align) + beside(use) + rest;

	if (!budget_take(budget, use, bound))
		return -ENOSPC;

	int error = outside_alloc(&memory->outside, size, align, p);
	size_t held = error ? 0 : outside_held(&memory->outside, *p, size) + beside(use);

	if (held <= bound) {
		budget_give(budget, use, bound - held);
		return error;
	}
	/* An allocator that rounds up further. */
	if (budget_take(budget, use, held - bound))
		return 0;
	outside_free(&memory->outside, *p, size);
	budget_give(budget, use, bound);
	return -ENOSPC;
}

int memory_alloc_for(struct memory *memory, enum memory_use use, size_t size, size_t align, void **p)
{
	if (in_slab(memory, size)) {
		void *block = slab_alloc(&memory->slab, stripe_index(), size);

		if (!block)
			return -ENOMEM;
		*p = block;
		return 0;
	}

	/* Of malloc an aligned block costs more than a second line. */
	if (use == MEMORY_ENTRY && budget_is_on(&memory->budget) && !outside_aligns(&memory->outside))
		align = 16;

	int error = budget_is_on(&memory->budget) ? budget_alloc(memory, use, size, align, p) :
						    outside_alloc(&memory->outside, size, align, p);

	if (!error)
		count(memory, (int64_t)outside_held(&memory->outside, *p, size));
	return error;
}

static void free_large(struct memory *memory, enum memory_use use, void *p, size_t size)
{
	size_t held = outside_held(&memory->outside, p, size);

	outside_free(&memory->outside, p, size);
	count(memory, -(int64_t)held);
	if (budget_is_on(&memory->budget))
		budget_give(&memory->budget, use, held + beside(use));
}

void memory_free_for(struct memory *memory, enum memory_use use, struct slab_freer *freer, void *p, size_t size)
{
	if (in_slab(memory, size))
		slab_free(&memory->slab, freer, p, size);
	else
		free_large(memory, use, p, size);
}

void memory_discard_for(struct memory *memory, enum memory_use use, void *p, size_t size)
{
	if (in_slab(memory, size))
		slab_discard(&memory->slab, p, size);
	else
		free_large(memory, use, p, size);
}

void memory_abandon(struct memory *memory, void *p, size_t size)
{
	if (!in_slab(memory, size))
		free_large(memory, MEMORY_STRUCTURE, p, size);
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

bool memory_lines_are_mapped(const struct memory *memory, size_t size)
{
	return !memory->outside.user.alloc && size >= LINES_MAPPED_MIN;
}

/* What an array of `size` bytes takes, at most before there is one. */
static size_t lines_bound(const struct memory *memory, size_t size)
{
	if (memory_lines_are_mapped(memory, size))
		return (size + PAGES_SMALL - 1) & ~(PAGES_SMALL - 1);
	return budget_is_on(&memory->budget) ? outside_bound(&memory->outside, size, 64) : size;
}

static int map_lines(const struct memory *memory, size_t size, void **p)
{
	void *pages = (budget_is_on(&memory->budget) ? pages_map_tight : pages_map)(size);

	if (!pages)
		return -ENOMEM;
	if ((uint64_t)(uintptr_t)pages >> ADDRESS_BITS) {
		pages_unmap(pages, size);
		return -EFAULT;
	}
	*p = pages;
	return 0;
}

int memory_alloc_lines(struct memory *memory, size_t size, void **p)
{
	const bool limited = budget_is_on(&memory->budget);
	const size_t held = lines_bound(memory, size);

	if (limited && !budget_take_table(&memory->budget, held))
		return -ENOSPC;

	int error = memory_lines_are_mapped(memory, size) ? map_lines(memory, held, p) : outside_alloc(&memory->outside, size, 64, p);

	if (error) {
		if (limited)
			budget_give_table(&memory->budget, held);
		return error;
	}
	if (!memory_lines_are_mapped(memory, size))
		memset(*p, 0, size);
	atomic_fetch_add_explicit(&memory->line_bytes, held, memory_order_relaxed); /* a statistic */
	return 0;
}

size_t memory_touch_lines(void *p, size_t size, size_t touched)
{
	const size_t left = size - touched, part = left < PAGES_HUGE ? left : PAGES_HUGE;

	pages_touch((char *)p + touched, part);
	return part;
}

bool memory_could_hold_lines(const struct memory *memory, size_t size)
{
	if (budget_is_on(&memory->budget))
		return budget_could_hold(&memory->budget, lines_bound(memory, size));
	if (!memory_lines_are_mapped(memory, size))
		return true;

	size_t held = lines_bound(memory, size);
	void *pages = pages_map(held);

	if (pages)
		pages_unmap(pages, held);
	return pages;
}

void memory_free_lines(struct memory *memory, void *p, size_t size)
{
	size_t held = lines_bound(memory, size);

	if (memory_lines_are_mapped(memory, size))
		pages_unmap_in_pieces(p, held);
	else
		outside_free(&memory->outside, p, size);
	atomic_fetch_sub_explicit(&memory->line_bytes, held, memory_order_relaxed);
	if (budget_is_on(&memory->budget))
		budget_give_table(&memory->budget, held);
}

uint64_t memory_bytes(const struct memory *memory)
{
	int64_t large = large_bytes(memory);

	/* relaxed: statistics */
	return (large > 0 ? (uint64_t)large : 0) + atomic_load_explicit(&memory->slab.bytes, memory_order_relaxed) +
	       atomic_load_explicit(&memory->line_bytes, memory_order_relaxed);
}
