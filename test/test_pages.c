/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/pages: large zeroed mappings from the kernel. */
#include "ground/pages.h"

#include "allocator_fixture.h"
#include "fault/default_allocator.h"

#include <sys/mman.h>

#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)

static const size_t sizes[] = {
	PAGE,	      2 * PAGE, HUGE_PAGE - PAGE, HUGE_PAGE, HUGE_PAGE + PAGE, 2 * HUGE_PAGE, 5 * HUGE_PAGE - PAGE,
	8 * HUGE_PAGE
};

#define SIZES (sizeof sizes / sizeof sizes[0])

/* Pages of [p, p + size) that are in memory; -1: some are not mapped. */
static int64_t resident(const void *p, size_t size)
{
	unsigned char *pages = malloc(size / PAGE);
	int64_t n = 0;

	if (mincore((void *)(uintptr_t)p, size, pages) != 0)
		n = -1;
	for (size_t i = 0; n >= 0 && i < size / PAGE; i++)
		n += pages[i] & 1;
	free(pages);
	return n;
}

static bool is_zero(const char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		if (p[i] || p[i + 1] || p[i + PAGE - 1])
			return false;
	return true;
}

/* Where the kernel can: from 5.14 on. */
static bool kernel_touches(void)
{
#ifdef MADV_POPULATE_WRITE
	char *p = pages_map(PAGE);
	bool can = madvise(p, PAGE, MADV_POPULATE_WRITE) == 0;

	pages_unmap(p, PAGE);
	return can;
#else
	return false;
#endif
}

static void touches_what_it_is_told(void)
{
	const size_t size = 3 * HUGE_PAGE;
	char *p = pages_map(size);

	if (!kernel_touches()) {
		skip(4, "the kernel puts no pages there ahead");
		pages_unmap(p, size);
		return;
	}
	pages_touch(p, 0);
	is_int(resident(p, size), 0, "no page of nothing");
	p[HUGE_PAGE + PAGE] = 0x5a;
	pages_touch(p + 1, 2 * HUGE_PAGE);
	ok(resident(p, 2 * HUGE_PAGE + PAGE) == (int64_t)(2 * HUGE_PAGE / PAGE) + 1, "each page of a part, also of an odd one");
	ok(is_zero(p, HUGE_PAGE) && p[HUGE_PAGE + PAGE] == 0x5a, "whose content stays");
	pages_touch(p, size);
	is_int(resident(p, size), size / PAGE, "and each of the whole");
	pages_unmap(p, size);
}

static void maps_whole_zeroed_aligned_pages(void)
{
	for (unsigned i = 0; i < SIZES; i++) {
		size_t size = sizes[i], align = size < HUGE_PAGE ? PAGE : HUGE_PAGE;
		int64_t before = default_allocator_mapped();
		char *p = pages_map(size);

		if (!ok(p != NULL, "%zu KiB are mapped", size >> 10))
			continue;
		ok(((uintptr_t)p & (align - 1)) == 0, "%zu KiB: aligned to %zu KiB", size >> 10, align >> 10);
		is_int(resident(p, size), 0, "%zu KiB: nothing of it is touched", size >> 10);
		is_int(default_allocator_mapped() - before, size, "%zu KiB: what was mapped for alignment is cut off",
		       size >> 10);
		ok(is_zero(p, size), "%zu KiB: zeroed", size >> 10);
		memset(p, 0x5a, size);
		pages_unmap(p, size);
		is_int(default_allocator_mapped(), before, "%zu KiB: unmapped", size >> 10);
		is_int(resident(p, PAGE), -1, "%zu KiB: the first page is gone", size >> 10);
		is_int(resident(p + size - PAGE, PAGE), -1, "%zu KiB: so is the last", size >> 10);
	}
}

static void are_zeroed_again(void)
{
	uint64_t dirty = 0;

	for (unsigned turn = 0; turn < 20; turn++) {
		char *p = pages_map(64 * PAGE);

		dirty += !p || !is_zero(p, 64 * PAGE);
		if (p)
			memset(p, 0xff, 64 * PAGE);
		pages_unmap(p, 64 * PAGE);
	}
	is_int(dirty, 0, "pages that were used before are zeroed");
}

static void refuses_what_there_is_not(void)
{
	int64_t before = default_allocator_mapped();

	ok(pages_map(SIZE_MAX & ~(PAGE - 1)) == NULL, "all of the address space and more is refused");
	ok(pages_map((SIZE_MAX & ~(PAGE - 1)) - HUGE_PAGE) == NULL, "so is a little less");
	ok(pages_map((size_t)1 << 47) == NULL, "so is all that a process may have");
	/* Reserved, not promised: a table of 64 TiB would be granted and kill the process when it is touched. */
	if (overcommits_always())
		skip(1, "this kernel grants everything");
	else
		ok(pages_map((size_t)1 << 46) == NULL, "so is what no machine can hold");
	default_allocator_arm(1);
	ok(pages_map(PAGE) == NULL, "no memory: a page is refused");
	ok(default_allocator_disarm(), "by the kernel");
	default_allocator_arm(1);
	ok(pages_map(HUGE_PAGE) == NULL, "no memory: a huge page is refused");
	ok(default_allocator_disarm(), "by the kernel");
	is_int(default_allocator_mapped(), before, "nothing is left of what was refused");
}

int main(void)
{
	maps_whole_zeroed_aligned_pages();
	touches_what_it_is_told();
	are_zeroed_again();
	refuses_what_there_is_not();
	return tap_done();
}
