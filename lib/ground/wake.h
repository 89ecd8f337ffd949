/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waking one sleeping thread from many: an event count (Concurrency Kit's ck_ec) over a futex.
 *
 * No wake-up is lost if the sleeper reads wake_value(), then looks for work, then calls wake_wait() with that
 * value, and the waker publishes the work before wake_signal(). The event count carries no data: what
 * the work is travels in atomics of its own.
 */
#ifndef RCUMAP_WAKE_H
#define RCUMAP_WAKE_H

#include <ck_ec.h>
#include <stdint.h>

struct wake {
	struct ck_ec32 ec;
};

#define WAKE_FOREVER UINT64_MAX

void wake_init(struct wake *wake);
uint32_t wake_value(const struct wake *wake);

/* Any thread. Lock-free; a system call only if somebody sleeps. */
void wake_signal(struct wake *wake);

/* Sleep until a signal after wake_value() returned `value`, or for timeout_ns. May return early. */
void wake_wait(struct wake *wake, uint32_t value, uint64_t timeout_ns);

#endif
