/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/memb.h"

#include <urcu/flavor.h>

#include "section/section.h"
#include "section/watch.h"
#include <rcumap.h>

void rcumap_read_lock_memb(void)
{
	watch_enter(SECTION_FLAVOR_MEMB);
	section_lock_memb();
}

void rcumap_read_unlock_memb(void)
{
	section_unlock_memb();
	watch_leave(SECTION_FLAVOR_MEMB);
}

static void thread_register(void)
{
	urcu_memb_register_thread();
}

static void thread_unregister(void)
{
	urcu_memb_unregister_thread();
}

static void leave(void)
{
	section_unlock_memb();
}

static void enter(void)
{
	section_lock_memb();
}

static bool is_quick(void)
{
#if RCUMAP_LGPL_INLINE
	/* Else sections need fences. liburcu has asked the kernel when it was loaded. */
	return urcu_memb_has_sys_membarrier;
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
	return urcu_memb_read_ongoing();
}

static void synchronize(void)
{
	uint64_t number = section_tsan_grace_begin(SECTION_FLAVOR_MEMB);

	urcu_memb_synchronize_rcu();
	section_tsan_grace_end(SECTION_FLAVOR_MEMB, number);
}

const struct section_ops section_memb = {
	.name = "memb",
	.flavor = SECTION_FLAVOR_MEMB,
	.rcu = &urcu_memb_flavor,
	.lock = rcumap_read_lock_memb,
	.unlock = rcumap_read_unlock_memb,
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
