/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include "arena.h"
#include "draw.h"
#include "hour.h"
#include "lincheck.h"
#include "load.h"
#include "report.h"
#include "strategy.h"

#include <errno.h>
#include <string.h>

#define CALLS_MAX 48u
/* More than any scenario says that something lives. */
#define HOURS_MAX 12u
#define VALUES_MAX (HISTORY_MAX + 1)

static const struct scenario *scenario;
static struct draw choices; /* of the run */
static struct event before[CALLS_MAX], script[SCHEDULE_THREADS_MAX][CALLS_MAX];
static struct event resolved_script[SCHEDULE_THREADS_MAX][CALLS_MAX]; /* of the run */
static unsigned before_count, script_count[SCHEDULE_THREADS_MAX], thread_count;
static bool timed; /* something in it has a deadline */
static unsigned keys_used; /* one bit each */

/* Of the run that is under way. */
static struct history history;
static struct lincheck_state initial[KEYS_MAX];
static uint64_t version_of[VALUES_MAX]; /* of each value, once known */
static unsigned value_count;
static unsigned last_seen[SCHEDULE_THREADS_MAX][KEYS_MAX]; /* the value each thread saw last */

static void print_history(void)
{
	for (unsigned k = 0; k < KEYS_MAX; k++)
		if (initial[k].value != 0 && initial[k].latest != ENDLESS)
			report_print("  before: key %c has value %u until hour %u", 'a' + (int)k, initial[k].value,
				     initial[k].latest);
		else if (initial[k].value != 0)
			report_print("  before: key %c has value %u", 'a' + (int)k, initial[k].value);
	history_print(&history);
}

static void begin_thread(unsigned thread)
{
	(void)thread;
	scenario->subject->begin_thread();
}

/* `any` and `any_life` are of the first so many keys. */
#define ANY_KEYS 3u
#define ANY_LIFE_KEYS 2u

static unsigned keys_of(const struct event *call)
{
	if (call->verb == VERB_ANY)
		return (1u << ANY_KEYS) - 1;
	if (call->verb == VERB_ANY_LIFE)
		return (1u << ANY_LIFE_KEYS) - 1;
	return verb_has_key(call->verb) ? 1u << call->key : 0;
}

static void note_calls(const struct event calls[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		timed |= calls[i].verb == VERB_ANY_LIFE || calls[i].life != ENDLESS;
		keys_used |= keys_of(&calls[i]);
	}
}

void run_prepare(const struct scenario *of)
{
	scenario = of;
	before_count = scenario_parse(of->before, before, 0, CALLS_MAX);
	timed = false;
	keys_used = 0;
	note_calls(before, before_count);
	thread_count = 0;
	while (thread_count < SCHEDULE_THREADS_MAX && of->thread[thread_count] != NULL) {
		script_count[thread_count] =
			scenario_parse(of->thread[thread_count], script[thread_count], 0, CALLS_MAX);
		note_calls(script[thread_count], script_count[thread_count]);
		thread_count++;
	}
	report_on_failure(print_history);
	if (of->subject->begin_thread != NULL) {
		of->subject->begin_thread(); /* who prepares and observes */
		schedule_run(SCHEDULE_THREADS_MAX, begin_thread, strategy_plain());
	}
}

unsigned run_threads(void)
{
	return thread_count;
}

/* Versions and values must belong together one to one. */
static void note_version(unsigned value, uint64_t version)
{
	if (version == 0)
		report_failure("value %u has version 0", value);
	if (version_of[value] != 0 && version_of[value] != version)
		report_failure("value %u has version %lu and version %lu", value, (unsigned long)version_of[value],
			       (unsigned long)version);
	for (unsigned v = 1; v <= value_count; v++)
		if (v != value && version_of[v] == version)
			report_failure("values %u and %u have the same version %lu", v, value, (unsigned long)version);
	version_of[value] = version;
}

static void note_outcome(const struct event *event)
{
	if (event->rc == 0 && verb_stores(event->verb) && event->life != 0)
		note_version(event->value, event->version);
	if ((event->verb == VERB_FIND && event->found != 0) || (event->rc == 0 && load_is(event->verb))) {
		if (event->found > value_count)
			report_failure("value %u was found, which nobody stored", event->found);
		note_version(event->found, event->version);
	}
}

static void collect(void)
{
	if (scenario->kind == SCENARIO_RECLAIMS)
		return;
	schedule_mask();
	scenario->subject->collect();
	schedule_unmask();
}

static const enum verb any[] = { VERB_PUT,    VERB_ADD,	      VERB_REPLACE, VERB_COMPARE_AND_SWAP,
				 VERB_DELETE, VERB_DELETE_IF, VERB_FIND };
