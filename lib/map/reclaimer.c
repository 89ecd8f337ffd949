/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/reclaimer.h"

#include <errno.h>

#include "ground/thread.h"
#include "map/evict.h"
#include "map/expiry.h"
#include "map/fork.h"
#include "map/reclaim.h"
#include "map/removed.h"
#include "map/resize.h"
#include "map/spare.h"
#include "map/stall.h"

/* After want of memory: when to try again. */
#define RETRY_NS UINT64_C(100000000)
/* After want of room within the limit on bytes, which garbage may have taken: then twice as long each time. */
#define RETRY_SOON_NS UINT64_C(2000000)

static void init_changed(struct reclaimer *reclaimer)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&reclaimer->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void reclaimer_init(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	wake_init(&reclaimer->wake);
	slab_attend(&map->memory.slab, &reclaimer->wake);
	pthread_mutex_init(&reclaimer->lock, NULL);
	init_changed(reclaimer);
}

void reclaimer_fini(struct rcumap *map)
{
	pthread_mutex_destroy(&map->reclaimer.lock);
	pthread_cond_destroy(&map->reclaimer.changed);
}

static bool must_stop(const struct rcumap *map)
{
	/* [STOP acquire] pairs with [STOP release] in reclaimer_stop(). */
	return atomic_load_explicit(&((struct rcumap *)map)->reclaimer.stop, memory_order_acquire);
}

static bool expire(struct rcumap *map, uint64_t *idle_ns)
{
	map->section->lock();

	bool more = expiry_turn(map, idle_ns);

	map->section->unlock();
	return more;
}

static void decide_close(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	map->closing = !map_holds(map);
	reclaimer->close = map->closing ? CLOSE_GRANTED : CLOSE_REFUSED;
	pthread_cond_broadcast(&reclaimer->changed);
}

/* In answer to reclaimer_close(). Between two callbacks: none holds or stores anything meanwhile. */
static void answer_close(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	pthread_mutex_lock(&reclaimer->lock);
	if (reclaimer->close == CLOSE_ASKED)
		decide_close(map);
	pthread_mutex_unlock(&reclaimer->lock);
}

/* A table could not be had: when to try again. */
static void retry_resize(const struct reclaimer *reclaimer, uint64_t *sleep_ns)
{
	const unsigned vain = reclaimer->resizes_in_vain;
	const uint64_t retry_ns = vain && vain <= 6 ? RETRY_SOON_NS << (vain - 1) : RETRY_NS;

	if (reclaimer->resize_error && *sleep_ns > retry_ns)
		*sleep_ns = retry_ns;
}

/* The map whose reclaimer the calling thread is. */
static _Thread_local const struct rcumap *served;

static void *run(void *arg)
{
	struct rcumap *map = arg;
	struct reclaimer *reclaimer = &map->reclaimer;
	const struct section_ops *section = map->section;

	served = map;
	section->thread_register();
	/* The first section registers a bp thread with liburcu: not in a turn (map/fork.h). */
	section->lock();
	section->unlock();
	for (;;) {
		uint32_t value = wake_value(&reclaimer->wake);

		fork_turn_begin(map);

		uint64_t idle_ns = WAKE_FOREVER;
		bool stop = must_stop(map), more = !stop && reclaimer_resize(map);

		more |= !stop && expire(map, &idle_ns);
		answer_close(map);
		/* What follows needs no section: a qsbr thread holds up nobody meanwhile. */
		reclaimer->paused = section->pause();

		uint64_t sleep_ns = reclaimer_reclaim(map);

		if (!stop)
			slab_prepare(&map->memory.slab);

		bool done = stop && !reclaimer->batch_waits && !reclaimer_has_work(map);

		fork_turn_end(map);
		if (done)
			break;
		retry_resize(reclaimer, &sleep_ns);
		if (sleep_ns > idle_ns)
			sleep_ns = idle_ns;
		stall_turn(map, &sleep_ns);
		if (!more && sleep_ns)
			wake_wait(&reclaimer->wake, value, sleep_ns);
		section->resume(reclaimer->paused);
	}
	if (map->closing)
		removed_tell_remaining(map);
	section->resume(reclaimer->paused);
	section->thread_unregister();
	return NULL;
}

int reclaimer_start(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	int error = grace_attach(&reclaimer->grace, map->section, &reclaimer->wake);

	if (error)
		return error;
	if (reclaimer->batch_waits) /* it was adopted */
		reclaimer->batch_ticket = grace_request(&reclaimer->grace);

	char name[THREAD_NAME_SIZE];

	thread_name(name, "rcumap", map->section->name);
	error = thread_start(&reclaimer->thread, name, run, map);
	if (error) {
		grace_detach(&reclaimer->grace);
		return error;
	}
	reclaimer->running = true;
	reclaimer->orphaned = false;
	return 0;
}

int reclaimer_close(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	pthread_mutex_lock(&reclaimer->lock);
	reclaimer->close = CLOSE_ASKED;
	if (!reclaimer->running)
		decide_close(map);
	wake_signal(&reclaimer->wake);
	while (reclaimer->close == CLOSE_ASKED)
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);

	int result = reclaimer->close == CLOSE_GRANTED ? 0 : -EBUSY;

	pthread_mutex_unlock(&reclaimer->lock);
	return result;
}

/* Without a thread, alone with the map: nobody is in a section, so that what is taken may be given back. */
static void drain(struct rcumap *map)
{
	const struct rcumap *before = served;

	served = map;
	reclaim_drain(map);
	removed_tell_remaining(map);
	served = before;
}

void reclaimer_adopt(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	init_changed(reclaimer); /* those who waited are gone */
	reclaimer->wishes = NULL;
	reclaimer->close = CLOSE_NONE;
	map->closing = false;
	reclaimer->in_turn = reclaimer->running = false;
	reclaimer->orphaned = true; /* until reclaimer_start() */
	reclaim_adopt(map);
	expiry_adopt(map);
	evict_adopt(map);
	spare_adopt(map);
}

void reclaimer_stop(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (!reclaimer->running) {
		drain(map);
		return;
	}
	/* [STOP release] pairs with [STOP acquire] in must_stop(). */
	atomic_store_explicit(&reclaimer->stop, true, memory_order_release);
	wake_signal(&reclaimer->wake);
	pthread_join(reclaimer->thread, NULL);
	grace_detach(&reclaimer->grace);
}

bool reclaimer_caller_may_wait(const struct rcumap *map)
{
	return !map->section->inside() && served != map;
}

int reclaimer_leave_section(const struct rcumap *map, bool *paused)
{
	if (!reclaimer_caller_may_wait(map))
		return -EDEADLK;
	*paused = map->section->pause();
	return 0;
}
