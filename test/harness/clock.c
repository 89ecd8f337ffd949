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

struct instant {
	uint64_t ns, ticks;
};

/* Both clocks at once: of a few tries the one that was interrupted least. */
static struct instant both_clocks(void)
{
	struct instant best = { 0, 0 };
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t before = ticks_now(), ns = now_ns(), width = ticks_now() - before;

		if (width < narrowest) {
			narrowest = width;
			best = (struct instant){ ns, before + width / 2 };
		}
	}
	return best;
}

__attribute__((constructor)) static void calibrate(void)
{
	struct instant start, end;

	if (!tsc_is_constant())
		return;
	clock_tsc = true;
	start = both_clocks();
	while (now_ns() - start.ns < CALIBRATE_NS)
		;
	end = both_clocks();
	clock_ns_per_tick = (double)(end.ns - start.ns) / (double)(end.ticks - start.ticks);
}
#endif

void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}
