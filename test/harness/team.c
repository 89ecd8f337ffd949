/* SPDX-License-Identifier: BSD-2-Clause */
#include "team.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct thread {
	struct team_member member;
	pthread_t id;
	bool finished; /* under team->lock */
};

struct team {
	struct team_options options;
	pthread_mutex_t lock; /* guards `ready`, `go`, `joined` and each thread's `finished` */
	pthread_cond_t changed;
	unsigned ready;
	bool go, joined;
	/* Relaxed: a member that sees it late does one turn more; results travel by pthread_join(). */
	atomic_bool stop;
	pthread_t watchdog;
	struct thread threads[];
};

static void die(const char *what, int error)
{
	fprintf(stderr, "team: %s: %s\n", what, strerror(error));
	exit(2);
}

/* Members register before the start, so that the start is tight, but wait for it offline. */
static void wait_for_start(struct team *team)
{
	if (team->options.register_flavor) {
		flavor_register(team->options.flavor);
		flavor_offline(team->options.flavor);
	}
	pthread_mutex_lock(&team->lock);
	team->ready++;
	pthread_cond_broadcast(&team->changed);
	while (!team->go)
		pthread_cond_wait(&team->changed, &team->lock);
	pthread_mutex_unlock(&team->lock);
	if (team->options.register_flavor)
		flavor_online(team->options.flavor);
}

static void *member_main(void *arg)
{
	struct thread *t = arg;
	struct team *team = t->member.team;

	wait_for_start(team);
	team->options.work(&t->member);
	if (team->options.register_flavor)
		flavor_unregister(team->options.flavor);
	pthread_mutex_lock(&team->lock);
	t->finished = true;
	pthread_mutex_unlock(&team->lock);
	return NULL;
}

/* Prints by write(2): stdio may be what a member hangs in. */
static void name_the_late(struct team *team)
{
	char line[160];
	int n = snprintf(line, sizeof line, "\n%s: not finished after %u s, threads:", team->options.name,
			 team->options.watchdog_s);

	for (unsigned i = 0; i < team->options.threads; i++)
		if (!team->threads[i].finished && n < (int)sizeof line - 24)
			n += snprintf(line + n, sizeof line - (size_t)n, " %u", i);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void *watchdog_main(void *arg)
{
	struct team *team = arg;
	struct timespec deadline;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += team->options.watchdog_s;
	pthread_mutex_lock(&team->lock);
	while (!team->joined && error == 0)
		error = pthread_cond_timedwait(&team->changed, &team->lock, &deadline);
	if (!team->joined) {
		name_the_late(team);
		kill(getpid(), SIGKILL);
	}
	pthread_mutex_unlock(&team->lock);
	return NULL;
}

static void create(pthread_t *id, void *(*main)(void *), void *arg, const char *team_name, unsigned index)
{
	char name[16]; /* the kernel's limit */
	int error = pthread_create(id, NULL, main, arg);

	if (error)
		die("pthread_create", error);
	snprintf(name, sizeof name, "%.10s-%u", team_name, index % 10000);
	pthread_setname_np(*id, name);
}

struct team *team_start(const struct team_options *options)
{
	struct team *team = calloc(1, sizeof *team + options->threads * sizeof team->threads[0]);
	pthread_condattr_t attr;

	if (!team)
		die("memory", ENOMEM);
	team->options = *options;
	if (!team->options.name)
		team->options.name = "team";
	atomic_init(&team->stop, false);
	pthread_mutex_init(&team->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&team->changed, &attr);
	pthread_condattr_destroy(&attr);

	if (options->watchdog_s)
		create(&team->watchdog, watchdog_main, team, "watchdog", 0);
	for (unsigned i = 0; i < options->threads; i++) {
		team->threads[i].member = (struct team_member){ .team = team, .index = i, .ctx = options->ctx };
		create(&team->threads[i].id, member_main, &team->threads[i], team->options.name, i);
	}
	pthread_mutex_lock(&team->lock);
	while (team->ready < options->threads)
		pthread_cond_wait(&team->changed, &team->lock);
	team->go = true;
	pthread_cond_broadcast(&team->changed);
	pthread_mutex_unlock(&team->lock);
	return team;
}

void team_stop(struct team *team)
{
	atomic_store_explicit(&team->stop, true, memory_order_relaxed);
}

bool team_stopping(const struct team_member *me)
{
	return atomic_load_explicit(&me->team->stop, memory_order_relaxed);
}

void team_join(struct team *team)
{
	for (unsigned i = 0; i < team->options.threads; i++)
		pthread_join(team->threads[i].id, NULL);
	pthread_mutex_lock(&team->lock);
	team->joined = true;
	pthread_cond_broadcast(&team->changed);
	pthread_mutex_unlock(&team->lock);
	if (team->options.watchdog_s)
		pthread_join(team->watchdog, NULL);
	pthread_cond_destroy(&team->changed);
	pthread_mutex_destroy(&team->lock);
	free(team);
}

void team_run(const struct team_options *options)
{
	team_join(team_start(options));
}
