/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/pages.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

/* Whoever maps memory, or meets a page that is not there, may have to wait while another thread has many pages brought or taken
 * away. So no more than this at once. */
#define PIECE PAGES_HUGE

/* Reserved: the kernel refuses what the machine can never hold, instead of killing the process when it is touched. */
static void *map(void *at, size_t size)
{
	void *p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool is_aligned(const void *p)
{
	return ((uintptr_t)p & (PAGES_HUGE - 1)) == 0;
}

/* Refused (no such kernel option): small pages serve as well. */
void pages_make_huge(void *p, size_t size)
{
	(void)madvise(p, size, MADV_HUGEPAGE);
}

static void *huge(void *p, size_t size)
{
	pages_make_huge(p, size);
	return p;
}

/* Some kernels align to 2 MiB, others to 4 KiB, below what is mapped already: then it is asked for right below that. */
void *pages_map_tight(size_t size)
{
	char *p = map(NULL, size);

	if (!p || size < PAGES_HUGE)
		return p;
	if (!is_aligned(p)) {
		munmap(p, size);
		p = map(p - ((uintptr_t)p & (PAGES_HUGE - 1)), size);
	}
	return p ? huge(p, size) : NULL;
}

void *pages_map(size_t size)
{
	char *p = pages_map_tight(size);

	if (!p || size < PAGES_HUGE || is_aligned(p))
		return p;
	munmap(p, size);
	if (size > SIZE_MAX - PAGES_HUGE)
		return NULL;

	/* More than is needed, then both ends are cut. */
	char *wide = map(NULL, size + PAGES_HUGE);

	if (!wide)
		return NULL;
	size_t head = -(uintptr_t)wide & (PAGES_HUGE - 1);

	if (head)
		munmap(wide, head);
	if (head < PAGES_HUGE)
		munmap(wide + head + size, PAGES_HUGE - head);
	return huge(wide + head, size);
}

void pages_touch(void *p, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	if (!size)
		return;

	const uintptr_t odd = (uintptr_t)p & (PAGES_SMALL - 1);
	char *at = (char *)p - odd;

	size += odd;
	while (size) {
		const size_t piece = size < PIECE ? size : PIECE;

		if (madvise(at, piece, MADV_POPULATE_WRITE) != 0)
			return;
		at += piece;
		size -= piece;
	}
#else
	(void)p;
	(void)size;
#endif
}

void pages_unmap(void *p, size_t size)
{
	munmap(p, size);
}

void pages_unmap_in_pieces(void *p, size_t size)
{
	/* From the end, at borders of huge pages: what is left is one mapping, as before. */
	while (size > PIECE) {
		const size_t odd = ((uintptr_t)p + size) % PIECE, piece = odd ? odd : PIECE;

		if (munmap((char *)p + (size - piece), piece) != 0)
			break;
		size -= piece;
	}
	munmap(p, size);
}
