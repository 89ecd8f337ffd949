/* SPDX-License-Identifier: BSD-2-Clause */
#include "history.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *verb_name(enum verb verb)
{
	/* clang-format off */
	static const char *const names[VERBS] = {
		"put",	 "add",	 "replace", "cas",	  "delete",	  "delete_if", "find",
		"clear", "grow", "shrink",  "begin_grow", "begin_shrink", "reclaim", "any", "resize",
	};
	/* clang-format on */

	return names[verb];
}

bool verb_has_key(enum verb verb)
{
	return verb <= VERB_FIND;
}

bool verb_stores(enum verb verb)
{
	return verb <= VERB_COMPARE_AND_SWAP;
}

static void print_event(const struct event *event)
{
	char call[64], outcome[64] = "";

	if (verb_has_key(event->verb))
		snprintf(call, sizeof call, "%s %c", verb_name(event->verb), 'a' + (int)event->key);
	else
		snprintf(call, sizeof call, "%s", verb_name(event->verb));
	if (verb_stores(event->verb))
		snprintf(call + strlen(call), sizeof call - strlen(call), " value %u", event->value);
	if (event->verb == VERB_COMPARE_AND_SWAP || event->verb == VERB_DELETE_IF)
		snprintf(call + strlen(call), sizeof call - strlen(call), " if %u", event->expected);
	if (event->end == NEVER)
		snprintf(outcome, sizeof outcome, "did not return");
	else if (event->verb == VERB_FIND)
		snprintf(outcome, sizeof outcome, event->found != 0 ? "found %u" : "absent", event->found);
	else
		snprintf(outcome, sizeof outcome, "%s", event->rc == 0 ? "0" : strerrorname_np(-event->rc));
	printf("#   thread %u  [%4lu, ", event->thread, (unsigned long)event->begin);
	if (event->end == NEVER)
		printf("   -]");
	else
		printf("%4lu]", (unsigned long)event->end);
	printf("  %-24s %s", call, outcome);
	if (event->end != NEVER && event->version != 0)
		printf(", version %lu", (unsigned long)event->version);
	printf("\n");
}

void history_print(const struct history *history)
{
	for (unsigned i = 0; i < history->count; i++)
		print_event(&history->event[i]);
}
