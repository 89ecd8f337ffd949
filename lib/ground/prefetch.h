/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetching ahead what is about to be written. */
#ifndef RCUMAP_PREFETCH_H
#define RCUMAP_PREFETCH_H

/* The line that `p` points into, for this core alone: what another has written lately is asked for once, not once to be read and
 * once more to be written. On x86-64 compilers do so only for processors that are named to them; on those that lack the
 * instruction it does nothing. */
static inline void prefetch_to_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#endif
