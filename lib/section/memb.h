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

#include <stddef.h>

#include "section/tsan.h"

#define SECTION_FLAVOR_MEMB 1u

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

/* As section_enter_bp(). */
static inline void *section_enter_memb(void)
{
#if RCUMAP_LGPL_INLINE
	struct urcu_reader *const reader = &URCU_TLS(urcu_memb_reader);

	cmm_barrier();

	const unsigned long ctr = reader->ctr;

	_CMM_STORE_SHARED(reader->ctr, __builtin_expect(ctr & URCU_GP_CTR_NEST_MASK, 0) ? ctr + URCU_GP_COUNT :
										      _CMM_LOAD_SHARED(urcu_memb_gp.ctr));
	cmm_barrier();
	section_tsan_enter(SECTION_FLAVOR_MEMB);
	return reader;
#else
	static char token;

	section_lock_memb();
	return &token;
#endif
}

static inline void section_leave_memb(void *entered)
{
#if RCUMAP_LGPL_INLINE
	struct urcu_reader *const reader = entered;

	section_tsan_leave(SECTION_FLAVOR_MEMB);
	cmm_barrier();

	const unsigned long ctr = reader->ctr;

	_CMM_STORE_SHARED(reader->ctr, ctr - URCU_GP_COUNT);
	cmm_barrier();
	/* The outermost section wakes who waits for it: after the store, which membarrier() orders. */
	if (__builtin_expect((ctr & URCU_GP_CTR_NEST_MASK) == URCU_GP_COUNT, 1))
		urcu_common_wake_up_gp(&urcu_memb_gp);
#else
	(void)entered;
	section_unlock_memb();
#endif
}

#endif
