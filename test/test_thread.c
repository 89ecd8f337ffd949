/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/thread: background threads have a name and take no signals. */
#include "ground/thread.h"

#include "fault/default_allocator.h"
#include "fixture.h"

#include <signal.h>

static void names_are_cut_to_what_fits(void)
{
	char name[THREAD_NAME_SIZE + 1];

	memset(name, 'x', sizeof name);
	thread_name(name, "rcumap", "bp");
	is_str(name, "rcumap-bp", "prefix and suffix");
	thread_name(name, "rcumap-gp", "qsbr");
	is_str(name, "rcumap-gp-qsbr", "the longest that the library uses");
	thread_name(name, "0123456789", "abcd");
	is_str(name, "0123456789-abcd", "15 characters fit");
	thread_name(name, "0123456789", "abcde");
	is_str(name, "0123456789-abcd", "16 are cut");
	thread_name(name, "a-very-long-prefix-indeed", "and a suffix");
	is_str(name, "a-very-long-pre", "a long prefix leaves nothing of the suffix");
	is_int(name[THREAD_NAME_SIZE], 'x', "nothing is written beyond the end");
}

struct seen {
	void *arg;
	sigset_t mask;
	sem_t started, leave;
};

static void *look(void *arg)
{
	struct seen *seen = arg;

	seen->arg = arg;
	pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
	sem_post(&seen->started);
	while (sem_wait(&seen->leave) != 0)
		;
	return &seen->leave;
}

/* Signals of `mask` that differ from `want`; -1 for all: those that a process may block. */
static unsigned differing(const sigset_t *mask, const sigset_t *want)
{
	unsigned n = 0;

	for (int s = 1; s <= SIGRTMAX; s++) {
		/* The C library keeps those between for itself. */
		if (s == SIGKILL || s == SIGSTOP || (s > SIGSYS && s < SIGRTMIN))
			continue;
		n += sigismember(mask, s) != (want ? sigismember(want, s) : 1);
	}
	return n;
}

static void starts_named_and_deaf(void)
{
	struct seen seen;
	sigset_t mine, after;
	char name[THREAD_NAME_SIZE] = "";
	void *result = NULL;
	pthread_t thread;

	memset(&seen, 0, sizeof seen);
	sem_init(&seen.started, 0, 0);
	sem_init(&seen.leave, 0, 0);
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &mine, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);

	is_int(thread_start(&thread, "a-name", look, &seen), 0, "a thread starts");
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	is_int(differing(&after, &mine), 0, "its starter blocks the same signals as before");
	while (sem_wait(&seen.started) != 0)
		;
	is_int(differing(&seen.mask, NULL), 0, "the thread blocks all");
	ok(seen.arg == &seen, "it gets its argument");
	pthread_getname_np(thread, name, sizeof name);
	is_str(name, "a-name", "and its name");
	sem_post(&seen.leave);
	pthread_join(thread, &result);
	ok(result == &seen.leave, "it can be joined, with its result");
}

static void says_when_there_is_none(void)
{
	sigset_t before, after;
	pthread_t thread;
	int error;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	default_allocator_arm_threads(1);
	error = thread_start(&thread, "none", look, NULL);
	ok(default_allocator_disarm(), "the system has no thread");
	is_int(error, -EAGAIN, "which is said");
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	is_int(differing(&after, &before), 0, "the caller blocks the same signals as before");
}

int main(void)
{
	names_are_cut_to_what_fits();
	starts_named_and_deaf();
	says_when_there_is_none();
	return tap_done();
}
