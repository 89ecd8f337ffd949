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

#include <stddef.h>

#include "section/tsan.h"

#define SECTION_FLAVOR_BP 0u

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

/*
 * The same section in fewer instructions, for what is little else, where is_quick() (section/section.h): the thread's word is looked
 * up once, and that membarrier() stands for fences is known. NULL: the thread is not registered; then section_lock_bp() does it. What
 * it returns is for section_leave_bp(), which section_unlock_bp() may stand for. Nests with all others.
 */
static inline void *section_enter_bp(void)
{
#if RCUMAP_LGPL_INLINE
	struct urcu_bp_reader *const reader = URCU_TLS(urcu_bp_reader);

	if (__builtin_expect(!reader, 0))
		return NULL;
	cmm_barrier();

	const unsigned long ctr = reader->ctr;

	/* Before anything is read in the section: grace periods begin with a membarrier(), or see this store. */
	_CMM_STORE_SHARED(reader->ctr, __builtin_expect(ctr & URCU_BP_GP_CTR_NEST_MASK, 0) ? ctr + URCU_BP_GP_COUNT :
											   _CMM_LOAD_SHARED(urcu_bp_gp.ctr));
	cmm_barrier();
	section_tsan_enter(SECTION_FLAVOR_BP);
	return reader;
#else
	static char token;

	section_lock_bp();
	return &token;
#endif
}

static inline void section_leave_bp(void *entered)
{
#if RCUMAP_LGPL_INLINE
	struct urcu_bp_reader *const reader = entered;

	section_tsan_leave(SECTION_FLAVOR_BP);
	cmm_barrier();
	_CMM_STORE_SHARED(reader->ctr, reader->ctr - URCU_BP_GP_COUNT);
	cmm_barrier();
#else
	(void)entered;
	section_unlock_bp();
#endif
}

#endif