static const enum verb any_life[] = { VERB_PUT,	      VERB_ADD,	   VERB_REPLACE,       VERB_COMPARE_AND_SWAP,
				      VERB_UPDATE,    VERB_UPDATE, VERB_UPDATE_REMOVE, VERB_DELETE,
				      VERB_DELETE_IF, VERB_FIND,   VERB_TTL,	       VERB_TOUCH,
				      VERB_TOUCH,     VERB_TOUCH };

/* What `any`, `any_life` and `resize` stand for in this run. */
static struct event resolved(const struct event *call)
{
	struct event event = *call;

	if (call->verb == VERB_RESIZE)
		event.verb = draw_below(&choices, 2) == 0 ? VERB_GROW : VERB_SHRINK;
	if (call->verb == VERB_ANY) {
		event.verb = any[draw_below(&choices, sizeof any / sizeof any[0])];
		event.key = (unsigned)draw_below(&choices, ANY_KEYS);
	}
	if (call->verb == VERB_ANY_LIFE) {
		event.verb = any_life[draw_below(&choices, sizeof any_life / sizeof any_life[0])];
		event.key = (unsigned)draw_below(&choices, ANY_LIFE_KEYS);
		event.life = (unsigned)draw_below(&choices, 4);
		if (event.life == 0 && draw_below(&choices, 4) != 0)
			event.life = ENDLESS;
	}
	return event;
}

/* Perform a call as the running thread, recorded. */
static struct event *perform(const struct event *call, unsigned thread)
{
	struct event *event = &history.event[history.count++];

	*event = *call;
	event->thread = thread;
	if (verb_stores(call->verb) || call->verb == VERB_LOAD)
		event->value = ++value_count;
	event->begin = schedule_time();
	event->end = NEVER;
	event->hour_begin = event->hour_end = hour_now();
	event->found = UNSEEN;
	collect();
	if (call->verb == VERB_COMPARE_AND_SWAP || call->verb == VERB_DELETE_IF)
		event->expected = last_seen[thread][call->key];
	report_step("thread %u begins %s", thread, verb_name(call->verb));
	if (event->verb == VERB_TICK)
		hour_pass();
	else
		scenario->subject->apply(event, version_of[event->expected]);
	event->hour_end = hour_now();
	event->end = schedule_time();
	report_step("thread %u returns from %s: %d", thread, verb_name(call->verb), event->rc);
	note_outcome(event);
	collect();
	return event;
}

static void thread_body(unsigned thread)
{
	for (unsigned i = 0; i < script_count[thread]; i++) {
		struct event *event = perform(&resolved_script[thread][i], thread);

		if (event->rc == 0 && verb_stores(event->verb) && event->life != 0)
			last_seen[thread][event->key] = event->value;
		else if ((event->verb == VERB_FIND && event->found != 0) || (event->rc == 0 && load_is(event->verb)))
			last_seen[thread][event->key] = event->found;
	}
}

/* What a call evicted, before the threads began. */
static void forget_evicted(void)
{
	for (unsigned k = 0; history.evicts && k < KEYS_MAX; k++)
		if (initial[k].value != 0 && !scenario->subject->holds(k))
			initial[k] = (struct lincheck_state){ 0 };
}

static void do_before(void)
{
	for (unsigned i = 0; i < before_count; i++) {
		struct event *event = perform(&before[i], 0);

		if (event->rc != 0 && event->verb != VERB_LOAD_ERROR)
			report_failure("%s failed before the threads began", verb_name(event->verb));
		for (unsigned k = 0; k < KEYS_MAX; k++)
			if ((event->verb == VERB_CLEAR || event->key == k) && !lincheck_apply(event, &initial[k]))
				report_failure("%s of %c, before the threads began, did something else",
					       verb_name(event->verb), 'a' + (int)k);
		forget_evicted();
	}
	for (unsigned t = 0; t < thread_count; t++)
		for (unsigned k = 0; k < KEYS_MAX; k++)
			last_seen[t][k] = initial[k].value;
	history.count = 0;
}

/* What every key holds now, found by an observer and added to the history. */
static void find_all(unsigned value[KEYS_MAX])
{
	for (unsigned k = 0; k < KEYS_MAX; k++)
		value[k] = perform(&(struct event){ .verb = VERB_FIND, .key = k }, thread_count)->found;
}

