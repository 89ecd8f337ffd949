/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages from the kernel: large zeroed mappings, on huge pages where the kernel grants them.
 * Owns nothing. Any thread may call. Touches no page that it maps, unless it is told to.
 */
#ifndef RCUMAP_PAGES_H
#define RCUMAP_PAGES_H

#include <stddef.h>

#define PAGES_SMALL ((size_t)4096)
#define PAGES_HUGE ((size_t)2 << 20)

/* Let pages that are mapped stand on huge ones, where the kernel grants them. */
void pages_make_huge(void *p, size_t size);

/* Zeroed memory of `size` bytes (a multiple of 4096), aligned to 2 MiB from that size up, else to a page; NULL if
 * there is none. Tight: never more than that is mapped, not for an instant; perhaps it is aligned to a page only. */
void *pages_map(size_t size);
void *pages_map_tight(size_t size);

/* Have the kernel put pages under a part of what is mapped, as if each had been written to; their content stays. Where it cannot, they
 * come when they are touched, as ever. Takes some 100 us a huge page. */
void pages_touch(void *p, size_t size);

/* Give back what pages_map() returned. */
void pages_unmap(void *p, size_t size);
/* The same, where much of it has been used: it takes longer, but nobody waits long who maps other memory meanwhile. */
void pages_unmap_in_pieces(void *p, size_t size);

#endif
