/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress: many readers and some writers on one map, for as long as you like, and every operation checked.
 *
 * Exit status: 0 no violation; 1 a violation, said on stderr with the arguments that show it again; 2 bad arguments;
 * killed (SIGKILL) when something hangs, after naming the scenario, the seed and the threads.
 */
#include "counting.h"
#include "run.h"
#include "scenarios.h"

#include "harness/args.h"
#include "harness/random.h"
#include "harness/team.h"

#include <stdio.h>
#include <string.h>

/* In order of what is cheapest to debug. */
static const struct scenario scenarios[] = {
	{ "replace", "keys that are always there are replaced", replace_play },
	{ "churn", "keys come and go, some of them all the time", churn_play },
	{ "collide", "the same, with twelve keys to a hash", collide_play },
	{ "swap", "counters, by compare_and_swap and by delete_if and add", swap_play },
	{ "resize", "the table grows and shrinks a hundredfold", resize_play },
	{ "spawn", "threads that live for a few operations", spawn_play },
	{ "stall", "a reader that stays in his section", stall_play },
	{ "expire", "lives of milliseconds, and deadlines that many share", expire_play },
	{ "lives", "lives of hours that end early, and whether their reminders go", lives_play },
	{ "hold", "entries that are held beyond their section, and handed on", hold_play },
	{ "limit", "many more keys than a map with a limit may hold", limit_play },
	{ "bytes", "as much more than a map with a limit on bytes may take", bytes_play },
	{ "load", "keys that many miss, and one loads", load_play },
	{ "told", "a callback that writes, with much to tell", told_play },
	{ "fork", "children that go on with the map (bp alone)", fork_play },
	{ "mixed", "every verb on few keys by everybody", mixed_play },
};

#define SCENARIO_COUNT ((unsigned)(sizeof scenarios / sizeof scenarios[0]))

enum { ALLOCATOR_BUILTIN, ALLOCATOR_COUNTING, ALLOCATOR_BOTH };

/* Beyond this a run has hung, also outside of rounds, where its own watchdog looks (run.c). */
#define RUN_PATIENCE_S 300u

static void play_run(struct team_member *member)
{
	run_play(member->ctx);
}

/* A thread of its own, so that main() needs no registration, and the team's watchdog guards it. */
static void play(const struct settings *settings, const struct scenario *scenario, enum flavor flavor, bool counting,
		 uint64_t ns)
{
	struct counting bytes = { 0 };
	struct run run = { .settings = settings,
			   .scenario = scenario,
			   .flavor = flavor,
			   .counting = counting ? &bytes : NULL,
			   .ns = ns };
	char name[64];
	struct team_options options = { .threads = 1,
					.work = play_run,
					.ctx = &run,
					.name = name,
					.register_flavor = true,
					.flavor = flavor,
					.watchdog_s = (unsigned)(ns / 1000000000u) + RUN_PATIENCE_S };

	snprintf(name, sizeof name, "%s, flavor %s, seed %ju", scenario->name, flavor_names[flavor],
		 (uintmax_t)settings->seed);
	team_run(&options);
}

static void list_scenarios(void)
{
	for (unsigned i = 0; i < SCENARIO_COUNT; i++)
		printf("%-10s %s\n", scenarios[i].name, scenarios[i].about);
}

int main(int argc, char **argv)
{
	static const char *const allocator_names[] = { "builtin", "counting", "both", NULL };
	const char *scenario_names[SCENARIO_COUNT + 3] = { 0 }, *flavor_choices[FLAVOR_COUNT + 2] = { 0 };
	struct settings settings = { .seconds = 60, .readers = 64, .writers = 4, .seed = rng_fresh_seed() };
	unsigned scenario = SCENARIO_COUNT, flavor = FLAVOR_COUNT, allocator = ALLOCATOR_BOTH, runs = 0;
	const struct arg args[] = {
		ARG_U64("seconds", &settings.seconds, "in all, shared out over scenarios and flavors"),
		ARG_U64("threads", &settings.readers, "readers"),
		ARG_U64("writers", &settings.writers, "writers"),
		ARG_U64("seed", &settings.seed, "of all that is random"),
		ARG_CHOICE("flavor", &flavor, flavor_choices, "RCU flavor"),
		ARG_CHOICE("scenario", &scenario, scenario_names, "what to play; list: say what there is"),
		ARG_CHOICE("allocator", &allocator, allocator_names, "of the maps; both: by turns"),
		ARG_END,
	};

	for (unsigned i = 0; i < SCENARIO_COUNT; i++)
		scenario_names[i] = scenarios[i].name;
	scenario_names[SCENARIO_COUNT] = "all";
	scenario_names[SCENARIO_COUNT + 1] = "list";
	memcpy(flavor_choices, flavor_names, FLAVOR_COUNT * sizeof flavor_choices[0]);
	flavor_choices[FLAVOR_COUNT] = "all";
	args_parse(args, "Readers and writers on one map, with every operation checked.", argc, argv);
	if (scenario == SCENARIO_COUNT + 1) {
		list_scenarios();
		return 0;
	}
	if (settings.readers > 4096 || settings.writers < 1 || settings.writers > 256) {
		fprintf(stderr, "stress: up to 4096 readers, and 1 to 256 writers\n");
		return 2;
	}
	runs = (scenario == SCENARIO_COUNT ? SCENARIO_COUNT : 1) * (flavor == FLAVOR_COUNT ? FLAVOR_COUNT : 1);
	printf("stress: seed %ju, %ju readers, %ju writers, %ju s\n", (uintmax_t)settings.seed,
	       (uintmax_t)settings.readers, (uintmax_t)settings.writers, (uintmax_t)settings.seconds);
	fflush(stdout);
	for (unsigned i = 0; i < SCENARIO_COUNT * FLAVOR_COUNT; i++) {
		unsigned s = i / FLAVOR_COUNT, f = i % FLAVOR_COUNT;
		/* By turns, so that each scenario gets both, and each seed's parity the other way round. */
		bool counting =
			allocator == ALLOCATOR_BOTH ? (s + f + settings.seed) % 2 : allocator == ALLOCATOR_COUNTING;

		if ((scenario == SCENARIO_COUNT || scenario == s) && (flavor == FLAVOR_COUNT || flavor == f))
			play(&settings, &scenarios[s], (enum flavor)f, counting, settings.seconds * 1000000000u / runs);
	}
	printf("stress: no violation in %u runs, seed %ju\n", runs, (uintmax_t)settings.seed);
	return 0;
}
