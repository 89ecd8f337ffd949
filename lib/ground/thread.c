/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

void thread_name(char name[THREAD_NAME_SIZE], const char *prefix, const char *suffix)
{
	(void)snprintf(name, THREAD_NAME_SIZE, "%s-%s", prefix, suffix);
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	sigset_t all, before;

	/* The mask is inherited: there is no moment at which the new thread could take a signal. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);

	int error = pthread_create(thread, NULL, run, arg);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -EAGAIN;
	(void)pthread_setname_np(*thread, name); /* a name is a convenience */
	return 0;
}
