/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read sections of the qsbr flavor, with liburcu's code inlined where the build allows (doc/licences.md).
 * For .c files that serve this flavor alone.
 */
#ifndef RCUMAP_SECTION_QSBR_H
#define RCUMAP_SECTION_QSBR_H

#if RCUMAP_LGPL_INLINE && !defined(_LGPL_SOURCE)
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-qsbr.h>

#include <stddef.h>

#include "section/tsan.h"

#define SECTION_FLAVOR_QSBR 2u

static inline void section_lock_qsbr(void)
{
	urcu_qsbr_read_lock();
	section_tsan_enter(SECTION_FLAVOR_QSBR);
}

static inline void section_unlock_qsbr(void)
{
	section_tsan_leave(SECTION_FLAVOR_QSBR);
	urcu_qsbr_read_unlock();
}

/* As the other flavors': there is nothing to be done. */
static inline void *section_enter_qsbr(void)
{
	static char token;

	section_lock_qsbr();
	return &token;
}

static inline void section_leave_qsbr(void *entered)
{
	(void)entered;
	section_unlock_qsbr();
}

#endif