/* Can it have room in its hands, for the entry that it stores or of the one that it removes? */
static bool has_room(const struct event *event)
{
	switch (event->verb) {
	case VERB_REPLACE:
	case VERB_COMPARE_AND_SWAP:
	case VERB_TOUCH:
		return event->life == 0 || history.evicts > 1;
	case VERB_FIND:
	case VERB_TTL:
		return false;
	default:
		return verb_has_key(event->verb) || event->verb == VERB_CLEAR || event->verb == VERB_EXPIRE;
	}
}

/* Who removes is never refused; who stores only while others have in their hands what there is. */
static void check_no_space(const struct event *event)
{
	unsigned others = 0; /* threads: a bit each */

	if (!verb_has_key(event->verb) && event->verb != VERB_CLEAR)
		return;
	if (!event_builds(event))
		report_failure("%s was refused for want of room", verb_name(event->verb));
	for (unsigned i = 0; i < history.count; i++)
		if (history.event[i].thread != event->thread && event_overlaps(&history.event[i], event) &&
		    has_room(&history.event[i]))
			others |= 1u << history.event[i].thread;
	if (!scenario->subject->refuses((unsigned)__builtin_popcount(others)))
		report_failure("%s of %c found nothing to evict, though only %u others have anything in their hands",
			       verb_name(event->verb), 'a' + (int)event->key, (unsigned)__builtin_popcount(others));
}

static void check_linearizable(void)
{
	unsigned key;

	for (unsigned i = 0; i < history.count; i++)
		if (history.event[i].end == NEVER)
			history.event[i].hour_end = hour_now();
	for (unsigned i = 0; i < history.count; i++)
		if (history.event[i].rc == -ENOSPC || history.event[i].rc == -EFBIG)
			check_no_space(&history.event[i]);
	load_check(&history);
	if (!lincheck(&history, initial, &key))
		report_failure("the calls on key %c are not linearizable", 'a' + (int)key);
}

/* After a thread was parked: what the others see must be in order, now and once it goes on. */
static void check_parked(void)
{
	const unsigned count = history.count;
	unsigned value[KEYS_MAX];

	find_all(value);
	check_linearizable();
	scenario->subject->check(value, false);
	history.count = count; /* the observer's calls would only be in the way */
	schedule_unpark();
}

/* Hours pass until nothing is left that has a deadline: what lives on is found, what does not is removed. */
static void check_hours(void)
{
	const struct subject *subject = scenario->subject;
	unsigned value[KEYS_MAX];

	for (unsigned hours = 0;; hours++) {
		bool left = subject->expire();

		find_all(value);
		subject->check(value, true);
		if (!left)
			break;
		if (hours == HOURS_MAX)
			report_failure("after %u hours there is still something that will expire, or a hint", hours);
		hour_pass();
	}
}

static void reset(void)
{
	hour_reset();
	memset(&history, 0, sizeof history);
	memset(initial, 0, sizeof initial);
	memset(version_of, 0, sizeof version_of);
	memset(last_seen, 0, sizeof last_seen);
	value_count = 0;
	arena_reset();
}

static void prepare_limit(void)
{
	const struct subject *subject = scenario->subject;

	history.evicts = subject->evicts == NULL ?
				 0 :
				 subject->evicts((unsigned)__builtin_popcount(keys_used), thread_count);
}

static bool run(const struct strategy *strategy, uint64_t seed, unsigned failing_allocation)
{
	unsigned value[KEYS_MAX];
	bool parked;

	reset();
	draw_init(&choices, seed);
	for (unsigned t = 0; t < thread_count; t++)
		for (unsigned i = 0; i < script_count[t]; i++)
			resolved_script[t][i] = resolved(&script[t][i]);
	scenario->subject->create(scenario->variant, seed);
	prepare_limit();
	do_before();
	arena_fail_at(failing_allocation);
	parked = schedule_run(thread_count, thread_body, strategy) == SCHEDULE_PARKED;
	arena_fail_at(0);
	if (parked)
		check_parked();
	find_all(value);
	check_linearizable();
	scenario->subject->check(value, true);
	if (timed) {
		check_hours();
		check_linearizable();
	}
	scenario->subject->destroy();
	if (arena_live_blocks() != 0)
		report_failure("%u blocks were never given back: %s", arena_live_blocks(), arena_first_live());
	return parked;
}

bool run_once(const struct strategy *strategy, uint64_t seed)
{
	struct draw draw;
	unsigned failing = 0;

	/* One run in eight lacks memory once. */
	draw_init(&draw, seed ^ UINT64_C(0xa110c));
	if (scenario->subject->survives_faults && draw_below(&draw, 8) == 0)
		failing = 1 + (unsigned)draw_below(&draw, 8);
	return run(strategy, seed, failing);
}

bool run_once_without_faults(const struct strategy *strategy, uint64_t seed)
{
	return run(strategy, seed, 0);
}
