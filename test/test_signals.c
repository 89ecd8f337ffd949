/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's threads: named, with every signal blocked, and no trace of that in the caller. */
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>

#define TASKS_MAX 64

struct task {
	long id;
	char name[32];
	unsigned long long blocked;
};

/* All that can be blocked: not SIGKILL, SIGSTOP, nor the two that the C library keeps for itself. */
#define BLOCKABLE \
	(~0ull & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1)) & ~(1ull << (32 - 1)) & ~(1ull << (33 - 1)))

static void read_task(struct task *task)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%ld/comm", task->id);
	file = fopen(path, "r");
	if (!file)
		return;
	if (fgets(task->name, sizeof task->name, file))
		task->name[strcspn(task->name, "\n")] = '\0';
	fclose(file);
	snprintf(path, sizeof path, "/proc/self/task/%ld/status", task->id);
	file = fopen(path, "r");
	if (!file)
		return;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "SigBlk: %llx", &task->blocked) == 1)
			break;
	fclose(file);
}

static unsigned tasks_now(struct task tasks[TASKS_MAX])
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		bail("/proc/self/task: %s", strerror(errno));
	for (struct dirent *d = readdir(dir); d && n < TASKS_MAX; d = readdir(dir)) {
		if (d->d_name[0] == '.')
			continue;
		memset(&tasks[n], 0, sizeof tasks[n]);
		tasks[n].id = strtol(d->d_name, NULL, 10);
		read_task(&tasks[n++]);
	}
	closedir(dir);
	return n;
}

static bool is_among(const struct task *task, const struct task *tasks, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (tasks[i].id == task->id)
			return true;
	return false;
}

static void threads_are_named_and_blocked(void)
{
	struct task before[TASKS_MAX], after[TASKS_MAX];
	unsigned n_before, n_after, fresh = 0, named = 0, blocked = 0;
	struct rcumap *map;

	(void)fixture_threads_at_rest();
	n_before = tasks_now(before);
	map = fixture_map(NULL);
	n_after = tasks_now(after);
	for (unsigned i = 0; i < n_after; i++) {
		if (is_among(&after[i], before, n_before))
			continue;
		fresh++;
		named += strncmp(after[i].name, "rcumap", 6) == 0;
		blocked += (after[i].blocked & BLOCKABLE) == BLOCKABLE;
		diag("%s: thread '%s', blocked %016llx", fixture_name(), after[i].name, after[i].blocked);
	}
	is_int(fresh, 2, "%s: the first map of a flavor starts two threads", fixture_name());
	is_int(named, fresh, "%s: their names begin with rcumap", fixture_name());
	is_int(blocked, fresh, "%s: they block every signal", fixture_name());
	fixture_destroy(map);
}

/* Written by the handler, which runs on this thread if on any. */
static volatile sig_atomic_t handled_by = 0;

static void handler(int signal)
{
	(void)signal;
	handled_by = (sig_atomic_t)syscall(SYS_gettid);
}

/* A signal to the process, with the only thread of the program blocking it: it stays pending until that thread takes it. */
static void process_signals_reach_the_callers_threads(void)
{
	struct rcumap *map;
	struct sigaction action, old;
	sigset_t one, before, during, pending;
	bool stayed, same = true;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	sigaction(SIGUSR1, &action, &old);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &one, &before);
	map = fixture_map(NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &during);
	for (int s = 1; s < 32; s++)
		same = same && sigismember(&during, s) == (s == SIGUSR1 || sigismember(&before, s));
	ok(same, "%s: create leaves the caller's signal mask", fixture_name());

	handled_by = 0;
	kill(getpid(), SIGUSR1);
	for (uint64_t i = 0; i < 1000; i++) /* the library's threads run */
		fixture_put(map, 1, i, 24);
	rcumap_barrier(map);
	sigpending(&pending);
	stayed = sigismember(&pending, SIGUSR1) && handled_by == 0;
	ok(stayed, "%s: none of the library's threads takes a signal", fixture_name());
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	is_int(handled_by, syscall(SYS_gettid), "%s: the caller's thread does", fixture_name());
	sigaction(SIGUSR1, &old, NULL);
	fixture_destroy(map);
}

static void test(void)
{
	threads_are_named_and_blocked();
	process_signals_reach_the_callers_threads();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
