/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/qsbr.h"

#include <urcu/flavor.h>

#include "section/section.h"
#include "section/watch.h"
#include <rcumap.h>

void rcumap_read_lock_qsbr(void)
{
	watch_enter(SECTION_FLAVOR_QSBR);
	section_lock_qsbr();
}

void rcumap_read_unlock_qsbr(void)
{
	section_unlock_qsbr();
	watch_leave(SECTION_FLAVOR_QSBR);
}

static void thread_register(void)
{
	urcu_qsbr_register_thread();
}

static void thread_unregister(void)
{
	urcu_qsbr_unregister_thread();
}

static void leave(void)
{
	section_unlock_qsbr();
}

static void enter(void)
{
	section_lock_qsbr();
}

static bool is_quick(void)
{
	return true;
}

/* An online thread is in a section by definition: it goes offline to sleep. One that is offline, or not registered,
 * stays so. */
static bool pause_section(void)
{
	bool online = urcu_qsbr_read_ongoing();

	if (online) {
		section_tsan_pause(SECTION_FLAVOR_QSBR);
		urcu_qsbr_thread_offline();
	}
	return online;
}

static void resume_section(bool paused)
{
	if (!paused)
		return;
	urcu_qsbr_thread_online();
	section_tsan_resume(SECTION_FLAVOR_QSBR);
}

static bool inside(void)
{
	return false;
}

static void synchronize(void)
{
	uint64_t number = section_tsan_grace_begin(SECTION_FLAVOR_QSBR);

	urcu_qsbr_synchronize_rcu();
	section_tsan_grace_end(SECTION_FLAVOR_QSBR, number);
}

const struct section_ops section_qsbr = {
	.name = "qsbr",
	.flavor = SECTION_FLAVOR_QSBR,
	.rcu = &urcu_qsbr_flavor,
	.lock = rcumap_read_lock_qsbr,
	.unlock = rcumap_read_unlock_qsbr,
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
