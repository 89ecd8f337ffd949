/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file child.h
 * Children of a test: one that hangs is ended, so that neither it nor the test that waits for it keeps anyone.
 */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork(), with an alarm for the child. */
static inline pid_t child_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0)
		alarm(TEST_WATCHDOG_S - 20);
	return pid;
}

/* Waits for it; did it end with status 0? */
static inline bool child_ended_well(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			bail("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status))
		diag("a child was ended by signal %d%s", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hung" : "");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
