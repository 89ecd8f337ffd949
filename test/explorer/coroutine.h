/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logical threads on one OS thread: a stack each, switched by hand, and an own image of the program's thread-local
 * storage, so that the code under test sees a thread of its own.
 *
 * The image stays with the coroutine when it is given a new function, as a pooled thread's would.
 */
#ifndef EXPLORER_COROUTINE_H
#define EXPLORER_COROUTINE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

#ifdef __SANITIZE_THREAD__
#error "test/explorer/*.c is the runtime that instrumented code calls: compile it without -fsanitize=thread"
#endif

struct coroutine {
	jmp_buf where;
	ucontext_t start;
	bool started;
	char *stack;
	char *tls;
	void (*run)(void *arg);
	void *arg;
};

/* Wrap what runs now (the OS thread's own stack). */
void coroutine_init_current(struct coroutine *co);

/* A stack and a fresh thread-local image. */
void coroutine_init(struct coroutine *co);

/* The next switch to `co` calls run(arg), which must never return: it switches away for good. */
void coroutine_set(struct coroutine *co, void (*run)(void *arg), void *arg);

void coroutine_switch(struct coroutine *from, struct coroutine *to);

#endif
