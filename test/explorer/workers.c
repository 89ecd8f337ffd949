/* SPDX-License-Identifier: BSD-2-Clause */
#include "workers.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 64u

struct worker {
	const struct scenario *scenario;
	pid_t pid;
	FILE *output;
	struct timespec begun;
};

static _Noreturn void work(const struct scenario *scenario, const struct explore_options *options, FILE *output)
{
	char summary[EXPLORE_SUMMARY_SIZE];

	/* What is planted is in reach of the whole. */
	static const struct explore_options whole = { true, true, true, true, .schedules = 5000, .seed = 1 };

	dup2(fileno(output), STDOUT_FILENO);
	dup2(fileno(output), STDERR_FILENO);
	report_catch_signals();
	explore(scenario, scenario->kind == SCENARIO_PLANTED ? &whole : options, summary);
	printf("%s", summary);
	fflush(stdout);
	_exit(0);
}

static void start(struct worker *worker, const struct scenario *scenario, const struct explore_options *options)
{
	worker->scenario = scenario;
	worker->output = tmpfile();
	clock_gettime(CLOCK_MONOTONIC, &worker->begun);
	fflush(stdout);
	worker->pid = worker->output == NULL ? -1 : fork();
	if (worker->pid == 0)
		work(scenario, options, worker->output);
	if (worker->pid < 0) {
		perror("explorer");
		exit(2);
	}
}

static void print_output(FILE *output)
{
	char line[512];

	rewind(output);
	while (fgets(line, sizeof line, output) != NULL)
		fputs(line, stdout);
}

/* The line of a scenario that has ended; true if it ended as it should. */
static bool conclude(struct worker *worker, int status, unsigned number, bool verbose)
{
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0,
	     planted = worker->scenario->kind == SCENARIO_PLANTED, ok = clean != planted;
	struct timespec now;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)(now.tv_sec - worker->begun.tv_sec) + (double)(now.tv_nsec - worker->begun.tv_nsec) * 1e-9;
	if (!clean && (!ok || verbose))
		print_output(worker->output);
	printf("%s %u - %s", ok ? "ok" : "not ok", number, worker->scenario->name);
	if (clean) {
		printf(": ");
		print_output(worker->output);
	}
	if (planted)
		printf(clean ? "; its planted bug was not found" : ": its planted bug was found");
	printf(" (%.1f s)\n", seconds);
	if (!clean && !ok && WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	fclose(worker->output);
	worker->scenario = NULL;
	return ok;
}

bool workers_run(const struct scenario *const list[], unsigned count, const struct explore_options *options,
		 unsigned at_once, bool verbose)
{
	struct worker workers[WORKERS_MAX] = { 0 };
	unsigned next = 0, ended = 0, failed = 0;

	if (at_once > WORKERS_MAX)
		at_once = WORKERS_MAX;
	printf("1..%u\n", count);
	while (ended < count) {
		int status;
		pid_t pid;

		for (unsigned i = 0; i < at_once && next < count; i++)
			if (workers[i].scenario == NULL)
				start(&workers[i], list[next++], options);
		pid = wait(&status);
		for (unsigned i = 0; i < at_once; i++)
			if (workers[i].scenario != NULL && workers[i].pid == pid)
				failed += !conclude(&workers[i], status, ++ended, verbose);
		fflush(stdout);
	}
	if (failed > 0)
		printf("# %u of %u scenarios failed\n", failed, count);
	return failed == 0;
}
