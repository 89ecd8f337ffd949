/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read sections of the bp flavor, with liburcu's code inlined where the build allows (doc/licences.md).
 * For .c files that serve this flavor alone.
 */
#ifndef RCUMAP_SECTION_BP_H
#define RCUMAP_SECTION_BP_H

#if RCUMAP_LGPL_INLINE && !defined(_LGPL_SOURCE)
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-bp.h>

#include <stdbool.h>

#include "section/tsan.h"

#define SECTION_FLAVOR_BP 0u

/* Does the next section open without a call? A thread's first one registers it. */
static inline bool section_is_quick_bp(void)
{
#if RCUMAP_LGPL_INLINE
	return URCU_TLS(urcu_bp_reader) != NULL;
#else
	return true;
#endif
}

static inline void section_lock_bp(void)
{
	urcu_bp_read_lock();
	section_tsan_enter(SECTION_FLAVOR_BP);
}

static inline void section_unlock_bp(void)
{
	section_tsan_leave(SECTION_FLAVOR_BP);
	urcu_bp_read_unlock();
}

#endif
