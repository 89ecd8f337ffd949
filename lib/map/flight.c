/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/flight.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "layout/hash.h"

#define CHAINS 64u

struct flight_waiter {
	struct flight *innermost; /* of its thread's; NULL: it has none */
	struct flight_waiter *next, **link;
	pthread_cond_t done_changed;
	bool done;
	int result;
	const struct rcumap_entry *entry;
};

/* All under `lock`, but what a thread's own flights say of their keys and order, which it may read without. */
static struct {
	pthread_mutex_t lock;
	struct flight *chain[CHAINS];
} flights = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Of the calling thread's. */
static _Thread_local struct flight *innermost;

static struct flight **chain_of(uint64_t version)
{
	return &flights.chain[hash_mix(version) % CHAINS];
}

static void link_flight(struct flight *flight)
{
	struct flight **chain = chain_of(flight->version);

	flight->next = *chain;
	if (flight->next)
		flight->next->link = &flight->next;
	flight->link = chain;
	*chain = flight;
}

static void unlink_flight(struct flight *flight)
{
	*flight->link = flight->next;
	if (flight->next)
		flight->next->link = flight->link;
}

static struct flight *find(const struct rcumap *map, uint64_t version)
{
	struct flight *flight = *chain_of(version);

	while (flight && (flight->map != map || flight->version != version))
		flight = flight->next;
	return flight;
}

bool flight_is_own(const struct rcumap *map, const void *key, size_t key_size)
{
	for (const struct flight *flight = innermost; flight; flight = flight->outer)
		if (flight->map == map && flight->key_size == key_size && memcmp(flight->key, key, key_size) == 0)
			return true;
	return false;
}

void flight_enlist(struct flight *flight, struct rcumap *map, uint64_t version, const void *key, size_t key_size)
{
	*flight = (struct flight){
		.map = map, .version = version, .key = key, .key_size = key_size, .outer = innermost
	};
	pthread_mutex_lock(&flights.lock);
	link_flight(flight);
	if (innermost)
		innermost->inner = flight;
	innermost = flight;
	pthread_mutex_unlock(&flights.lock);
}

/* The waiter may be gone as soon as the lock is. */
static void deliver(struct flight *flight, struct flight_waiter *waiter, const struct rcumap_entry *entry, int result)
{
	waiter->result = entry ? rcumap_hold(flight->map, entry) : result;
	if (!waiter->result)
		waiter->entry = entry;
	if (waiter->innermost)
		waiter->innermost->waits_for = NULL;
	waiter->done = true;
	pthread_cond_signal(&waiter->done_changed);
}

void flight_delist(struct flight *flight, const struct rcumap_entry *entry, int result)
{
	assert(innermost == flight && "a load has ended before one that it began");
	pthread_mutex_lock(&flights.lock);
	unlink_flight(flight);
	innermost = flight->outer;
	if (innermost)
		innermost->inner = NULL;
	for (struct flight_waiter *waiter = flight->waiters, *next; waiter; waiter = next) {
		next = waiter->next;
		deliver(flight, waiter, entry, result);
	}
	pthread_mutex_unlock(&flights.lock);
}

/* ------------------------------------------------------------------ waiting */

/* Would the flight end only after one of the calling thread's own? F4. */
static bool waits_for_self(const struct flight *flight)
{
	while (flight && flight != innermost)
		flight = flight->inner ? flight->inner : flight->waits_for;
	return flight != NULL;
}

static void init_waiter(struct flight_waiter *waiter, struct flight *flight)
{
	pthread_condattr_t attributes;

	*waiter = (struct flight_waiter){ .innermost = innermost, .next = flight->waiters, .link = &flight->waiters };
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&waiter->done_changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void enlist_waiter(struct flight_waiter *waiter, struct flight *flight)
{
	init_waiter(waiter, flight);
	if (waiter->next)
		waiter->next->link = &waiter->next;
	flight->waiters = waiter;
	if (innermost)
		innermost->waits_for = flight;
}

static void delist_waiter(struct flight_waiter *waiter)
{
	*waiter->link = waiter->next;
	if (waiter->next)
		waiter->next->link = waiter->link;
	if (innermost)
		innermost->waits_for = NULL;
}

/* Under the lock. */
static int sleep_until_done(struct flight_waiter *waiter, uint64_t deadline_ns)
{
	const struct timespec deadline = { (time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000) };
	int error = 0;

	while (!waiter->done && !error)
		error = deadline_ns == UINT64_MAX ?
				pthread_cond_wait(&waiter->done_changed, &flights.lock) :
				pthread_cond_timedwait(&waiter->done_changed, &flights.lock, &deadline);
	if (waiter->done)
		return waiter->result;
	delist_waiter(waiter);
	return -ETIMEDOUT;
}

int flight_wait(const struct rcumap *map, uint64_t version, uint64_t deadline_ns, const struct rcumap_entry **entry)
{
	struct flight_waiter waiter;
	int result = 0;

	pthread_mutex_lock(&flights.lock);

	struct flight *flight = find(map, version);

	if (!flight)
		result = FLIGHT_NONE;
	else if (waits_for_self(flight))
		result = -EDEADLK;
	else if (deadline_ns == 0)
		result = -EAGAIN;
	if (result) {
		pthread_mutex_unlock(&flights.lock);
		return result;
	}
	enlist_waiter(&waiter, flight);
	result = sleep_until_done(&waiter, deadline_ns);
	pthread_mutex_unlock(&flights.lock);
	pthread_cond_destroy(&waiter.done_changed);
	if (!result)
		*entry = waiter.entry;
	return result;
}

unsigned flight_waiters(const struct rcumap *map)
{
	unsigned waiters = 0;

	pthread_mutex_lock(&flights.lock);
	for (unsigned i = 0; i < CHAINS; i++)
		for (const struct flight *flight = flights.chain[i]; flight; flight = flight->next)
			for (const struct flight_waiter *w = flight->waiters; w && flight->map == map; w = w->next)
				waiters++;
	pthread_mutex_unlock(&flights.lock);
	return waiters;
}

/* ------------------------------------------------------------------ fork() */

void flight_before_fork(void)
{
	pthread_mutex_lock(&flights.lock);
}

void flight_after_fork_parent(void)
{
	pthread_mutex_unlock(&flights.lock);
}

void flight_after_fork_child(void)
{
	/* What others had on their stacks is not looked at any more. */
	memset(flights.chain, 0, sizeof flights.chain);
	for (struct flight *flight = innermost; flight; flight = flight->outer) {
		flight->waiters = NULL;
		link_flight(flight);
	}
	pthread_mutex_unlock(&flights.lock);
}
