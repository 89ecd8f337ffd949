/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace periods: one thread per flavor and process waits for them, for all maps. So a reader who stays in his section
 * holds up that thread alone; a map's reclaimer asks, goes on with other work, and is woken.
 *
 * The thread starts with the first client and ends with the last. It begins at most one grace period per
 * GRACE_INTERVAL_NS: each costs every reader an interrupt (membarrier), back to back they would halve his speed. And where
 * one was busy for long, GRACE_REST times as long lies between the beginnings of it and the next, up to GRACE_INTERVAL_MAX_NS. That is
 * memb where there are no more processors than readers: of one that was descheduled inside his section, the thread learns
 * nothing new, and yet every other reader who leaves his wakes it, so that it interrupts them all, round after round, for as
 * long as it has a processor: three milliseconds at a time were measured. A client that is waited for, or
 * has much garbage, may hasten it: then it is one per GRACE_HASTE_NS.
 *
 * Invariants
 * G1 A ticket is passed only after a grace period has ended that began after grace_request() returned it.
 * G2 A client that asked is woken after its ticket has passed.
 */
#ifndef RCUMAP_GRACE_H
#define RCUMAP_GRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ground/wake.h"
#include "section/section.h"

#define GRACE_INTERVAL_NS UINT64_C(1000000)
#define GRACE_REST 10u
#define GRACE_INTERVAL_MAX_NS UINT64_C(50000000)
#define GRACE_HASTE_NS UINT64_C(200000)

/* What lies between the beginnings of two, the first of which took the processor for `busy_ns`. */
static inline uint64_t grace_interval_ns(uint64_t busy_ns)
{
	if (busy_ns <= GRACE_INTERVAL_NS / GRACE_REST)
		return GRACE_INTERVAL_NS;
	return busy_ns < GRACE_INTERVAL_MAX_NS / GRACE_REST ? busy_ns * GRACE_REST : GRACE_INTERVAL_MAX_NS;
}

struct grace_client {
	const struct section_ops *section;
	struct wake *wake; /* signalled when the grace period that was asked for has ended */
	_Atomic uint64_t ticket; /* of the last request; 0 if nobody waits for it */
	struct grace_client *next;
};

/* 0; -EAGAIN: no thread could be started. The client must live until it is detached. Waits for no reader: may be called
 * inside a section. */
int grace_attach(struct grace_client *client, const struct section_ops *section, struct wake *wake);

/* May wait for the end of a grace period, if it was the last. Outside any read section. */
void grace_detach(struct grace_client *client);

uint64_t grace_request(struct grace_client *client);
/* The grace period that was requested last must not wait for a full interval. No effect if it has begun. */
void grace_hasten(struct grace_client *client);

bool grace_passed(const struct grace_client *client, uint64_t ticket);

/* When the grace period began (CLOCK_MONOTONIC) that is under way and must end before the client is woken; 0: none, or
 * nobody waits. Any thread. Wait-free. */
uint64_t grace_since_ns(const struct grace_client *client);

/* Around fork(), in this order. In the child all clients are detached, and what was asked for has ended; the caller
 * knows that nobody is in a section there. */
void grace_before_fork(const struct section_ops *section);
void grace_after_fork_parent(const struct section_ops *section);
void grace_after_fork_child(const struct section_ops *section);

#endif
