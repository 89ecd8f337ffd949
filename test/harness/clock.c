/* SPDX-License-Identifier: BSD-2-Clause */
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CALIBRATE_NS 5000000u

bool clock_tsc;
double clock_ns_per_tick = 1;

#ifdef __x86_64__
/* constant_tsc: the rate does not follow the frequency. nonstop_tsc: it runs on in sleep states. */
static bool tsc_is_constant(void)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	if (!f)
		return false;
	while (!found && fgets(line, sizeof line, f))
		if (strncmp(line, "flags", 5) == 0) {
			found = strstr(line, " constant_tsc") && strstr(line, " nonstop_tsc");
			break;
		}
	fclose(f);
	return found;
}

__attribute__((constructor)) static void calibrate(void)
{
	uint64_t start_ns, start_ticks, ns;

	if (!tsc_is_constant())
		return;
	clock_tsc = true;
	start_ns = now_ns();
	start_ticks = ticks_now();
	do
		ns = now_ns() - start_ns;
	while (ns < CALIBRATE_NS);
	clock_ns_per_tick = (double)ns / (double)(ticks_now() - start_ticks);
}
#endif

void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}
