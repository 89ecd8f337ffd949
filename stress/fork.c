/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process forks while its threads read and write; flavor bp alone, for the others promise nothing. The child is what the
 * forking thread sees, at some moment: each key of the ledger has a number that its writer had begun to store, and none below
 * one that he had ended with. It reads them, stores, deletes, lets its reclaimer work, and exits, while the parent goes on.
 */
#include "counting.h"
#include "ledger.h"
#include "scenarios.h"

#include "harness/sanitizer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 512u
/* The child's own, which the parent never stores. */
#define CHILD_KEYS 512u
/* A child that lives longer hangs; a sanitizer on a busy machine takes seconds. */
#define CHILD_SECONDS_MAX 60u

struct forked {
	struct ledger ledger;
};

static void read_keys(struct actor *me)
{
	struct forked *forked = me->run->ctx;

	ledger_read_on(&forked->ledger, me);
}

static void write_keys(struct actor *me)
{
	struct forked *forked = me->run->ctx;

	while (!actor_stopping(me)) {
		ledger_write(&forked->ledger, me, rng_below(&me->rng, KEYS));
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ in the child */

static void read_all(const struct forked *forked, struct actor *me)
{
	static uint64_t last[KEYS];

	for (uint64_t key = 0; key < KEYS;) {
		section_open(me, me->run->map);
		for (unsigned i = 0; i < ACTOR_SIGHTS && key < KEYS; i++)
			ledger_read(&forked->ledger, me, key++, last);
		section_close(me);
	}
}

/* Odd keys of the ledger are for all, even if a writer was at work on one of them. */
static _Noreturn void be_a_child(struct forked *forked, struct actor *me)
{
	struct rcumap *map = me->run->map;

	alarm(CHILD_SECONDS_MAX);
	read_all(forked, me);
	for (uint64_t key = 1; key < KEYS; key += 2)
		ledger_write(&forked->ledger, me, key);
	for (uint64_t key = KEYS; key < KEYS + CHILD_KEYS; key++)
		actor_demand(me, "add in a child", key, actor_store(me, map, VERB_ADD, key, 1, 0, NULL), 0);
	actor_demand(me, "barrier in a child", 0, rcumap_barrier(map), 0);
	for (uint64_t key = KEYS; key < KEYS + CHILD_KEYS; key++)
		actor_demand(me, "delete in a child", key, actor_delete(me, map, key), 0);
	actor_demand(me, "barrier in a child", 0, rcumap_barrier(map), 0);
	read_all(forked, me);
	_exit(0);
}

/* ------------------------------------------------------------------ in the parent */

static void fork_once(struct forked *forked, struct actor *me)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		violation(me->run, "fork: errno %d", errno);
	if (pid == 0)
		be_a_child(forked, me);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			violation(me->run, "waitpid: errno %d", errno);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		violation(me->run, "a child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void fork_children(struct actor *me)
{
	struct forked *forked = me->run->ctx;

	do {
		fork_once(forked, me);
		actor_turn(me);
	} while (!actor_stopping(me));
}

/* With ThreadSanitizer threads of maps that are long there allocate in the allocator of the run alone, which is guarded; with
 * AddressSanitizer that does not help. */
static bool can_fork(void)
{
#if defined(TEST_ASAN)
	return false;
#else
	return true;
#endif
}

/* No map exists now: those of earlier scenarios are destroyed. The map's own handlers allocate outside of the other's. */
static void prepare(const struct run *run)
{
	if (pthread_atfork(counting_before_fork, counting_after_fork, counting_after_fork) != 0 ||
	    pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child) != 0)
		violation(run, "pthread_atfork failed");
}

void fork_play(struct run *run)
{
	static bool prepared;
	static struct counting instead;
	struct forked forked;
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys },
					{ "forker", 1, fork_children } },
			     .universe = KEYS };
	struct actor outer;

	if (!can_fork() || run->flavor != FLAVOR_BP)
		return;
	if (!prepared)
		prepare(run);
	prepared = true;
	/* The library's own calls of malloc are few, but not guarded: a child has hung. */
	if (!run->counting && !CHILD_OF_BUSY_THREADS)
		run->counting = &instead;
	if (run->counting)
		run->counting->guarded = !CHILD_OF_BUSY_THREADS;
	run->ctx = &forked;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	actor_init(&outer, run, 0);
	ledger_init(&forked.ledger, &outer, run->map, KEYS);
	run_rounds(run, &plan);
	ledger_fini(&forked.ledger);
	run_destroy(run, run->map);
}
