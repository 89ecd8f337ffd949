/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Depth-first through all schedules with a bounded number of preemptions (Musuvathi and Qadeer, "Iterative context bounding",
 * 2007). The stack holds every point of the last run at which another thread could have been chosen; the next run
 * repeats it up to the last such point that has an alternative left.
 */
#include "strategy.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#define POINTS_MAX 20000u

struct choice {
	unsigned char chosen;
	unsigned char current; /* who asked; SCHEDULE_THREADS_MAX: he could not go on, so no choice is a preemption */
	unsigned char runnable; /* of the view: to see that the repetition is one */
	unsigned char left; /* alternatives not tried yet, a bit for each */
	unsigned char preemptions; /* in the points before this one */
};

static struct choice choices[POINTS_MAX];
static unsigned chosen_count; /* choices that the next run repeats */
static unsigned point; /* choices so far in this run */
static unsigned preemptions_max;

static bool is_preemption(const struct choice *choice)
{
	return choice->current != SCHEDULE_THREADS_MAX && choice->chosen != choice->current;
}

static unsigned default_of(const struct schedule_view *view)
{
	return view->current != SCHEDULE_NOBODY ? (unsigned)view->current : (unsigned)__builtin_ctz(view->runnable);
}

static unsigned pick_dfs(const struct schedule_view *view)
{
	struct choice *choice = &choices[point];

	if (point == POINTS_MAX)
		report_failure("more than %u choices in one run", POINTS_MAX);
	if (point++ < chosen_count) {
		if (choice->runnable != view->runnable)
			report_failure("choice %u is not that of the run before: something outside has changed",
				       point - 1);
		return choice->chosen;
	}
	chosen_count = point;
	choice->chosen = (unsigned char)default_of(view);
	choice->current = (unsigned char)(view->current == SCHEDULE_NOBODY ? (int)SCHEDULE_THREADS_MAX : view->current);
	choice->runnable = (unsigned char)view->runnable;
	choice->preemptions = 0;
	if (choice > choices)
		choice->preemptions = (unsigned char)(choice[-1].preemptions + is_preemption(&choice[-1]));
	choice->left = 0;
	if (view->current == SCHEDULE_NOBODY || choice->preemptions < preemptions_max)
		choice->left = (unsigned char)(view->runnable & ~(1u << choice->chosen));
	return choice->chosen;
}

static const struct strategy dfs_strategy = { pick_dfs, NULL };

const struct strategy *strategy_dfs(void)
{
	point = 0;
	return &dfs_strategy;
}

void strategy_dfs_start(unsigned preemptions)
{
	preemptions_max = preemptions;
	chosen_count = 0;
}

bool strategy_dfs_next(void)
{
	while (chosen_count > 0 && choices[chosen_count - 1].left == 0)
		chosen_count--;
	if (chosen_count == 0)
		return false;

	struct choice *choice = &choices[chosen_count - 1];

	choice->chosen = (unsigned char)__builtin_ctz(choice->left);
	choice->left &= (unsigned char)(choice->left - 1);
	return true;
}

void strategy_dfs_name(char *name, size_t size)
{
	size_t used = 0;

	name[0] = '\0';
	for (unsigned i = 0; i < point && used + 16 < size; i++)
		if (is_preemption(&choices[i]) || (choices[i].current == SCHEDULE_THREADS_MAX && i > 0))
			used += (size_t)snprintf(name + used, size - used, "%s%u>%u", used > 0 ? "," : "", i,
						 choices[i].chosen);
	if (point > 0 && choices[0].chosen != 0)
		snprintf(name + used, size - used, "%s0>%u", used > 0 ? "," : "", choices[0].chosen);
}

/* ---- replay */

static unsigned char replay_choices[POINTS_MAX]; /* a thread + 1; 0: the default */

static unsigned pick_replay(const struct schedule_view *view)
{
	unsigned chosen = point < POINTS_MAX ? replay_choices[point] : 0;

	point++;
	return chosen != 0 ? chosen - 1 : default_of(view);
}

static const struct strategy replay_strategy = { pick_replay, NULL };

const struct strategy *strategy_dfs_replay(const char *switches)
{
	point = 0;
	while (*switches != '\0') {
		char *end;
		unsigned long at = strtoul(switches, &end, 10), thread;

		if (end == switches || *end != '>' || at >= POINTS_MAX)
			return NULL;
		switches = end + 1;
		thread = strtoul(switches, &end, 10);
		if (end == switches || thread >= SCHEDULE_THREADS_MAX || (*end != ',' && *end != '\0'))
			return NULL;
		replay_choices[at] = (unsigned char)(thread + 1);
		switches = *end == ',' ? end + 1 : end;
	}
	return &replay_strategy;
}
