/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug builds: which thread has been inside a section for how long, for the report of a stalled reader. Knows of sections
 * that were opened through rcumap_read_lock() and its kin; of qsbr's online threads nothing else is told.
 *
 * Each thread has a record in a static pool from its first section until it exits. Only its owner writes it, without a
 * lock. Threads that find the pool full are not watched.
 *
 * In any other build, and for the explorer, all of this is nothing.
 */
#ifndef RCUMAP_SECTION_WATCH_H
#define RCUMAP_SECTION_WATCH_H

#include <stdint.h>

#if defined(RCUMAP_DEBUG) && !defined(RCUMAP_EXPLORER)

/* Around the outermost section of a flavor; pairs nest. */
void watch_enter(unsigned flavor);
void watch_leave(unsigned flavor);

/* The thread (gettid) that has been longest inside, if it entered at entered_ns (CLOCK_MONOTONIC) or earlier; else 0. */
int64_t watch_longest(unsigned flavor, uint64_t entered_ns);

/* In a child of fork(): the other threads are gone. */
void watch_after_fork_child(void);

#else

static inline void watch_enter(unsigned flavor)
{
	(void)flavor;
}
static inline void watch_leave(unsigned flavor)
{
	(void)flavor;
}
static inline int64_t watch_longest(unsigned flavor, uint64_t entered_ns)
{
	(void)flavor;
	(void)entered_ns;
	return 0;
}
static inline void watch_after_fork_child(void)
{
}

#endif

#endif
