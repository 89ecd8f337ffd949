/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file team.h
 * A team of threads that start at once, learn when to stop, and are joined together.
 *
 *     static void work(struct team_member *me)
 *     {
 *             struct context *c = me->ctx;
 *             while (!team_stopping(me))
 *                     ...
 *     }
 *
 *     struct team_options options = { .threads = 8, .work = work, .ctx = &c, .watchdog_s = 60 };
 *     struct team *team = team_start(&options);
 *     sleep_ns(10000000000);
 *     team_stop(team);
 *     team_join(team);
 *
 * The watchdog ends the whole process with SIGKILL, after naming the members that had not finished: a deadlock
 * inside the allocator or in a signal handler cannot hold it up.
 */
#ifndef HARNESS_TEAM_H
#define HARNESS_TEAM_H

#include "flavor.h"

#include <stdbool.h>

struct team;

/** One thread of a team. */
struct team_member {
	struct team *team;
	unsigned index; /* 0 to threads - 1 */
	void *ctx;      /* as given in the options */
};

struct team_options {
	unsigned threads;                      /* 0 is allowed: an empty team */
	void (*work)(struct team_member *me);  /* each member runs it once */
	void *ctx;                             /* one for all members: make it an array and use me->index */
	const char *name;                      /* for the watchdog and for thread names; NULL: "team" */
	bool register_flavor;                  /* register each member with `flavor`, and unregister it at its end */
	enum flavor flavor;
	unsigned watchdog_s;                   /* from team_start() to team_join(); 0: none */
};

/**
 * Create the threads and let them go at once, when all are there. A thread that cannot be created ends the
 * program with a message and status 2. The caller need not keep the options.
 */
struct team *team_start(const struct team_options *options);

/** Ask all members to finish. From any thread, any number of times. */
void team_stop(struct team *team);

/** For a member: was team_stop() called? Cheap enough for each turn of a loop. */
bool team_stopping(const struct team_member *me);

/**
 * Wait for all members, and free the team. What they wrote is visible then. A caller that is itself online with
 * qsbr must go offline first, else members that wait for a grace period never finish.
 */
void team_join(struct team *team);

/** Start, and join without asking to stop: for work that ends by itself. */
void team_run(const struct team_options *options);

#endif
