/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

/* The number in a file; UINT64_MAX if there is none ("max"). */
static uint64_t file_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long number;
	uint64_t result = UINT64_MAX;

	if (!file)
		return UINT64_MAX;
	if (fscanf(file, "%llu", &number) == 1)
		result = number;
	fclose(file);
	return result;
}

/* The least limit of a group and of all above it: `path` is cut shorter from its end. */
static uint64_t least_upwards(const char *root, char *path, const char *file)
{
	uint64_t least = UINT64_MAX;

	for (;;) {
		char name[2 * PATH_MAX];
		char *slash = strrchr(path, '/');
		uint64_t number;

		snprintf(name, sizeof name, "%s%s/%s", root, path, file);
		number = file_number(name);
		least = number < least ? number : least;
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static uint64_t group_bytes(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t least = UINT64_MAX;
	char line[PATH_MAX];

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof line, file)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		uint64_t number = UINT64_MAX;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		controllers++;
		if (!*controllers)
			number = least_upwards("/sys/fs/cgroup", path, "memory.max");
		else if (strstr(controllers, "memory"))
			number = least_upwards("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
		least = number < least ? number : least;
	}
	fclose(file);
	return least;
}

uint64_t host_memory_bytes(void)
{
	uint64_t group = group_bytes();
	uint64_t machine = UINT64_MAX;
	struct sysinfo info;

	if (sysinfo(&info) == 0)
		machine = (uint64_t)info.totalram * info.mem_unit;
	machine = group < machine ? group : machine;
	return machine ? machine : 1;
}
