/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* Reserved: the kernel refuses what the machine can never hold, instead of killing the process when it is touched. */
static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *pages_map(size_t size)
{
	if (size < HUGE_PAGE)
		return map(size);
	if (size > SIZE_MAX - HUGE_PAGE)
		return NULL;

	/* The kernel aligns to 4 KiB: map more, then cut both ends. */
	char *wide = map(size + HUGE_PAGE);

	if (!wide)
		return NULL;
	size_t head = -(uintptr_t)wide & (HUGE_PAGE - 1);

	if (head)
		munmap(wide, head);
	if (head < HUGE_PAGE)
		munmap(wide + head + size, HUGE_PAGE - head);
	/* Refused (no such kernel option): small pages serve as well. */
	(void)madvise(wide + head, size, MADV_HUGEPAGE);
	return wide + head;
}

void pages_unmap(void *p, size_t size)
{
	munmap(p, size);
}
