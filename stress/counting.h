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

struct counting {
	_Atomic int64_t bytes; /* given out and not given back */
};

/** Allocates from `counting`, which must outlive the map. */
struct rcumap_allocator counting_allocator(struct counting *counting);

#endif
