/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include "report.h"
#include "schedule.h"
#include "subject.h"

#include <rcumap.h>

#include <errno.h>
#include <string.h>

/* Points within a loader: others get on while it runs. */
#define POINTS 6u

bool load_is(enum verb verb)
{
	return verb == VERB_LOAD || verb == VERB_LOAD_ERROR;
}

/* ---- the call */

struct loading {
	struct event *event;
	struct content value;
	uint64_t ttl_ms;
};

static int load(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	struct loading *loading = ctx;
	struct event *event = loading->event;

	(void)key;
	(void)key_size;
	if (schedule_section_inside())
		report_failure("a loader runs inside a section");
	if (event->load_begin != 0)
		report_failure("one call has loaded twice");
	event->load_begin = schedule_time();
	event->load_end = NEVER;
	for (unsigned i = 0; i < POINTS; i++)
		schedule_point();
	event->load_end = schedule_time();
	value->data = loading->value.bytes;
	value->size = loading->value.size;
	value->ttl_ms = loading->ttl_ms;
	return event->verb == VERB_LOAD ? 0 : -EIO;
}

void load_apply(struct rcumap *map, struct event *event, uint64_t ttl_ms)
{
	const struct rcumap_entry *entry = NULL;
	struct loading loading = { .event = event, .ttl_ms = ttl_ms };
	struct content key;
	struct rcumap_loader loader = {
		.size = sizeof loader, .load = load, .ctx = &loading, .timeout_ms = 1000000
	};

	if (event->verb == VERB_LOAD_ERROR)
		loader.error_ttl_ms = event->life == ENDLESS ? 0 : ttl_ms;
	content_of_key(&key, event->key);
	content_of_value(&loading.value, event->key, event->value);
	event->rc = rcumap_get_or_load(map, key.bytes, key.size, &loader, &entry);
	if (event->rc != 0)
		return;
	schedule_point(); /* it is held: it stays as it is while others go on */
	if (rcumap_entry_key_size(entry) != key.size || memcmp(rcumap_entry_key(entry), key.bytes, key.size) != 0)
		report_failure("get_or_load returned an entry of another key");
	event->found = content_value(event->key, rcumap_entry_value(entry), rcumap_entry_value_size(entry));
	event->version = rcumap_entry_version(entry);
	rcumap_release(map, entry);
}

/* ---- what must hold */

/* May it displace a placeholder? */
static bool interferes(const struct event *event, unsigned key)
{
	switch (event->verb) {
	case VERB_CLEAR:
		return true;
	case VERB_TOUCH:
		return event->key == key && event->life == 0;
	case VERB_PUT:
	case VERB_ADD:
	case VERB_UPDATE:
	case VERB_UPDATE_REMOVE:
	case VERB_DELETE:
	case VERB_DELETE_IF:
		return event->key == key;
	default:
		return false;
	}
}

/* Could a placeholder of the key that was there at `from` have been displaced by `to`? */
static bool may_be_displaced(const struct history *history, unsigned key, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < history->count; i++)
		if (interferes(&history->event[i], key) && history->event[i].begin < to && history->event[i].end > from)
			return true;
	return history->evicts;
}

bool load_may_be_overtaken(const struct history *history, const struct event *load)
{
	return load->load_begin != 0 && may_be_displaced(history, load->key, load->begin, load->end);
}

/* Two loaders run only if the placeholder of one had been displaced when that of the other came. */
static void check_alone(const struct history *history, const struct event *first, const struct event *second)
{
	if (second->load_begin > first->load_begin && second->load_begin < first->load_end &&
	    !may_be_displaced(history, first->key, first->begin, second->load_begin) &&
	    !may_be_displaced(history, first->key, second->begin, first->load_begin))
		report_failure("key %c is loaded by two threads at a time", 'a' + (int)first->key);
}

/* Has it certainly displaced what was under its key? */
static bool displaces(const struct event *event, unsigned key)
{
	switch (event->verb) {
	case VERB_PUT:
	case VERB_UPDATE:
	case VERB_UPDATE_REMOVE:
	case VERB_DELETE:
		return event->key == key && (event->rc == 0 || event->rc == -ENOENT) && event->end != NEVER;
	default:
		return false;
	}
}

/* `call` was given what `load` has loaded. */
static void check_fresh(const struct history *history, const struct event *load, const struct event *call)
{
	for (unsigned i = 0; i < history->count; i++) {
		const struct event *event = &history->event[i];

		if (displaces(event, call->key) && event->begin > load->load_begin && event->end < call->begin)
			report_failure("value %u of key %c was loaded before a %s that had returned when it was asked for",
				       load->value, 'a' + (int)call->key, verb_name(event->verb));
	}
}

/* Likewise, by clear: unless a touch puts a copy in the place of what was there. */
static bool clears(const struct history *history, const struct event *event, unsigned key)
{
	if (event->verb != VERB_CLEAR || event->rc != 0 || event->end == NEVER)
		return false;
	for (unsigned i = 0; i < history->count; i++)
		if (history->event[i].verb == VERB_TOUCH && history->event[i].key == key &&
		    event_overlaps(&history->event[i], event))
			return false;
	return true;
}

/* Who stores or removes the key while it is loaded, or later, wins: the value is found no more. */
static void check_not_stored(const struct history *history, const struct event *load)
{
	const struct event *winner = NULL, *finder = NULL;

	/* The last find of the value, if it was found. */
	for (unsigned i = 0; i < history->count; i++) {
		const struct event *event = &history->event[i];

		if (event->verb == VERB_FIND && event->key == load->key && event->found == load->value &&
		    (finder == NULL || event->begin > finder->begin))
			finder = event;
	}
	for (unsigned i = 0; i < history->count && finder != NULL; i++) {
		const struct event *event = &history->event[i];

		if ((displaces(event, load->key) || clears(history, event, load->key)) &&
		    event->begin > load->load_begin && event->end < finder->begin)
			winner = event;
	}
	if (winner != NULL)
		report_failure("value %u of key %c was found after a %s that had come during or after its load", load->value,
			       'a' + (int)load->key, verb_name(winner->verb));
}

void load_check(const struct history *history)
{
	for (unsigned i = 0; i < history->count; i++)
		if (history->event[i].verb == VERB_LOAD && history->event[i].load_begin != 0)
			check_not_stored(history, &history->event[i]);
	for (unsigned i = 0; i < history->count; i++)
		for (unsigned j = 0; j < history->count; j++) {
			const struct event *a = &history->event[i], *b = &history->event[j];

			if (i == j || a->load_begin == 0 || a->key != b->key || !load_is(b->verb))
				continue;
			if (b->load_begin != 0)
				check_alone(history, a, b);
			if (a->verb == VERB_LOAD && b->end != NEVER && b->rc == 0 && b->found == a->value)
				check_fresh(history, a, b);
		}
}
