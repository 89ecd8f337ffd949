/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/random.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

uint64_t random_seed(void)
{
	uint64_t seed = 0;
	ssize_t got;

	do
		got = getrandom(&seed, sizeof seed, 0);
	while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof seed)
		return seed;

	/* A kernel without getrandom, or a filter that forbids it: hard to guess still beats constant. */
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)now.tv_sec ^ (uintptr_t)&seed;
}
