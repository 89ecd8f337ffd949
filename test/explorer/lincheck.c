/* SPDX-License-Identifier: BSD-2-Clause */
#include "lincheck.h"

#include "load.h"
#include "report.h"

#include <errno.h>
#include <string.h>

#define EVENTS_MAX 64u

/* The events of one key, and the search among them. */
struct search {
	const struct event *event[EVENTS_MAX];
	const struct history *history;
	bool evicts[EVENTS_MAX]; /* not the call itself, but that it may have evicted the key */
	unsigned count;
	unsigned number; /* of this search, from 1 on */
	struct seen {
		unsigned search;
		uint64_t done;
		struct lincheck_state state;
	} seen[1 << 12]; /* configurations that lead nowhere */
};

/* Does it put an entry in the place of another, so that a clear may miss both? A touch does, if it copies the entry. */
static bool renews(enum verb verb)
{
	return verb_stores(verb) || verb == VERB_TOUCH || verb == VERB_LOAD;
}

static bool renewed_during(const struct search *search, const struct event *clear)
{
	for (unsigned i = 0; i < search->count; i++)
		if (!search->evicts[i] && renews(search->event[i]->verb) && event_overlaps(search->event[i], clear))
			return true;
	return false;
}

static void add_event(struct search *search, const struct event *event, bool evicts)
{
	if (search->count == EVENTS_MAX)
		report_failure("more than %u calls on one key", EVENTS_MAX);
	search->evicts[search->count] = evicts;
	search->event[search->count++] = event;
}

/* The reclaimer's own work, which evicts for what it lacks within a limit on bytes. */
static bool relieves(const struct event *event)
{
	return event->verb == VERB_GROW || event->verb == VERB_SHRINK || event->verb == VERB_EXPIRE;
}

/* What concerns a key. A clear is there once for itself, and once for each call that overlaps it and renews the key. */
static void collect_events(struct search *search, const struct history *history, unsigned key)
{
	search->count = 0;
	search->history = history;
	for (unsigned i = 0; i < history->count; i++) {
		const struct event *event = &history->event[i];
		bool of_key = verb_has_key(event->verb) && event->key == key;

		if (history->evicts && (history->evicts > 1 ? event_builds(event) || relieves(event) : event_inserts(event)))
			for (unsigned n = 0; n < history->evicts; n++)
				add_event(search, event, true);
		if (event->verb != VERB_CLEAR && !of_key)
			continue;
		add_event(search, event, false);
		for (unsigned j = 0; event->verb == VERB_CLEAR && j < history->count; j++)
			if (renews(history->event[j].verb) && history->event[j].key == key &&
			    event_overlaps(&history->event[j], event))
				add_event(search, event, false);
	}
}

/* ---- the sequential map. What a result says about the deadline narrows it down. */

static const struct lincheck_state gone = { 0, 0, 0 };

/* The deadline is ahead, at one moment of the call. */
static bool present(const struct event *event, struct lincheck_state *state)
{
	if (state->soonest <= event->hour_begin)
		state->soonest = event->hour_begin + 1;
	return state->value != 0 && state->soonest <= state->latest;
}

/* It has passed, if there is a value. To say so changes nothing: another call may have been quicker with the clock. */
static bool absent(const struct event *event, struct lincheck_state *state)
{
	if (state->value == 0)
		return true;
	if (state->latest > event->hour_end)
		state->latest = event->hour_end;
	return state->soonest <= state->latest;
}

static bool present_with(const struct event *event, struct lincheck_state *state, unsigned value)
{
	return state->value == value && present(event, state);
}

static bool present_without(const struct event *event, struct lincheck_state *state, unsigned value)
{
	return state->value != value && present(event, state);
}

static bool was(const struct event *event, struct lincheck_state *state, unsigned value)
{
	return value == 0 ? absent(event, state) : present_with(event, state, value);
}

/* A life of some hours from a moment of the call on. Nothing lives for none. */
static bool live(const struct event *event, struct lincheck_state *state)
{
	state->soonest = state->latest = ENDLESS;
	if (event->life == 0) {
		*state = gone;
	} else if (event->life != ENDLESS) {
		state->soonest = event->hour_begin + event->life;
		state->latest = event->hour_end + event->life;
	}
	return true;
}

static bool store(const struct event *event, struct lincheck_state *state)
{
	state->value = event->value;
	return live(event, state);
}

