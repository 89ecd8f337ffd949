/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/tsan.h"

#ifdef RCUMAP_TSAN

#include <stdatomic.h>

#include "section/section.h"

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define TOKENS 16u

static _Atomic uint64_t grace_number[SECTION_FLAVORS];
static char token[SECTION_FLAVORS][TOKENS];

static _Thread_local struct {
	unsigned depth;
	uint64_t label;
} section[SECTION_FLAVORS];

void section_tsan_enter(unsigned flavor)
{
	/* relaxed: an older number only makes the section look as if it had begun earlier, which forbids less, never
	 * more; an order here would hide races of the library's own. */
	if (section[flavor].depth++ == 0)
		section[flavor].label = atomic_load_explicit(&grace_number[flavor], memory_order_relaxed);
}

void section_tsan_leave(unsigned flavor)
{
	if (--section[flavor].depth == 0)
		__tsan_release(&token[flavor][section[flavor].label % TOKENS]);
}

void section_tsan_pause(unsigned flavor)
{
	if (section[flavor].depth)
		__tsan_release(&token[flavor][section[flavor].label % TOKENS]);
}

void section_tsan_resume(unsigned flavor)
{
	if (section[flavor].depth)
		/* relaxed: as in section_tsan_enter(). */
		section[flavor].label = atomic_load_explicit(&grace_number[flavor], memory_order_relaxed);
}

uint64_t section_tsan_grace_begin(unsigned flavor)
{
	/* relaxed: as in section_tsan_enter(). */
	return atomic_fetch_add_explicit(&grace_number[flavor], 1, memory_order_relaxed) + 1;
}

void section_tsan_grace_end(unsigned flavor, uint64_t number)
{
	/* One thread per flavor waits for grace periods: what fell out of the ring it acquired in earlier ones. */
	for (unsigned i = 0; i < TOKENS; i++)
		if (i != number % TOKENS)
			__tsan_acquire(&token[flavor][i]);
}

#else

typedef int section_tsan_is_empty;

#endif
