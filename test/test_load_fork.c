/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads across fork(): a child forgets those of threads that it does not have, and goes on with its own. */
#include "child.h"
#include "load_fixture.h"

#include "map/flight.h"

static struct shared f;
static struct rcumap *map;

#define CAN_FORK (CHILD_STARTS_THREADS && CHILD_OF_BUSY_THREADS)

/* Does a child that runs `check` end well? */
static bool child_is_well(bool (*check)(void))
{
	pid_t pid;

	if (!CAN_FORK)
		return true;
	pid = child_fork();
	if (pid == 0)
		_exit(check() ? 0 : 1);
	return child_ended_well(pid);
}

static bool child_loads_again(void)
{
	struct source s = { .value = "of the child" };
	struct rcumap_loader loader = loader_of(&s);

	loader.timeout_ms = 0; /* there is nobody to wait for */
	return flight_waiters(map) == 0 && get(map, KEY, &loader, "of the child") == 0 && atomic_load(&s.loads) == 1 &&
	       fixture_is_text(map, KEY, "of the child") && is_tidy(map, 1) && rcumap_destroy(map) == 0;
}

static bool child_stores(void)
{
	return fixture_put_text(map, KEY, "of the child", HOUR_MS) == 0 && fixture_is_text(map, KEY, "of the child") &&
	       is_tidy(map, 1) && rcumap_destroy(map) == 0;
}

static bool so_many_wait(void *n)
{
	return flight_waiters(map) == *(unsigned *)n;
}

static void a_load_of_another_thread_is_forgotten(bool (*child)(void), const char *what)
{
	struct caller waiter;
	unsigned one = 1;

	map = fixture_map(NULL);
	take_off(&f, map, "loaded", 0);
	waiter = f.caller;
	start(&waiter);
	ok(fixture_eventually(so_many_wait, &one), "%s: one thread loads, one waits", what);
	ok(child_is_well(child), "%s: a child", what);
	ok(land(&f) == 0 && join(&waiter) == 0, "%s: the parent goes on", what);
	ok(fixture_is_text(map, KEY, "loaded") && is_tidy(map, 1), "%s: and has what it loaded", what);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ in a loader */

static bool in_child;

static int fork_inside(struct source *s)
{
	pid_t pid;

	(void)s;
	if (!CAN_FORK)
		return 0;
	pid = child_fork();
	in_child = pid == 0;
	return in_child || child_ended_well(pid) ? 0 : -1;
}

static void the_own_load_goes_on_in_both(void)
{
	struct source s = { .value = "loaded", .inside = fork_inside };
	struct rcumap_loader loader = loader_of(&s);
	bool good;

	map = fixture_map(NULL);
	s.map = map;
	good = get(map, KEY, &loader, "loaded") == 0 && fixture_is_text(map, KEY, "loaded") && is_tidy(map, 1);
	if (in_child)
		_exit(good && get(map, KEY, &loader, "loaded") == 0 && rcumap_destroy(map) == 0 ? 0 : 1);
	ok(good, "a fork in a loader: the parent stores the value");
	is_int(s.inside_result, 0, "so does the child");
	fixture_destroy(map);
}

int main(void)
{
	if (pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child) != 0)
		bail("pthread_atfork");
	a_load_of_another_thread_is_forgotten(child_loads_again, "load");
	a_load_of_another_thread_is_forgotten(child_stores, "put");
	the_own_load_goes_on_in_both();
	return tap_done();
}