static bool update(const struct event *event, struct lincheck_state *state)
{
	if (event->found == UNSEEN || !was(event, state, event->found))
		return false;
	if (event->found == 0 && (event->verb == VERB_UPDATE_REMOVE || event->life == 0))
		return true;
	if (event->verb == VERB_UPDATE_REMOVE)
		return *state = gone, true;
	if (event->life != ENDLESS || event->found == 0)
		return store(event, state);
	state->value = event->value;
	return true;
}

static bool left(const struct event *event, struct lincheck_state *state)
{
	if (event->left == ENDLESS)
		return present(event, state) && state->latest == ENDLESS;
	if (!present(event, state) || state->latest == ENDLESS)
		return false;
	if (event->left == 0) /* it passed in the call */
		return absent(event, state);
	if (state->soonest < event->hour_begin + event->left)
		state->soonest = event->hour_begin + event->left;
	if (state->latest > event->hour_end + event->left)
		state->latest = event->hour_end + event->left;
	return state->soonest <= state->latest;
}

/* What was there; or, if it was absent, what the call has loaded itself, or is about to. */
static bool load(const struct event *event, struct lincheck_state *state)
{
	if (event->found != UNSEEN && (event->verb == VERB_LOAD_ERROR || event->found != event->value))
		return present_with(event, state, event->found);
	return absent(event, state) && (event->verb == VERB_LOAD_ERROR || event->life == 0 || store(event, state));
}

static bool succeed(const struct event *event, struct lincheck_state *state)
{
	switch (event->verb) {
	case VERB_PUT:
		return store(event, state);
	case VERB_ADD:
		return absent(event, state) && (event->life == 0 || store(event, state));
	case VERB_REPLACE:
		return present(event, state) && store(event, state);
	case VERB_COMPARE_AND_SWAP:
		return present_with(event, state, event->expected) && store(event, state);
	case VERB_UPDATE:
	case VERB_UPDATE_REMOVE:
		return update(event, state);
	case VERB_LOAD:
	case VERB_LOAD_ERROR:
		return load(event, state);
	case VERB_DELETE:
		return present(event, state) && (*state = gone, true);
	case VERB_DELETE_IF:
		return present_with(event, state, event->expected) && (*state = gone, true);
	case VERB_TOUCH:
		return present(event, state) && live(event, state);
	case VERB_CLEAR:
		*state = gone;
		return true;
	default:
		return true;
	}
}

/* In the history under check. */
static bool any_store_evicts;

static bool fail(const struct event *event, struct lincheck_state *state)
{
	const bool conditional = event->verb == VERB_COMPARE_AND_SWAP || event->verb == VERB_DELETE_IF;

	switch (event->rc) {
	case -ENOMEM:
		return true;
	case -EFBIG:
		return any_store_evicts && event_builds(event);
	case -EIO:
	case -ETIMEDOUT:
		return (event->verb == VERB_LOAD || event->verb == VERB_LOAD_ERROR) && absent(event, state);
	case -ENOSPC:
		return any_store_evicts ? event_builds(event) : event_inserts(event) && absent(event, state);
	case -EEXIST:
		return event->verb == VERB_ADD && present(event, state);
	case -ESTALE:
		return conditional && present_without(event, state, event->expected);
	case -ENOENT:
		return event->verb != VERB_PUT && event->verb != VERB_ADD && event->verb != VERB_UPDATE &&
		       event->verb != VERB_UPDATE_REMOVE && absent(event, state);
	default:
		return false;
	}
}

bool lincheck_apply(const struct event *event, struct lincheck_state *state)
{
	if (!verb_has_key(event->verb) && event->verb != VERB_CLEAR)
		return true;
	if (event->end == NEVER || event->verb == VERB_CLEAR)
		return succeed(event, state); /* if it took effect, it was this */
	if (event->verb == VERB_FIND)
		return was(event, state, event->found);
	if (event->rc != 0)
		return fail(event, state);
	return event->verb == VERB_TTL ? left(event, state) : succeed(event, state);
}

/* ---- the search */

static bool same(const struct lincheck_state *a, const struct lincheck_state *b)
{
	return a->value == b->value && a->soonest == b->soonest && a->latest == b->latest;
}

