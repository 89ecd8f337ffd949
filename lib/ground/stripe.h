/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which stripe of a map's per-thread state a thread uses. Threads are numbered as they first ask. The first STRIPE_OWN of the
 * process have a stripe each, for ever: when such a thread exits nobody else gets its stripe. Those that come later share the
 * others. So everything in a stripe is atomic, and mostly unshared. Beyond that a thread owns nothing, and may exit at any time.
 *
 * Invariant
 * N1 A stripe below STRIPE_OWN is used by one thread alone; others may read what it counts there.
 */
#ifndef RCUMAP_STRIPE_H
#define RCUMAP_STRIPE_H

#include <stdatomic.h>
#include <stdint.h>

/* Debug builds share stripes early. Both must be powers of two. */
#ifdef RCUMAP_DEBUG
#define STRIPE_COUNT 4u
#define STRIPE_OWN 2u
#else
#define STRIPE_COUNT 64u
#define STRIPE_OWN 32u
#endif

/* The calling thread's, or STRIPE_NONE. Without a call, also in the shared library: that takes four bytes of the thread-local memory
 * which the loader keeps ready for libraries that are loaded late. */
#define STRIPE_NONE UINT32_MAX
extern _Thread_local unsigned stripe_mine __attribute__((tls_model("initial-exec")));

/* At a thread's first call. */
unsigned stripe_assign(void);

/* 0 to STRIPE_COUNT - 1. Wait-free; a thread-local load after the first call. */
static inline unsigned stripe_index(void)
{
	const unsigned mine = stripe_mine;

	return __builtin_expect(mine != STRIPE_NONE, 1) ? mine : stripe_assign();
}

/* Add to a counter of the calling thread's stripe. Returns what it was before. Wait-free.
 *
 * relaxed, all: only the number counts. Where nobody else writes (N1) it needs no locked instruction. */
static inline uint64_t stripe_add(unsigned stripe, _Atomic uint64_t *counter, uint64_t n)
{
	if (__builtin_expect(stripe >= STRIPE_OWN, 0))
		return atomic_fetch_add_explicit(counter, n, memory_order_relaxed);

	const uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, before + n, memory_order_relaxed);
	return before;
}

/* Likewise where it is certain that nobody else writes: N1. In one instruction, which leaves no result in a register
 * (map/overwrite.h says why that counts); it loads and stores the word as a whole, as the other code does. */
static inline void stripe_add_own(_Atomic uint64_t *counter, uint64_t n)
{
#if defined(__x86_64__) && !defined(RCUMAP_TSAN)
	__asm__("{addq %1, %0|add %0, %1}" : "+m"(*counter) : "er"(n) : "cc");
#else
	/* relaxed, both: as above */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
#endif
}

/* To two of them at once. */
static inline void stripe_add_two(unsigned stripe, _Atomic uint64_t *a, uint64_t n, _Atomic uint64_t *b, uint64_t m)
{
	/* relaxed, all: as above */
	if (__builtin_expect(stripe >= STRIPE_OWN, 0)) {
		atomic_fetch_add_explicit(a, n, memory_order_relaxed);
		atomic_fetch_add_explicit(b, m, memory_order_relaxed);
		return;
	}
	stripe_add_own(a, n);
	stripe_add_own(b, m);
}

/* Stripes that any thread uses so far: the others are all zero. Wait-free. */
unsigned stripe_used(void);

#endif
