/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The makefile tells. */
#ifndef BUILD_FLAGS
#define BUILD_FLAGS "unknown"
#endif

static void copy_line(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%.*s", (int)strcspn(from, "\n"), from);
}

static void find_cpu(struct machine *m)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(m->cpu, sizeof m->cpu, "unknown processor");
	while (file && fgets(line, sizeof line, file)) {
		const char *name = strchr(line, ':');

		if (name && strncmp(line, "model name", 10) == 0) {
			copy_line(m->cpu, sizeof m->cpu, name + 2);
			break;
		}
	}
	if (file)
		fclose(file);
}

/* The file reads "always [madvise] never". */
static void find_huge_pages(struct machine *m)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

	if (!file || fscanf(file, "%*[^[][%15[a-z]", m->huge_pages) != 1)
		if (!file || fseek(file, 0, SEEK_SET) != 0 || fscanf(file, "[%15[a-z]", m->huge_pages) != 1)
			snprintf(m->huge_pages, sizeof m->huge_pages, "unknown");
	if (file)
		fclose(file);
}

static void find_commit(struct machine *m)
{
	FILE *git = popen("git describe --always --dirty=+ 2>/dev/null", "r");
	char line[64] = "";

	snprintf(m->commit, sizeof m->commit, "unknown");
	if (git && fgets(line, sizeof line, git) && line[0] != '\n')
		copy_line(m->commit, sizeof m->commit, line);
	if (git)
		pclose(git);
}

static void find_date(struct machine *m)
{
	time_t now = time(NULL);
	struct tm utc;

	if (!gmtime_r(&now, &utc) || !strftime(m->date, sizeof m->date, "%Y-%m-%d %H:%M UTC", &utc))
		snprintf(m->date, sizeof m->date, "unknown");
}

struct machine machine_describe(void)
{
	struct machine m = { .compiler = COMPILER, .flags = BUILD_FLAGS };
	struct utsname u;

	find_cpu(&m);
	find_huge_pages(&m);
	find_commit(&m);
	find_date(&m);
	if (uname(&u) == 0)
		snprintf(m.kernel, sizeof m.kernel, "%.16s %.40s %.16s", u.sysname, u.release, u.machine);
	m.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	m.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	return m;
}

void machine_write_json(struct json *j, const struct machine *m)
{
	json_object(j, "machine");
	json_text(j, "cpu", m->cpu);
	json_number(j, "cores", m->cores);
	json_number(j, "memory_bytes", (double)m->memory_bytes);
	json_text(j, "kernel", m->kernel);
	json_text(j, "huge_pages", m->huge_pages);
	json_text(j, "compiler", m->compiler);
	json_text(j, "flags", m->flags);
	json_text(j, "commit", m->commit);
	json_text(j, "date", m->date);
	json_object_end(j);
}
