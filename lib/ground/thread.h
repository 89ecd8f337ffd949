/* SPDX-License-Identifier: BSD-2-Clause */
/* Background threads: named, with all signals blocked, so that the process's handlers never run on them. */
#ifndef RCUMAP_THREAD_H
#define RCUMAP_THREAD_H

#include <pthread.h>

/* The kernel's limit, with the terminating zero. */
#define THREAD_NAME_SIZE 16

/* "prefix-suffix", cut to what fits. */
void thread_name(char name[THREAD_NAME_SIZE], const char *prefix, const char *suffix);

/* 0 or -EAGAIN. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);

#endif
