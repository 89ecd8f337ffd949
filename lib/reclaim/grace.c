/* SPDX-License-Identifier: BSD-2-Clause */
#include "reclaim/grace.h"

#include <pthread.h>
#include <time.h>

#include "ground/clock.h"
#include "ground/thread.h"

/* The registry. `lock` guards all fields of its flavor, and the tickets of its clients. It is held for some instructions,
 * or while the thread is started or ends; never while anybody waits for a reader. */
static struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed, hastened;
	struct grace_client *clients;
	bool stop;
	bool running; /* the thread has not decided to end */
	bool joinable;
	bool haste; /* the next one shall not wait for a full interval */
	uint64_t begun, ended, requested; /* numbers of grace periods; ended <= begun */
	_Atomic uint64_t since_ns;	  /* when the one that is under way began; 0: none is */
	pthread_t thread;
} waiters[SECTION_FLAVORS] = {
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .hastened = PTHREAD_COND_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .hastened = PTHREAD_COND_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .hastened = PTHREAD_COND_INITIALIZER },
};

static void set_since(struct waiter *waiter, uint64_t ns)
{
	/* relaxed: a report and a statistic; changed under the lock, so exact for who has just held it */
	atomic_store_explicit(&waiter->since_ns, ns, memory_order_relaxed);
}

/* Until the interval has passed since the last beginning. Under the lock, which it gives up meanwhile. */
static void sleep_out_interval(struct waiter *waiter, uint64_t begun_ns, uint64_t interval_ns)
{
	int error = 0;

	while (!waiter->stop && !error) {
		uint64_t until = begun_ns + (waiter->haste ? GRACE_HASTE_NS : interval_ns);
		struct timespec end = { .tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000) };

		error = pthread_cond_clockwait(&waiter->hastened, &waiter->lock, CLOCK_MONOTONIC, &end);
	}
}

static void set_ticket(struct grace_client *client, uint64_t ticket)
{
	/* relaxed: as in set_since() */
	atomic_store_explicit(&client->ticket, ticket, memory_order_relaxed);
}

static uint64_t ticket_of(const struct grace_client *client)
{
	/* relaxed: as in set_since() */
	return atomic_load_explicit(&((struct grace_client *)client)->ticket, memory_order_relaxed);
}

/* Those who asked for a grace period that has ended (G2). */
static void wake_clients(struct waiter *waiter)
{
	for (struct grace_client *client = waiter->clients; client; client = client->next)
		if (ticket_of(client) && ticket_of(client) <= waiter->ended) {
			set_ticket(client, 0);
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

		uint64_t begun_ns = clock_system_ns(CLOCK_MONOTONIC), busy_ns = clock_system_ns(CLOCK_THREAD_CPUTIME_ID);

		waiter->begun++;
		waiter->haste = false;
		set_since(waiter, begun_ns);
		pthread_mutex_unlock(&waiter->lock);
		section->synchronize();
		busy_ns = clock_system_ns(CLOCK_THREAD_CPUTIME_ID) - busy_ns;
		pthread_mutex_lock(&waiter->lock);
		waiter->ended = waiter->begun;
		set_since(waiter, 0);
		wake_clients(waiter);
		sleep_out_interval(waiter, begun_ns, grace_interval_ns(busy_ns));
	}
	waiter->running = false;
	pthread_cond_broadcast(&waiter->changed);
	pthread_mutex_unlock(&waiter->lock);
	return NULL;
}

/* A thread that has decided to end waits for nobody. */
static void join_ended(struct waiter *waiter)
{
	if (!waiter->running && waiter->joinable) {
		pthread_join(waiter->thread, NULL);
		waiter->joinable = false;
	}
}

static int start(struct waiter *waiter, const struct section_ops *section)
{
	char name[THREAD_NAME_SIZE];

	thread_name(name, "rcumap-gp", section->name);

	int error = thread_start(&waiter->thread, name, wait_for_grace_periods, (void *)section);

	waiter->running = waiter->joinable = !error;
	return error;
}

int grace_attach(struct grace_client *client, const struct section_ops *section, struct wake *wake)
{
	struct waiter *waiter = &waiters[section->flavor];
	int error = 0;

	client->section = section;
	client->wake = wake;
	set_ticket(client, 0);
	pthread_mutex_lock(&waiter->lock);
	/* One that was told to stop, and has not seen it, goes on. It may be waiting for a reader: the caller. */
	waiter->stop = false;
	join_ended(waiter);
	if (!waiter->running)
		error = start(waiter, section);
	if (!error) {
		client->next = waiter->clients;
		waiter->clients = client;
		pthread_cond_broadcast(&waiter->changed); /* to who waits in grace_detach() */
	}
	pthread_mutex_unlock(&waiter->lock);
	return error;
}

void grace_detach(struct grace_client *client)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);
	for (struct grace_client **link = &waiter->clients; *link; link = &(*link)->next)
		if (*link == client) {
			*link = client->next;
			break;
		}
	if (!waiter->clients) {
		waiter->stop = true;
		pthread_cond_broadcast(&waiter->changed);
		pthread_cond_signal(&waiter->hastened);
	}
	/* With the next client, who may come meanwhile, the thread stays. */
	while (!waiter->clients && waiter->running)
		pthread_cond_wait(&waiter->changed, &waiter->lock);
	join_ended(waiter);
	pthread_mutex_unlock(&waiter->lock);
}

uint64_t grace_request(struct grace_client *client)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);

	/* The one that is under way may have begun too early (G1). */
	uint64_t ticket = waiter->begun + 1;

	set_ticket(client, ticket);
	if (waiter->requested < ticket) {
		waiter->requested = ticket;
		pthread_cond_broadcast(&waiter->changed);
	}
	pthread_mutex_unlock(&waiter->lock);
	return ticket;
}

void grace_hasten(struct grace_client *client)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);
	if (ticket_of(client) > waiter->begun && !waiter->haste) {
		waiter->haste = true;
		pthread_cond_signal(&waiter->hastened);
	}
	pthread_mutex_unlock(&waiter->lock);
}

bool grace_passed(const struct grace_client *client, uint64_t ticket)
{
	struct waiter *waiter = &waiters[client->section->flavor];

	pthread_mutex_lock(&waiter->lock);

	bool passed = waiter->ended >= ticket;

	pthread_mutex_unlock(&waiter->lock);
	return passed;
}

uint64_t grace_since_ns(const struct grace_client *client)
{
	if (!ticket_of(client))
		return 0;
	/* relaxed: as in set_since() */
	return atomic_load_explicit(&waiters[client->section->flavor].since_ns, memory_order_relaxed);
}

/* ------------------------------------------------------------------ around fork() */

void grace_before_fork(const struct section_ops *section)
{
	pthread_mutex_lock(&waiters[section->flavor].lock);
}

void grace_after_fork_parent(const struct section_ops *section)
{
	pthread_mutex_unlock(&waiters[section->flavor].lock);
}

void grace_after_fork_child(const struct section_ops *section)
{
	struct waiter *waiter = &waiters[section->flavor];

	waiter->clients = NULL;
	waiter->stop = waiter->running = waiter->joinable = waiter->haste = false;
	waiter->ended = waiter->requested = waiter->begun;
	set_since(waiter, 0);
	pthread_cond_init(&waiter->changed, NULL); /* those who waited are gone */
	pthread_cond_init(&waiter->hastened, NULL);
	pthread_mutex_unlock(&waiter->lock);
}