/* Whether we were here before; we are now. */
static bool known_dead_end(struct search *search, uint64_t done, const struct lincheck_state *state)
{
	const unsigned size = sizeof search->seen / sizeof search->seen[0];
	uint64_t h = (done * 31 + state->value) * UINT64_C(0x9e3779b97f4a7c15) >> 52;

	for (unsigned i = 0; i < 16; i++) {
		struct seen *seen = &search->seen[(h + i) % size];

		if (seen->search != search->number) {
			*seen = (struct seen){ search->number, done, *state };
			return false;
		}
		if (seen->done == done && same(&seen->state, state))
			return true;
	}
	return false; /* no place left: then it is searched once more */
}

static bool possible(struct search *search, uint64_t done, const struct lincheck_state *state);

/* Can the call have got a value that was loaded, by itself or another, and never stored, for the load was overtaken; or that
 * was found no more, for its life was over? */
static bool got_aside(const struct search *search, const struct event *event)
{
	if ((event->verb != VERB_LOAD && event->verb != VERB_LOAD_ERROR) || event->end == NEVER || event->rc != 0)
		return false;
	for (unsigned i = 0; i < search->count; i++) {
		const struct event *load = search->event[i];

		if (load->verb == VERB_LOAD && load->value == event->found && event_overlaps(load, event) &&
		    (load->life != ENDLESS || load_may_be_overtaken(search->history, load)))
			return true;
	}
	return false;
}

/* Can event i come first, and the others in some order? A put for 0 hours may find nothing to put an end to. */
static bool possible_after(struct search *search, uint64_t done, const struct lincheck_state *state, unsigned i)
{
	const struct event *event = search->event[i];
	struct lincheck_state after = *state;

	done |= UINT64_C(1) << i;
	/* Its own key, if the call is of it, and comes next. */
	if (search->evicts[i])
		return possible(search, done, state) || (state->value != 0 && possible(search, done, &gone));
	for (unsigned j = i; j > 0 && search->evicts[j - 1] && search->event[j - 1] == event; j--)
		done |= UINT64_C(1) << (j - 1); /* it has what it evicted for */
	if (lincheck_apply(event, &after) && possible(search, done, &after))
		return true;
	after = *state;
	if (got_aside(search, event))
		return absent(event, &after) && possible(search, done, &after);
	if (event->verb == VERB_PUT && event->life == 0)
		return absent(event, &after) && possible(search, done, &after);
	return event->verb == VERB_CLEAR && (event->rc == -ENOMEM || renewed_during(search, event)) &&
	       possible(search, done, state);
}

/* Can the calls not in `done` be ordered from here? */
static bool possible(struct search *search, uint64_t done, const struct lincheck_state *state)
{
	uint64_t first_end = NEVER;
	bool all_returned_done = true;

	for (unsigned i = 0; i < search->count; i++)
		if ((done >> i & 1) == 0 && search->event[i]->end != NEVER) {
			all_returned_done = false;
			if (search->event[i]->end < first_end)
				first_end = search->event[i]->end;
		}
	if (all_returned_done)
		return true; /* the others took no effect */
	if (known_dead_end(search, done, state))
		return false;
	for (unsigned i = 0; i < search->count; i++)
		/* Not before a call that had returned when this one began. */
		if ((done >> i & 1) == 0 && search->event[i]->begin <= first_end &&
		    possible_after(search, done, state, i))
			return true;
	return false;
}

bool lincheck(const struct history *history, const struct lincheck_state initial[KEYS_MAX], unsigned *key)
{
	static struct search search;

	any_store_evicts = history->evicts > 1;
	for (*key = 0; *key < KEYS_MAX; (*key)++) {
		collect_events(&search, history, *key);
		search.number++;
		if (!possible(&search, 0, &initial[*key]))
			return false;
	}
	return true;
}

/* ---- the checker checked */

static bool linearizable(const struct event *events, unsigned count, unsigned initial, bool evicts)
{
	struct history history = { .count = count, .evicts = evicts };
	struct lincheck_state initials[KEYS_MAX] = { { initial, ENDLESS, ENDLESS } };
	unsigned key;

	for (unsigned i = 0; i < count; i++) {
		history.event[i] = events[i];
		if (events[i].hour_begin == 0)
			history.event[i].life = ENDLESS; /* time does not matter */
	}
	return lincheck(&history, initials, &key);
}

