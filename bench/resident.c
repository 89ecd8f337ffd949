/* SPDX-License-Identifier: BSD-2-Clause */
#include "resident.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t total, resident = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &total, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t resident_bytes_trimmed(void)
{
	malloc_trim(0);
	return resident_bytes();
}

uint64_t resident_bytes_since(uint64_t base)
{
	uint64_t now = resident_bytes();

	return now > base ? now - base : 0;
}
