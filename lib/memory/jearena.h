/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jemalloc's arenas, if the process's malloc is jemalloc: preloaded, or linked.
 *
 * A map with max_bytes takes its blocks from arenas of its own, which give free pages back at once: with jemalloc's defaults each
 * thread's arena keeps them for seconds, and a map that many threads write has more than twice its limit resident. One
 * for small blocks can stand on huge pages where the kernel has some, as the slab of other maps does: else each entry that is found
 * is a miss of the translation cache, too.
 */
#ifndef RCUMAP_JEARENA_H
#define RCUMAP_JEARENA_H

#include <stdbool.h>
#include <stddef.h>

/* A fresh one. False: there is no jemalloc, or it has none left. Takes locks. */
bool jearena_create(unsigned *arena, bool huge_pages);

/* When all its blocks have been freed. */
void jearena_destroy(unsigned arena);

/* As malloc() and free(), aligned. */
void *jearena_alloc(unsigned arena, size_t size, size_t align);
void jearena_free(void *p);

#endif