bool lincheck_selftest(void)
{
	const struct event found_before_stored[] = {
		{ .verb = VERB_FIND, .found = 1, .begin = 1, .end = 2 },
		{ .verb = VERB_PUT, .value = 1, .begin = 3, .end = 4 },
	};
	const struct event found_while_stored[] = {
		{ .verb = VERB_FIND, .found = 1, .begin = 1, .end = 4 },
		{ .verb = VERB_PUT, .value = 1, .begin = 3, .end = 5 },
		{ .verb = VERB_FIND, .found = 1, .begin = 6, .end = 7 },
	};
	const struct event forgotten[] = {
		{ .verb = VERB_FIND, .found = 1, .begin = 1, .end = 4 },
		{ .verb = VERB_PUT, .value = 1, .begin = 3, .end = 8 },
		{ .verb = VERB_FIND, .found = 0, .begin = 5, .end = 6 },
	};
	const struct event added_twice[] = {
		{ .verb = VERB_ADD, .value = 1, .begin = 1, .end = 4 },
		{ .verb = VERB_ADD, .value = 2, .begin = 2, .end = 3 },
	};
	const struct event deleted_twice[] = {
		{ .verb = VERB_DELETE, .begin = 1, .end = 4 },
		{ .verb = VERB_DELETE, .begin = 2, .end = 3 },
	};
	const struct event pending_seen[] = {
		{ .verb = VERB_PUT, .value = 2, .begin = 1, .end = NEVER },
		{ .verb = VERB_FIND, .found = 1, .begin = 2, .end = 3 },
		{ .verb = VERB_FIND, .found = 2, .begin = 4, .end = 5 },
	};
	const struct event pending_unseen[] = {
		{ .verb = VERB_PUT, .value = 2, .begin = 1, .end = NEVER },
		{ .verb = VERB_FIND, .found = 2, .begin = 2, .end = 3 },
		{ .verb = VERB_FIND, .found = 1, .begin = 4, .end = 5 },
	};
	const struct event swapped[] = {
		{ .verb = VERB_COMPARE_AND_SWAP, .expected = 1, .value = 2, .begin = 1, .end = 9 },
		{ .verb = VERB_COMPARE_AND_SWAP, .expected = 1, .value = 3, .rc = -ESTALE, .begin = 2, .end = 3 },
		{ .verb = VERB_FIND, .found = 2, .begin = 10, .end = 11 },
	};
	const struct event spared[] = {
		{ .verb = VERB_CLEAR, .begin = 1, .end = 2 },
		{ .verb = VERB_FIND, .found = 1, .begin = 3, .end = 4 },
	};
	const struct event stored_for_1 = { .value = 1, .life = 1, .end = 1, .hour_begin = 1, .hour_end = 1 };
	const struct event overdue[] = {
		stored_for_1,
		{ .verb = VERB_FIND, .found = 1, .begin = 2, .end = 3, .hour_begin = 2, .hour_end = 2 },
	};
	const struct event gone_early[] = {
		stored_for_1,
		{ .verb = VERB_FIND, .begin = 2, .end = 3, .hour_begin = 1, .hour_end = 1 },
	};
	const struct event touch_lost[] = {
		stored_for_1,
		{ .verb = VERB_TOUCH, .life = 2, .begin = 2, .end = 3, .hour_begin = 1, .hour_end = 1 },
		{ .verb = VERB_FIND, .begin = 4, .end = 5, .hour_begin = 2, .hour_end = 2 },
	};
	const struct event touched_in_time[] = {
		stored_for_1,
		{ .verb = VERB_TOUCH, .life = 2, .begin = 2, .end = 7, .hour_begin = 1, .hour_end = 2 },
		{ .verb = VERB_FIND, .begin = 4, .end = 5, .hour_begin = 2, .hour_end = 2 },
		{ .verb = VERB_TTL, .left = 1, .begin = 8, .end = 9, .hour_begin = 2, .hour_end = 2 },
		{ .verb = VERB_FIND, .begin = 10, .end = 11, .hour_begin = 4, .hour_end = 4 },
	};
	const struct event touched_late[] = {
		stored_for_1,
		{ .verb = VERB_FIND, .begin = 4, .end = 5, .hour_begin = 2, .hour_end = 2 },
		{ .verb = VERB_TOUCH, .life = 2, .begin = 6, .end = 7, .hour_begin = 2, .hour_end = 2 },
	};
	const struct event deadline_known[] = {
		{ .value = 1, .life = 1, .end = 1, .hour_begin = 1, .hour_end = 2 },
		{ .verb = VERB_FIND, .found = 1, .begin = 2, .end = 3, .hour_begin = 2, .hour_end = 2 },
		{ .verb = VERB_TTL, .left = 2, .begin = 4, .end = 5, .hour_begin = 2, .hour_end = 2 },
	};
	const struct event update_keeps[] = {
		stored_for_1,
		{ .verb = VERB_UPDATE,
		  .value = 2,
		  .life = ENDLESS,
		  .found = 1,
		  .begin = 2,
		  .end = 3,
		  .hour_begin = 1,
		  .hour_end = 1 },
		{ .verb = VERB_FIND, .found = 2, .begin = 4, .end = 5, .hour_begin = 2, .hour_end = 2 },
	};
	const struct event update_missed[] = {
		{ .verb = VERB_UPDATE, .value = 2, .found = 1, .begin = 1, .end = 4 },
		{ .verb = VERB_UPDATE, .value = 3, .found = 1, .begin = 2, .end = 3 },
	};
	const struct event evicted[] = {
		{ .verb = VERB_FIND, .found = 1, .begin = 2, .end = 3 },
		{ .verb = VERB_PUT, .key = 1, .value = 2, .begin = 1, .end = 5 },
		{ .verb = VERB_FIND, .begin = 4, .end = 6 },
	};
	const struct event evicted_early[] = {
		{ .verb = VERB_FIND, .begin = 1, .end = 2 },
		{ .verb = VERB_PUT, .key = 1, .value = 2, .begin = 3, .end = 4 },
	};
	const struct event evicted_late[] = {
		{ .verb = VERB_PUT, .key = 1, .value = 2, .begin = 1, .end = 2 },
		{ .verb = VERB_FIND, .found = 1, .begin = 3, .end = 4 },
		{ .verb = VERB_FIND, .begin = 5, .end = 6 },
	};
	const struct event evicted_by_delete[] = {
		{ .verb = VERB_DELETE, .key = 1, .rc = -ENOENT, .begin = 1, .end = 2 },
		{ .verb = VERB_FIND, .begin = 3, .end = 4 },
	};
	const struct event evicted_twice[] = {
		{ .verb = VERB_PUT, .key = 1, .value = 2, .begin = 1, .end = 9 },
		{ .verb = VERB_FIND, .begin = 2, .end = 3 },
		{ .verb = VERB_PUT, .value = 3, .begin = 4, .end = 5 },
		{ .verb = VERB_FIND, .begin = 6, .end = 7 },
	};
	const struct event spared_for_another[] = {
		{ .verb = VERB_CLEAR, .begin = 1, .end = 4 },
		{ .verb = VERB_PUT, .key = 1, .value = 2, .begin = 2, .end = 3 },
		{ .verb = VERB_FIND, .found = 1, .begin = 5, .end = 6 },
	};
	const struct event no_space_to_replace[] = {
		{ .verb = VERB_PUT, .value = 2, .rc = -ENOSPC, .begin = 1, .end = 2 },
	};

#define CHECK_EVICTS(events, initial, evicts) linearizable(events, sizeof events / sizeof events[0], initial, evicts)
#define CHECK(events, initial) CHECK_EVICTS(events, initial, false)
	return !CHECK(found_before_stored, 0) && CHECK(found_while_stored, 0) && !CHECK(forgotten, 0) &&
	       !CHECK(added_twice, 0) && !CHECK(deleted_twice, 1) && CHECK(pending_seen, 1) &&
	       !CHECK(pending_unseen, 1) && CHECK(swapped, 1) && !CHECK(spared, 1) && !CHECK(overdue, 0) &&
	       !CHECK(gone_early, 0) && !CHECK(touch_lost, 0) && CHECK(touched_in_time, 0) && !CHECK(touched_late, 0) &&
	       !CHECK(deadline_known, 0) && !CHECK(update_keeps, 0) && !CHECK(update_missed, 1) &&
	       CHECK_EVICTS(evicted, 1, true) && !CHECK(evicted, 1) && !CHECK_EVICTS(evicted_early, 1, true) &&
	       !CHECK_EVICTS(evicted_late, 1, true) && !CHECK_EVICTS(evicted_by_delete, 1, true) &&
	       !CHECK_EVICTS(evicted_twice, 1, true) && !CHECK_EVICTS(spared_for_another, 1, true) &&
	       CHECK(no_space_to_replace, 0) && !CHECK(no_space_to_replace, 1);
#undef CHECK_EVICTS
#undef CHECK
}
