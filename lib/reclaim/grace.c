/* SPDX-License-Identifier: BSD-2-Clause */
#include "reclaim/grace.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "ground/thread.h"

/* The registry. `lock` guards all fields of its flavor, and the tickets of its clients. */
static struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct grace_client *clients;
	bool stop;
	uint64_t begun, ended, requested; /* numbers of grace periods; ended <= begun */
	pthread_t thread;
} waiters[SECTION_FLAVORS] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER },
};

/* Held while a waiter's thread is started or joined, so that the two never overlap. Taken before a waiter's lock. */
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;

/* Until a full interval has passed since the last beginning. */
static void sleep_out_interval(struct timespec *begun)
{
	begun->tv_nsec += (long)GRACE_INTERVAL_NS;
	if (begun->tv_nsec >= 1000000000) {
		begun->tv_nsec -= 1000000000;
		begun->tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, begun, NULL) == EINTR);
}

/* Those who asked for a grace period that has ended (G2). */
static void wake_clients(struct waiter *waiter)
{
	for (struct grace_client *client = waiter->clients; client; client = client->next)
		if (client->ticket && client->ticket <= waiter->ended) {
			client->ticket = 0;
			wake_signal(client->wake);
		}
}

static void *wait_for_grace_periods(void *arg)
{
	const struct section_ops *section = arg;
	struct waiter *waiter = &waiters[section->flavor];

	pthread_mutex_lock(&waiter->lock);
	while (!waiter->stop) {
		if (waiter->requested <= waiter->ended) {
			pthread_cond_wait(&waiter->changed, &waiter->lock);
			continue;
		}

		struct timespec begun;

		waiter->begun++;
		pthread_mutex_unlock(&waiter->lock);
		clock_gettime(CLOCK_MONOTONIC, &begun);
		section->synchronize();
		pthread_mutex_lock(&waiter->lock);
		waiter->ended = waiter->begun;
		wake_clients(waiter);
		if (waiter->stop)
			break;
		pthread_mutex_unlock(&waiter->lock);
		sleep_out_interval(&begun);
		pthread_mutex_lock(&waiter->lock);
	}
	pthread_mutex_unlock(&waiter->lock);
	return NULL;
}

static int start(struct waiter *waiter, const struct section_ops *section)
{
	char name[THREAD_NAME_SIZE];

	waiter->stop = false;
	thread_name(name, "rcumap-gp", section->name);
	return thread_start(&waiter->thread, name, wait_for_grace_periods, (void *)section);
}

int grace_attach(struct grace_client *client, const struct section_ops *section, struct wake *wake)
{
	struct waiter *waiter = &waiters[section->flavor];
	int error = 0;

	client->section = section;
	client->wake = wake;
	client->ticket = 0;
	pthread_mutex_lock(&threads_lock);
	pthread_mutex_lock(&waiter->lock);
	if (!waiter->clients)
		error = start(waiter, section);
	if (!error) {
		client->next = waiter->clients;
		waiter->clients = client;
	}
	pthread_mutex_unlock(&waiter->lock);
	pthread_mutex_unlock(&threads_lock);
	return error;
}

void grace_detach(struct grace_client *client)
{
	struct waiter *waiter = &waiters[client->section->flavor];
	bool last;

	pthread_mutex_lock(&threads_lock);
	pthread_mutex_lock(&waiter->lock);
	for (struct grace_client **link = &waiter->clients; *link; link = &(*link)->next)
		if (*link == client) {
			*link = client->next;
			break;
		}
	last = !waiter->clients;
	if (last) {
		waiter->stop = true;
		pthread_cond_signal(&waiter->changed);
	}
	pthread_mutex_unlock(&waiter->lock);
	if (last)
		pthread_join(waiter->thread, NULL);
	pthread_mutex_unlock(&threads_lock);
}

uint64_t grace_request(struct grace_client *client)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);

	/* The one that is under way may have begun too early (G1). */
	uint64_t ticket = client->ticket = waiter->begun + 1;

	if (waiter->requested < ticket) {
		waiter->requested = ticket;
		pthread_cond_signal(&waiter->changed);
	}
	pthread_mutex_unlock(&waiter->lock);
	return ticket;
}

bool grace_passed(const struct grace_client *client, uint64_t ticket)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);

	bool passed = waiter->ended >= ticket;

	pthread_mutex_unlock(&waiter->lock);
	return passed;
}
