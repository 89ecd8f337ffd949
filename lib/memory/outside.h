/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that are not the library's own to cut: from the user's allocator, or from malloc; in a map with max_bytes from
 * jemalloc's arenas, if there are any (memory/jearena.h). Any thread.
 */
#ifndef RCUMAP_OUTSIDE_H
#define RCUMAP_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rcumap.h>

#define OUTSIDE_ARENAS_MAX 8u

/* One of them for each stripe. */
struct outside_arenas {
	unsigned count; /* 0: none */
	unsigned arena[OUTSIDE_ARENAS_MAX];
};

struct outside {
	struct rcumap_allocator user; /* all NULL: malloc */
	bool exact; /* what a block takes is asked of malloc */
	struct outside_arenas arenas;
	struct outside_arenas small; /* for small blocks, on huge pages; none: they are taken from `arenas`, too */
};

/* `outside` is zeroed. */
void outside_init(struct outside *outside, const struct rcumap_allocator *user);

/* Before the first block: there will be `bytes` of them at most. */
void outside_limit(struct outside *outside, uint64_t bytes);

/* When all blocks have been freed. */
void outside_fini(struct outside *outside);

/* As memory_alloc(). */
int outside_alloc(const struct outside *outside, size_t size, size_t align, void **p);
void outside_free(const struct outside *outside, void *p, size_t size);

/* What a block takes: as it was rounded up, where that is asked for. The same, at most, before there is one. */
size_t outside_held(const struct outside *outside, const void *p, size_t size);
size_t outside_bound(const struct outside *outside, size_t size, size_t align);

/* Does an aligned block take no more than another one of the same size? */
bool outside_aligns(const struct outside *outside);

#endif
