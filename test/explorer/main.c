/* SPDX-License-Identifier: BSD-2-Clause */
/* The schedule explorer: README.md beside this file says how to read what it prints. */
#include "lincheck.h"
#include "report.h"
#include "workers.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: explorer [options]\n"
	"  --scenario NAME    one scenario; a name ending in * is a prefix; all (default); list\n"
	"  --mode MODE        pct, random, dfs, park, or all (default)\n"
	"  --schedules N      random schedules per scenario (default 5000)\n"
	"  --seed N           of the first schedule (default 1)\n"
	"  --preemptions N    all schedules with so many, depth first, however long it takes\n"
	"  --replay STRING    run one schedule of one scenario, as a failure named it, with a trace\n"
	"  --jobs N           scenarios at a time (default: processors)\n"
	"  --verbose          also what the planted bugs of the toys looked like\n";

static _Noreturn void bad(const char *what, const char *value)
{
	fprintf(stderr, "explorer: %s: %s\n", what, value);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		bad("not a number", text);
	return n;
}

static void choose_mode(struct explore_options *options, const char *mode)
{
	bool all = strcmp(mode, "all") == 0;

	options->pct = all || strcmp(mode, "pct") == 0;
	options->random = all || strcmp(mode, "random") == 0;
	options->dfs = all || strcmp(mode, "dfs") == 0;
	options->park = all || strcmp(mode, "park") == 0;
	if (!options->pct && !options->random && !options->dfs && !options->park)
		bad("unknown mode", mode);
}

static bool selected(const struct scenario *scenario, const char *pattern)
{
	size_t length = strlen(pattern);

	if (strcmp(pattern, "all") == 0)
		return true;
	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(scenario->name, pattern, length - 1) == 0;
	return strcmp(scenario->name, pattern) == 0;
}

static int list(void)
{
	for (unsigned i = 0; i < scenario_count; i++) {
		printf("%-24s before: %s\n", scenarios[i].name, scenarios[i].before);
		for (unsigned t = 0; t < SCHEDULE_THREADS_MAX && scenarios[i].thread[t] != NULL; t++)
			printf("%-24s thread %u: %s\n", "", t, scenarios[i].thread[t]);
	}
	return 0;
}

static int replay(const char *name, const char *schedule)
{
	const struct scenario *scenario = scenario_named(name);

	if (scenario == NULL)
		bad("--replay needs one --scenario, and there is none named", name);
	setvbuf(stdout, NULL, _IOLBF, 0);
	report_catch_signals();
	if (!explore_replay(scenario, schedule))
		bad("cannot be replayed", schedule);
	printf("# %s: no failure in %s\n", name, schedule);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "scenario", required_argument, NULL, 's' },
		{ "mode", required_argument, NULL, 'm' },
		{ "schedules", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 'e' },
		{ "replay", required_argument, NULL, 'r' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "preemptions", required_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct explore_options options = { true, true, true, true, .schedules = 5000, .seed = 1 };
	const struct scenario **chosen = calloc(scenario_count, sizeof *chosen);
	const char *pattern = "all", *schedule = NULL;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = processors > 0 ? (unsigned)processors : 1, count = 0;
	bool verbose = false;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 's':
			pattern = optarg;
			break;
		case 'm':
			choose_mode(&options, optarg);
			break;
		case 'n':
			options.schedules = number(optarg);
			break;
		case 'e':
			options.seed = number(optarg);
			break;
		case 'p':
			options.preemptions = (unsigned)number(optarg);
			break;
		case 'r':
			schedule = optarg;
			break;
		case 'j':
			jobs = (unsigned)number(optarg);
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	if (optind != argc)
		bad("unknown argument", argv[optind]);
	if (!lincheck_selftest())
		bad("the linearizability checker is wrong", "see lincheck.c");
	if (strcmp(pattern, "list") == 0)
		return list();
	if (schedule != NULL)
		return replay(pattern, schedule);
	for (unsigned i = 0; chosen != NULL && i < scenario_count; i++)
		if (selected(&scenarios[i], pattern))
			chosen[count++] = &scenarios[i];
	if (count == 0)
		bad("no such scenario", pattern);
	return workers_run(chosen, count, &options, jobs > 0 ? jobs : 1, verbose) ? 0 : 1;
}
