/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file counting.h
 * An allocator for maps that overwrites what is given back, so that a late reader sees it, and counts bytes, so
 * that a leak shows. It takes every block from the system, which lets AddressSanitizer see each one.
 */
#ifndef STRESS_COUNTING_H
#define STRESS_COUNTING_H

#include <rcumap.h>

#include <stdatomic.h>
#include <stdbool.h>

struct counting {
	_Atomic int64_t bytes; /* given out and not given back */
	bool guarded; /* one thread at a time is in malloc, and none during fork() */
};

/** For pthread_atfork(), before any other handlers: keep all threads out of malloc that use a guarded one. */
void counting_before_fork(void);
void counting_after_fork(void);

/** Allocates from `counting`, which must outlive the map. */
struct rcumap_allocator counting_allocator(struct counting *counting);

#endif
