/* SPDX-License-Identifier: BSD-2-Clause */
#include "history.h"

#include "hour.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *verb_name(enum verb verb)
{
	/* clang-format off */
	static const char *const names[VERBS] = {
		"put", "add", "replace", "cas", "update", "load", "load_error", "update_remove", "delete", "delete_if", "find", "ttl", "touch",
		"clear", "grow", "shrink", "begin_grow", "begin_shrink", "reclaim", "expire", "tick",
		"any", "any_life", "resize",
	};
	/* clang-format on */

	return names[verb];
}

bool verb_has_key(enum verb verb)
{
	return verb <= VERB_TOUCH;
}

bool verb_stores(enum verb verb)
{
	return verb <= VERB_UPDATE;
}

bool verb_has_life(enum verb verb)
{
	return verb_stores(verb) || verb == VERB_TOUCH || verb == VERB_LOAD || verb == VERB_LOAD_ERROR;
}

bool event_overlaps(const struct event *a, const struct event *b)
{
	return a->begin < b->end && b->begin < a->end;
}

bool event_inserts(const struct event *event)
{
	if (event->verb == VERB_LOAD || event->verb == VERB_LOAD_ERROR)
		return true; /* its placeholder */
	return (event->verb == VERB_PUT || event->verb == VERB_ADD || event->verb == VERB_UPDATE) && event->life != 0;
}

bool event_builds(const struct event *event)
{
	return verb_has_life(event->verb) && event->life != 0;
}

/* How a call went: its result, and what it saw. */
static void print_outcome(const struct event *event)
{
	char outcome[64];

	if (event->rc != 0)
		snprintf(outcome, sizeof outcome, "%s", strerrorname_np(-event->rc));
	else if (event->verb == VERB_TTL && event->left == ENDLESS)
		snprintf(outcome, sizeof outcome, "endless");
	else if (event->verb == VERB_TTL)
		snprintf(outcome, sizeof outcome, "%u left", event->left);
	else if (event->verb == VERB_FIND || event->verb == VERB_LOAD || event->verb == VERB_LOAD_ERROR)
		snprintf(outcome, sizeof outcome, "found %u", event->found);
	else
		snprintf(outcome, sizeof outcome, "0");
	printf("%s", event->verb == VERB_FIND && event->found == 0 ? "absent" : outcome);
	if ((event->verb == VERB_UPDATE || event->verb == VERB_UPDATE_REMOVE) && event->found != UNSEEN)
		printf(" of %u", event->found);
	if (event->version != 0)
		printf(", version %lu", (unsigned long)event->version);
}

static void print_event(const struct event *event)
{
	char call[64];

	if (verb_has_key(event->verb))
		snprintf(call, sizeof call, "%s %c", verb_name(event->verb), 'a' + (int)event->key);
	else
		snprintf(call, sizeof call, "%s", verb_name(event->verb));
	if (verb_stores(event->verb) || event->verb == VERB_LOAD)
		snprintf(call + strlen(call), sizeof call - strlen(call), " value %u", event->value);
	if (event->verb == VERB_COMPARE_AND_SWAP || event->verb == VERB_DELETE_IF)
		snprintf(call + strlen(call), sizeof call - strlen(call), " if %u", event->expected);
	if (verb_has_life(event->verb) && event->life != ENDLESS)
		snprintf(call + strlen(call), sizeof call - strlen(call), " for %u", event->life);
	printf("#   thread %u  [%4lu, ", event->thread, (unsigned long)event->begin);
	if (event->end == NEVER)
		printf("   -]");
	else
		printf("%4lu]", (unsigned long)event->end);
	if (event->hour_end > HOUR_FIRST)
		printf("  hour %u-%u", event->hour_begin, event->hour_end);
	printf("  %-24s ", call);
	if (event->end == NEVER)
		printf("did not return");
	else
		print_outcome(event);
	if (event->load_begin != 0)
		printf(", loaded [%lu, %ld]", (unsigned long)event->load_begin, (long)event->load_end);
	printf("\n");
}

void history_print(const struct history *history)
{
	for (unsigned i = 0; i < history->count; i++)
		print_event(&history->event[i]);
}
