/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/outside.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "ground/stripe.h"
#include "layout/address.h"
#include "memory/jearena.h"

/* What glibc's malloc adds to a block, so that the count is honest: at most; and where its usable size is known. */
#define MALLOC_HEADER 16u
#define MALLOC_SIZE_FIELD 8u

/* An arena for each of so many bytes: with more of them more is lying between the blocks. */
#define ARENA_BYTES (UINT64_C(64) << 20)
/* Blocks of up to so many bytes stand on huge pages in a map of at least ARENA_BYTES. Where larger ones come and go whole pages
 * are given back and taken again, and of huge ones each is zeroed whole. */
#define HUGE_PAGES_BLOCK_MAX 1024u

/* ------------------------------------------------------------------ where blocks come from */

void outside_init(struct outside *outside, const struct rcumap_allocator *user)
{
	outside->user = *user;
}

static void create(struct outside_arenas *arenas, uint64_t wanted, bool huge_pages)
{
	while (arenas->count < wanted && arenas->count < OUTSIDE_ARENAS_MAX &&
	       jearena_create(&arenas->arena[arenas->count], huge_pages))
		arenas->count++;
}

void outside_limit(struct outside *outside, uint64_t bytes)
{
	const uint64_t wanted = bytes / ARENA_BYTES + 1;

	outside->exact = !outside->user.alloc;
	if (outside->user.alloc)
		return;
	create(&outside->arenas, wanted, false);
	if (bytes >= ARENA_BYTES)
		create(&outside->small, wanted, true);
}

static void destroy(struct outside_arenas *arenas)
{
	while (arenas->count)
		jearena_destroy(arenas->arena[--arenas->count]);
}

void outside_fini(struct outside *outside)
{
	destroy(&outside->small);
	destroy(&outside->arenas);
}

static unsigned arena_for(const struct outside *outside, size_t size)
{
	const struct outside_arenas *arenas = size <= HUGE_PAGES_BLOCK_MAX && outside->small.count ? &outside->small :
												     &outside->arenas;

	return arenas->arena[stripe_index() % arenas->count];
}

static void *take(const struct outside *outside, size_t size, size_t align)
{
	void *p = NULL;

	if (outside->user.alloc)
		return outside->user.alloc(outside->user.ctx, size, align);
	if (outside->arenas.count)
		return jearena_alloc(arena_for(outside, size), size, align);
	if (align <= 16)
		return malloc(size);
	return posix_memalign(&p, align, size) ? NULL : p;
}

void outside_free(const struct outside *outside, void *p, size_t size)
{
	if (outside->user.alloc)
		outside->user.free(outside->user.ctx, p, size);
	else if (outside->arenas.count)
		jearena_free(p);
	else
		free(p);
}

static bool usable(const void *p, size_t align)
{
	return ((uintptr_t)p & (align - 1)) == 0 && (uint64_t)(uintptr_t)p >> ADDRESS_BITS == 0;
}

int outside_alloc(const struct outside *outside, size_t size, size_t align, void **p)
{
	void *block = take(outside, size, align);

	if (!block)
		return -ENOMEM;
	/* malloc, too, may return addresses that do not fit a slot word: tagged ones, for one. */
	if (!usable(block, align)) {
		outside_free(outside, block, size);
		return -EFAULT;
	}
	*p = block;
	return 0;
}

/* ------------------------------------------------------------------ what they take */

size_t outside_held(const struct outside *outside, const void *p, size_t size)
{
	if (outside->user.alloc)
		return size;
	return outside->exact ? malloc_usable_size((void *)p) + MALLOC_SIZE_FIELD : size + MALLOC_HEADER;
}

/*
 * Of malloc: glibc rounds up to 16 bytes, from 128 KiB on to a page, with a header of 8 or 16; jemalloc and others to one of
 * four sizes for each power of two. What is aligned may begin later.
 */
size_t outside_bound(const struct outside *outside, size_t size, size_t align)
{
	if (outside->user.alloc)
		return size;

	const size_t with_header = size + MALLOC_HEADER + (align > 16 ? align : 0);
	const unsigned bits = 61 - (unsigned)__builtin_clzll(with_header | 64);
	const size_t step = (size_t)1 << bits;

	return ((with_header + step - 1) & ~(step - 1)) + MALLOC_SIZE_FIELD;
}

bool outside_aligns(const struct outside *outside)
{
	return outside->user.alloc || outside->arenas.count;
}
