/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/bp.h"

#include <urcu/flavor.h>

#include "section/section.h"
#include "section/watch.h"
#include <rcumap.h>

void rcumap_read_lock_bp(void)
{
	watch_enter(SECTION_FLAVOR_BP);
	section_lock_bp();
}

void rcumap_read_unlock_bp(void)
{
	section_unlock_bp();
	watch_leave(SECTION_FLAVOR_BP);
}

/* bp registers a thread at its first section and forgets it when it exits. */
static void thread_register(void)
{
}

static void thread_unregister(void)
{
}

static void leave(void)
{
	section_unlock_bp();
}

static void enter(void)
{
	section_lock_bp();
}

static bool is_quick(void)
{
#if RCUMAP_LGPL_INLINE
	/* Else sections need fences. liburcu has asked the kernel when it was loaded. */
	return urcu_bp_has_sys_membarrier;
#else
	return true;
#endif
}

static bool pause_section(void)
{
	return false;
}

static void resume_section(bool paused)
{
	(void)paused;
}

static bool inside(void)
{
	return urcu_bp_read_ongoing();
}

static void synchronize(void)
{
	uint64_t number = section_tsan_grace_begin(SECTION_FLAVOR_BP);

	urcu_bp_synchronize_rcu();
	section_tsan_grace_end(SECTION_FLAVOR_BP, number);
}

const struct section_ops section_bp = {
	.name = "bp",
	.flavor = SECTION_FLAVOR_BP,
	.rcu = &urcu_bp_flavor,
	.lock = rcumap_read_lock_bp,
	.unlock = rcumap_read_unlock_bp,
	.leave = leave,
	.enter = enter,
	.is_quick = is_quick,
	.thread_register = thread_register,
	.thread_unregister = thread_unregister,
	.pause = pause_section,
	.resume = resume_section,
	.inside = inside,
	.synchronize = synchronize,
};
