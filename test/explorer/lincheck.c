/* SPDX-License-Identifier: BSD-2-Clause */
#include "lincheck.h"

#include <errno.h>
#include <string.h>

/* The events of one key, and the search among them. */
struct search {
	const struct event *event[HISTORY_MAX];
	unsigned count;
	struct seen {
		uint64_t done;
		unsigned value;
	} seen[1 << 8]; /* configurations that lead nowhere */
};

static bool overlaps(const struct event *a, const struct event *b)
{
	return a->begin < b->end && b->begin < a->end;
}

static bool overlapped_by_store(const struct search *search, const struct event *clear)
{
	for (unsigned i = 0; i < search->count; i++)
		if (verb_stores(search->event[i]->verb) && overlaps(search->event[i], clear))
			return true;
	return false;
}

/* What concerns a key. A clear is there once for itself, and once for each store that overlaps it. */
static void collect_events(struct search *search, const struct history *history, unsigned key)
{
	search->count = 0;
	for (unsigned i = 0; i < history->count; i++) {
		const struct event *event = &history->event[i];
		bool of_key = verb_has_key(event->verb) && event->key == key;

		if (event->verb != VERB_CLEAR && !of_key)
			continue;
		search->event[search->count++] = event;
		for (unsigned j = 0; event->verb == VERB_CLEAR && j < history->count; j++)
			if (verb_stores(history->event[j].verb) && history->event[j].key == key &&
			    overlaps(&history->event[j], event) && search->count < HISTORY_MAX)
				search->event[search->count++] = event;
	}
}

/* What a call may leave behind if it takes effect on `value` now. */
struct effect {
	unsigned count; /* 0: its result contradicts */
	unsigned value[2];
};

static const struct effect contradiction;

static struct effect becomes(unsigned value)
{
	return (struct effect){ .count = 1, .value = { value } };
}

/* A result that the value's state must explain: rc as the sequential map would return it. */
static struct effect expect(const struct event *event, int rc, unsigned value)
{
	return event->end == NEVER || event->rc == rc ? becomes(value) : contradiction;
}

static struct effect apply(const struct search *search, const struct event *event, unsigned value)
{
	if (event->end != NEVER && event->rc == -ENOMEM && event->verb != VERB_CLEAR)
		return becomes(value);
	switch (event->verb) {
	case VERB_PUT:
		return expect(event, 0, event->value);
	case VERB_ADD:
		return value == 0 ? expect(event, 0, event->value) : expect(event, -EEXIST, value);
	case VERB_REPLACE:
		return value != 0 ? expect(event, 0, event->value) : expect(event, -ENOENT, 0);
	case VERB_COMPARE_AND_SWAP:
		if (value == 0)
			return expect(event, -ENOENT, 0);
		return value == event->expected ? expect(event, 0, event->value) : expect(event, -ESTALE, value);
	case VERB_DELETE:
		return value != 0 ? expect(event, 0, 0) : expect(event, -ENOENT, 0);
	case VERB_DELETE_IF:
		if (value == 0)
			return expect(event, -ENOENT, 0);
		return value == event->expected ? expect(event, 0, 0) : expect(event, -ESTALE, value);
	case VERB_FIND:
		return event->end == NEVER || event->found == value ? becomes(value) : contradiction;
	case VERB_CLEAR:
		if (event->rc == -ENOMEM || overlapped_by_store(search, event))
			return (struct effect){ .count = 2, .value = { 0, value } };
		return becomes(0);
	default:
		return becomes(value);
	}
}

/* Whether we were here before; we are now. */
static bool known_dead_end(struct search *search, uint64_t done, unsigned value)
{
	const unsigned size = sizeof search->seen / sizeof search->seen[0];
	uint64_t h = (done * 31 + value) * UINT64_C(0x9e3779b97f4a7c15) >> 56;

	if (done == 0)
		return false; /* the start; and how a free place looks */
	for (unsigned i = 0; i < 16; i++) {
		struct seen *seen = &search->seen[(h + i) % size];

		if (seen->done == done && seen->value == value)
			return true;
		if (seen->done == 0) {
			*seen = (struct seen){ done, value };
			return false;
		}
	}
	return false; /* no place left: then it is searched once more */
}

/* Can the calls not in `done` be ordered from here? */
static bool possible(struct search *search, uint64_t done, unsigned value)
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
	if (known_dead_end(search, done, value))
		return false;
	for (unsigned i = 0; i < search->count; i++) {
		const struct event *event = search->event[i];

		/* Not before a call that had returned when this one began. */
		if ((done >> i & 1) != 0 || event->begin > first_end)
			continue;

		struct effect effect = apply(search, event, value);

		for (unsigned e = 0; e < effect.count; e++)
			if (possible(search, done | UINT64_C(1) << i, effect.value[e]))
				return true;
	}
	return false;
}

bool lincheck(const struct history *history, const unsigned initial[KEYS_MAX], unsigned *key)
{
	static struct search search;

	for (*key = 0; *key < KEYS_MAX; (*key)++) {
		collect_events(&search, history, *key);
		memset(search.seen, 0, sizeof search.seen);
		if (!possible(&search, 0, initial[*key]))
			return false;
	}
	return true;
}

/* ---- the checker checked */

static bool linearizable(const struct event *events, unsigned count, unsigned initial)
{
	struct history history = { .count = count };
	unsigned key, initials[KEYS_MAX] = { initial };

	memcpy(history.event, events, count * sizeof events[0]);
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

#define CHECK(events, initial) linearizable(events, sizeof events / sizeof events[0], initial)
	return !CHECK(found_before_stored, 0) && CHECK(found_while_stored, 0) && !CHECK(forgotten, 0) &&
	       !CHECK(added_twice, 0) && !CHECK(deleted_twice, 1) && CHECK(pending_seen, 1) &&
	       !CHECK(pending_unseen, 1) && CHECK(swapped, 1) && !CHECK(spared, 1);
#undef CHECK
}
