/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/wake.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int get_time(const struct ck_ec_ops *ops, struct timespec *now)
{
	(void)ops;
	return clock_gettime(CLOCK_MONOTONIC, now);
}

/* Of the calling thread's wake_wait(); NULL: none. */
static _Thread_local const struct timespec *until;

/* The deadline that ck_ec gives is one of its own, of growing slices that go far beyond the caller's. */
static void wait32(const struct ck_ec_wait_state *state, const uint32_t *address, uint32_t expected,
		   const struct timespec *deadline)
{
	(void)state;
	(void)deadline;
	/* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. Any return is allowed: ck_ec looks again. */
	syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void wake32(const struct ck_ec_ops *ops, const uint32_t *address)
{
	(void)ops;
	syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static const struct ck_ec_ops futex_ops = {
	.gettime = get_time,
	.wait32 = wait32,
	.wake32 = wake32,
	.busy_loop_iter = 1, /* the sleeper is a background thread: it never spins */
};

static const struct ck_ec_mode many_producers = { .ops = &futex_ops, .single_producer = false };

void wake_init(struct wake *wake)
{
	ck_ec32_init(&wake->ec, 0);
}

uint32_t wake_value(const struct wake *wake)
{
	return ck_ec32_value(&wake->ec);
}

void wake_signal(struct wake *wake)
{
	ck_ec32_inc(&wake->ec, &many_producers);
}

void wake_wait(struct wake *wake, uint32_t value, uint64_t timeout_ns)
{
	struct timespec deadline;

	if (timeout_ns == WAKE_FOREVER) {
		until = NULL;
		(void)ck_ec32_wait(&wake->ec, &many_producers, value, NULL);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)(timeout_ns / 1000000000u);
	deadline.tv_nsec += (long)(timeout_ns % 1000000000u);
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	until = &deadline;
	(void)ck_ec32_wait(&wake->ec, &many_producers, value, &deadline);
	until = NULL;
}
