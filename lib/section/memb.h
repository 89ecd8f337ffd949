/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read sections of the memb flavor, with liburcu's code inlined where the build allows (doc/licences.md).
 * For .c files that serve this flavor alone.
 */
#ifndef RCUMAP_SECTION_MEMB_H
#define RCUMAP_SECTION_MEMB_H

#if RCUMAP_LGPL_INLINE && !defined(_LGPL_SOURCE)
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-memb.h>

#include <stdbool.h>

#include "section/tsan.h"

#define SECTION_FLAVOR_MEMB 1u

/* Does the next section open without a call? */
static inline bool section_is_quick_memb(void)
{
	return true;
}

static inline void section_lock_memb(void)
{
	urcu_memb_read_lock();
	section_tsan_enter(SECTION_FLAVOR_MEMB);
}

static inline void section_unlock_memb(void)
{
	section_tsan_leave(SECTION_FLAVOR_MEMB);
	urcu_memb_read_unlock();
}

#endif
