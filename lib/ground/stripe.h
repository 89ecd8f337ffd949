/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which stripe of a map's per-thread state a thread uses. Threads are numbered as they first ask and share
 * stripes once there are more threads than stripes, so everything in a stripe is atomic, and mostly unshared.
 * A thread owns nothing: it may exit at any time and leaves nothing behind.
 */
#ifndef RCUMAP_STRIPE_H
#define RCUMAP_STRIPE_H

/* Debug builds share stripes early. Must be a power of two. */
#ifdef RCUMAP_DEBUG
#define STRIPE_COUNT 4u
#else
#define STRIPE_COUNT 64u
#endif

/* 0 to STRIPE_COUNT - 1. Wait-free; a thread-local load after the first call. */
unsigned stripe_index(void);

/* Stripes that any thread uses so far: the others are all zero. Wait-free. */
unsigned stripe_used(void);

#endif
