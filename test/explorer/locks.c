/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks and condition variables of the code under test, for logical threads: to take a lock is a point, and who has to
 * wait lets others go on. In the place of the system's, for the whole program. Of their memory the first int of
 * a lock says whether it is taken; the first two of a condition variable, how often it was signalled and waited for.
 *
 * Time does not pass: who waits gives up when the others have had so many turns. So he does, some day, if the one whom he
 * waits for is parked. And he may wake for no reason.
 */
#include "schedule.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define TURNS 60

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int *taken = (int *)mutex;

	schedule_point();
	while (*taken)
		schedule_lock_wait(taken);
	*taken = 1;
	schedule_lock_taken();
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	*(int *)mutex = 0;
	schedule_lock_given_back();
	return 0;
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
	(void)attributes;
	memset(cond, 0, sizeof *cond);
	return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
	(void)cond;
	return 0;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	++*(int *)cond;
	return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	return pthread_cond_signal(cond);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *deadline)
{
	int *signals = (int *)cond, *turns = signals + 1;
	const int before = *signals;

	(void)deadline;
	pthread_mutex_unlock(mutex);
	while (*signals == before && *turns < TURNS && !schedule_spurious()) {
		schedule_yield();
		++*turns;
	}
	pthread_mutex_lock(mutex);
	return *turns == TURNS ? ETIMEDOUT : 0;
}
