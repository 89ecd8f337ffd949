/* SPDX-License-Identifier: BSD-2-Clause */
/* section: the tables of functions of the three flavors. */
#include "section/section.h"

#include "fixture.h"

#include <rcumap.h>
#include <sched.h>
#include <urcu/flavor.h>

static const struct section_ops *const all[SECTION_FLAVORS] = { &section_bp, &section_memb, &section_qsbr };

/* The operations of fixture_each_flavor()'s turn. */
static const struct section_ops *section;

static void are_found_by_flavor(void)
{
	struct rcu_flavor_struct foreign;

	memset(&foreign, 0, sizeof foreign);
	is_str(section->name, fixture_name(), "%s: its name", fixture_name());
	is_int(section->flavor, fixture_flavor, "%s: its number", fixture_name());
	ok(section->rcu == flavor_rcu(fixture_flavor), "%s: its flavor", fixture_name());
	ok(section_ops_of(section->rcu) == section, "%s: found by the flavor", fixture_name());
	ok(section_ops_of(&foreign) == NULL, "%s: another flavor is not found", fixture_name());
	ok(section_ops_of(NULL) == NULL, "%s: nor is none", fixture_name());
}

static void tell_whether_a_thread_is_inside(void)
{
	bool can_tell = fixture_flavor != FLAVOR_QSBR;

	ok(!section->inside(), "%s: outside at first", fixture_name());
	section->lock();
	is_int(section->inside(), can_tell, "%s: inside, if the flavor can tell", fixture_name());
	section->lock();
	section->unlock();
	is_int(section->inside(), can_tell, "%s: still inside after a nested section", fixture_name());
	section->unlock();
	ok(!section->inside(), "%s: outside at last", fixture_name());
}

static void pause_leaves_the_thread_as_it_was(void)
{
	bool qsbr = fixture_flavor == FLAVOR_QSBR;
	bool paused = section->pause();

	is_int(paused, qsbr, "%s: only an online thread of qsbr has something to pause", fixture_name());
	ok(!qsbr || !section->rcu->read_ongoing(), "%s: it is offline", fixture_name());
	ok(!section->pause(), "%s: who is offline has nothing to pause", fixture_name());
	section->resume(false);
	ok(!qsbr || !section->rcu->read_ongoing(), "%s: and stays offline", fixture_name());
	section->resume(paused);
	is_int(section->rcu->read_ongoing(), qsbr, "%s: who was online is again", fixture_name());
}

static void *pause_unregistered(void *arg)
{
	*(int *)arg = section->pause();
	section->resume(false);
	return NULL;
}

static void pause_serves_unregistered_threads(void)
{
	int paused = -1;
	pthread_t thread;

	pthread_create(&thread, NULL, pause_unregistered, &paused);
	pthread_join(thread, NULL);
	is_int(paused, 0, "%s: a thread that liburcu does not know has nothing to pause", fixture_name());
}

struct grace {
	uint64_t read;	    /* written in a section, without any other order than RCU's */
	uint64_t published; /* what the writer does after the grace period */
	_Atomic bool begun, ended;
};

static void *wait_for_grace(void *arg)
{
	struct grace *grace = arg;

	atomic_store(&grace->begun, true);
	section->synchronize();
	grace->published = grace->read;
	atomic_store(&grace->ended, true);
	return NULL;
}

/* The caller reads; another thread waits for it. */
static void synchronize_waits_for_readers(void)
{
	struct grace grace = { 0 };
	pthread_t thread;

	section->lock();
	pthread_create(&thread, NULL, wait_for_grace, &grace);
	while (!atomic_load(&grace.begun))
		sched_yield();
	/* Time enough for one that does not wait. */
	for (unsigned i = 0; i < 2000 && !atomic_load(&grace.ended); i++)
		sched_yield();
	ok(!atomic_load(&grace.ended), "%s: a grace period does not end while a reader is inside", fixture_name());
	grace.read = 4711;
	section->unlock();
	flavor_offline(fixture_flavor);
	pthread_join(thread, NULL);
	flavor_online(fixture_flavor);
	ok(atomic_load(&grace.ended), "%s: it ends when he has left", fixture_name());
	is_int(grace.published, 4711, "%s: what he did inside happened before", fixture_name());
}

struct context {
	struct {
		_Alignas(64) uint64_t *_Atomic object;
	} slot;
	uint64_t turns;
	_Atomic uint64_t dead; /* objects seen after their end */
};

#define ALIVE UINT64_C(0x616c697665616c69)

/* Readers look at an object that member 0 replaces, and frees after a grace period. */
static void replace_and_read(struct team_member *me)
{
	struct context *c = me->ctx;

	if (me->index > 0) {
		while (!team_stopping(me)) {
			section->lock();
			uint64_t *object = atomic_load_explicit(&c->slot.object, memory_order_acquire);

			if (object[0] != ALIVE || object[7] != ALIVE)
				atomic_fetch_add(&c->dead, 1);
			section->unlock();
			flavor_quiescent(fixture_flavor);
		}
		return;
	}
	for (uint64_t i = 0; i < c->turns; i++) {
		uint64_t *fresh = malloc(8 * sizeof *fresh);

		fresh[0] = fresh[7] = ALIVE;
		uint64_t *old = atomic_exchange_explicit(&c->slot.object, fresh, memory_order_acq_rel);
		bool paused = section->pause();

		section->synchronize();
		section->resume(paused);
		old[0] = old[7] = ~ALIVE;
		free(old);
	}
	team_stop(me->team);
}

static void grace_periods_protect_readers(void)
{
	struct context c = { .turns = fixture_scaled(50, 10) };
	uint64_t *first = malloc(8 * sizeof *first);

	first[0] = first[7] = ALIVE;
	atomic_init(&c.slot.object, first);
	fixture_run(4, replace_and_read, &c);
	is_int(c.dead, 0, "%s: no reader sees an object that was freed after a grace period", fixture_name());
	free(atomic_load(&c.slot.object));
}

static void public_functions_are_the_same(void)
{
	static void (*const lock[FLAVOR_COUNT])(void) = { rcumap_read_lock_bp, rcumap_read_lock_memb,
							  rcumap_read_lock_qsbr };
	static void (*const unlock[FLAVOR_COUNT])(void) = { rcumap_read_unlock_bp, rcumap_read_unlock_memb,
							    rcumap_read_unlock_qsbr };

	lock[fixture_flavor]();
	is_int(section->inside(), fixture_flavor != FLAVOR_QSBR, "%s: the public functions open the same section",
	       fixture_name());
	unlock[fixture_flavor]();
	ok(!section->inside(), "%s: and close it", fixture_name());
}

static void *register_and_read(void *arg)
{
	section->thread_register();
	section->lock();
	*(bool *)arg = section->rcu->read_ongoing();
	section->unlock();
	section->thread_unregister();
	return NULL;
}

static void threads_register_themselves(void)
{
	bool inside = false;
	pthread_t thread;

	pthread_create(&thread, NULL, register_and_read, &inside);
	pthread_join(thread, NULL);
	ok(inside, "%s: a thread that registers can read", fixture_name());
}

static void test(void)
{
	section = all[fixture_flavor];
	are_found_by_flavor();
	tell_whether_a_thread_is_inside();
	pause_leaves_the_thread_as_it_was();
	pause_serves_unregistered_threads();
	public_functions_are_the_same();
	threads_register_themselves();
	synchronize_waits_for_readers();
	grace_periods_protect_readers();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
