/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map itself: its public calls, and the parts of its reclaimer's turn, on a map without threads of its own.
 *
 * Read sections are the scheduler's. liburcu's are entered too, by the calls that open their own, but nobody waits for those: the
 * real grace period does not run here.
 */
#include <rcumap.h>

#include "ground/stripe.h"
#include "layout/hash.h"
#include "layout/placeholder.h"
#include "map/expiry.h"
#include "map/map.h"
#include "map/reclaim.h"
#include "map/resize.h"
#include "protocol/bucket.h"

#include "arena.h"
#include "hour.h"
#include "load.h"
#include "map_limits.h"
#include "places.h"
#include "report.h"
#include "subject.h"
#include "schedule.h"

#include <errno.h>
#include <string.h>

/* The linker's: the program's variables. */
extern char __data_start, _end;

static struct rcumap *map;
static struct schedule_grace batch_grace; /* of the batch under way, if there is one */
static bool batch_taken;

/* In lib/map/expiry.c, debug builds. */
#define HINTS_SLACK 16u

/* ---- the clock */

static uint64_t clock_ns(void *ctx)
{
	(void)ctx;
	schedule_point();
	return hour_now() * HOUR_US * 1000;
}

/* It ends at the beginning of an hour, or less than half an hour before. */
static uint64_t life_ms(unsigned hours)
{
	return hours == ENDLESS ? RCUMAP_TTL_NEVER : hours * (HOUR_US / 1000);
}

static unsigned hours_of(uint64_t ms)
{
	return ms == RCUMAP_TTL_NEVER ? ENDLESS : (unsigned)((ms * 1000 + HOUR_US / 2) / HOUR_US);
}

/* ---- sections */

static bool nothing_to_pause(void)
{
	return false;
}

static void nothing_to_resume(bool paused)
{
	(void)paused;
}

static void nothing(void)
{
}

static const struct section_ops scheduled_section = {
	.name = "explorer",
	.flavor = 0,
	.leave = schedule_section_leave,
	.enter = schedule_section_enter,
	.lock = schedule_section_enter,
	.unlock = schedule_section_leave,
	.thread_register = nothing,
	.thread_unregister = nothing,
	.pause = nothing_to_pause,
	.resume = nothing_to_resume,
	.inside = schedule_section_inside,
	.synchronize = schedule_grace_wait,
};

/* ---- the whole map */

/* The bucket in which a find looks for key k. */
static const struct line *home_of(unsigned k)
{
	struct content key;
	uint64_t hash;
	const struct table *table = tables_current(&map->tables);

	content_of_key(&key, k);
	hash = hash_key(&map->tables.hash, key.bytes, key.size);
	while (ctl_load(table_line(table, hash)) == CTL_MIGRATED)
		table = table_next(table);
	return table_line(table, hash);
}

static bool holds(unsigned k)
{
	struct map_count count = { 0 };

	map_count_bucket(&count, map, home_of(k), k);
	return count.entries != 0;
}

/* ---- creation and end */

/* Somebody is the reclaimer, who alone puts a table ahead. */
static bool preparing;

static void begin_thread(void)
{
	(void)stripe_index();
}

/* Versions and arms come from counters of the stripes, and in so short a life those would draw the same arms: a void hint
 * would often pass for good. With every fourth seed it does. */
static void spread_arms(uint64_t seed)
{
	for (unsigned s = 0; s < STRIPE_COUNT && seed % 4 != 3; s++)
		atomic_store(&map->stripe[s].versions, s * (DEADLINE_ARM / STRIPE_COUNT));
}

static void create(unsigned variant, uint64_t seed)
{
	const unsigned size = variant % MAP_SAME_HASH;
	struct rcumap_options options = {
		.size = sizeof options,
		.hash = places_hash,
		.allocator = { .alloc = map_limits_alloc, .free = map_limits_free },
		.clock = clock_ns,
		.max_entries = MAP_LIMIT_OF(variant) != 0 || MAP_BYTES_OF(variant) != 0 ? RCUMAP_MAX_ENTRIES_MIN : 0,
	};

	places_draw(seed, variant & MAP_SAME_HASH);
	while (table_size_for(options.capacity) < size)
		options.capacity++;
	map_limits_reset();
	preparing = false;
	if (map_new(&map, &options) != 0)
		report_failure("no map");
	map_limits_set(map, variant);
	map->section = &scheduled_section;
	arena_pin(map);
	schedule_no_quiet();
	schedule_quiet(&__data_start, (size_t)(&_end - &__data_start)); /* what is not the map's */
	schedule_quiet(&map->memory.slab, sizeof map->memory.slab);	/* unused: the arena is a user's allocator */
	schedule_quiet(map->stripe, sizeof map->stripe);
	schedule_quiet(map->memory.stripe, sizeof map->memory.stripe);
	schedule_quiet(&map->memory.line_bytes, sizeof map->memory.line_bytes);
	schedule_quiet(&map->tables.grown, 2 * sizeof map->tables.grown);
	schedule_quiet(&map->expiry.wheel, sizeof map->expiry.wheel); /* the reclaimer's */
	schedule_quiet(&map->eviction.hand, sizeof map->eviction.hand); /* hints */
	schedule_quiet(&map->eviction.share, sizeof map->eviction.share);
	spread_arms(seed);
	batch_taken = false;
}

static void collect(void)
{
	if (batch_taken && !schedule_grace_ended(&batch_grace))
		return;
	if (batch_taken && !reclaimer_give_back(map))
		return; /* somebody helps, and is not done */
	batch_taken = reclaimer_take(map);
	if (batch_taken)
		schedule_grace_begin(&batch_grace);
}

static void destroy(void)
{
	struct rcumap_stats stats;
	struct map_count all;
	uint64_t displaced;
	unsigned turns = 0;

	do
		collect();
	while (batch_taken && ++turns < 8);
	if (batch_taken)
		report_failure("a retire cell was reserved, but neither filled nor cancelled");
	reclaim_drain(map); /* what was held when its grace period had passed */
	rcumap_stats(map, &stats, sizeof stats);
	displaced = stats.replaced + stats.deleted + stats.expired + stats.evicted;
	if (stats.retired_pending != 0)
		report_failure("%lu of %lu displaced entries were never retired", (unsigned long)stats.retired_pending,
			       (unsigned long)displaced);
	if (stats.reclaimed != displaced)
		report_failure("%lu entries reclaimed, but %lu displaced", (unsigned long)stats.reclaimed,
			       (unsigned long)displaced);
	all = map_count_all(map);
	map_limits_check(&all);
	map_limits_reset();
	map_free(map);
}

/* ---- calls */

static void find(struct event *event, const struct content *key)
{
	const struct rcumap_entry *entry;

	rcumap_read_lock(map);
	entry = rcumap_find(map, key->bytes, key->size);
	event->found = 0;
	event->rc = entry == NULL ? -ENOENT : 0;
	for (unsigned reads = 0; entry != NULL && reads < 2; reads++) {
		/* It stays as it is while others go on. */
		schedule_point();
		arena_check(entry, sizeof *entry, false, __builtin_return_address(0));
		if (rcumap_entry_key_size(entry) != key->size ||
		    memcmp(rcumap_entry_key(entry), key->bytes, key->size) != 0)
			report_failure("find returned an entry of another key");
		event->found = content_value(event->key, rcumap_entry_value(entry), rcumap_entry_value_size(entry));
		event->version = rcumap_entry_version(entry);
	}
	rcumap_read_unlock(map);
}

/* A larger table, by way of what is ahead; who is not the reclaimer takes that, or one of his own. */
static int grow(struct table *table)
{
	int error = 0;

	if (!preparing) {
		preparing = true;
		if (!tables_ahead(&map->tables))
			error = tables_prepare(&map->tables, table->size + 1);
		preparing = false;
	}
	return error ? error : reclaimer_grow_urgently(map, table);
}

/* As the reclaimer would, if the load asked for it. */
static int resize(int step, bool to_the_end)
{
	struct table *table;
	int error;

	schedule_section_enter();
	table = tables_current(&map->tables);
	error = step > 0 ? grow(table) : tables_begin(&map->tables, table->size + (unsigned)step);
	schedule_section_leave();
	if (error != 0 && error != -EBUSY)
		return error;
	while (to_the_end && tables_current(&map->tables) == table && table_next(table) != NULL)
		if (!reclaimer_resize(map))
			return -ENOMEM;
	return 0;
}

static int reclaim(void)
{
	if (!reclaimer_take(map))
		return 0;
	schedule_grace_wait();
	while (!reclaimer_give_back(map))
		schedule_grace_wait(); /* until those who help are done: they are inside sections */
	return 0;
}

/* As the reclaimer's thread does, until there is nothing more to do at once; hints do not rest in the log. */
static void expire(void)
{
	uint64_t sleep_ns = UINT64_MAX;
	bool more = true;

	while (more) {
		map->expiry.taken_ns = 0;
		schedule_section_enter();
		more = expiry_turn(map, &sleep_ns);
		schedule_section_leave();
	}
}

static void ttl(struct event *event, const struct content *key)
{
	uint64_t left_ms;

	event->rc = rcumap_ttl(map, key->bytes, key->size, &left_ms);
	if (event->rc == 0)
		event->left = hours_of(left_ms);
}

struct update {
	struct event *event;
	const struct content *value;
};

static int decide(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	const struct update *update = ctx;
	struct event *event = update->event;

	event->found = 0;
	if (old != NULL)
		event->found = content_value(event->key, rcumap_entry_value(old), rcumap_entry_value_size(old));
	if (event->verb == VERB_UPDATE_REMOVE)
		return RCUMAP_REMOVE;
	value->data = update->value->bytes;
	value->size = update->value->size;
	if (event->life != ENDLESS)
		value->ttl_ms = life_ms(event->life);
	return 0;
}

static void apply_to_key(struct event *event, uint64_t expected)
{
	struct content key, value;
	const uint64_t ttl_ms = life_ms(event->life);
	uint64_t version = 0;

	if (load_is(event->verb)) {
		load_apply(map, event, ttl_ms);
		return;
	}
	content_of_key(&key, event->key);
	content_of_value(&value, event->key, event->value);
	if (event->verb == VERB_FIND) {
		find(event, &key);
		return;
	}
	schedule_section_enter();
	switch (event->verb) {
	case VERB_PUT:
		event->rc = rcumap_put(map, key.bytes, key.size, value.bytes, value.size, ttl_ms, &version);
		break;
	case VERB_ADD:
		event->rc = rcumap_add(map, key.bytes, key.size, value.bytes, value.size, ttl_ms, &version);
		break;
	case VERB_REPLACE:
		event->rc = rcumap_replace(map, key.bytes, key.size, value.bytes, value.size, ttl_ms, &version);
		break;
	case VERB_COMPARE_AND_SWAP:
		event->rc = rcumap_compare_and_swap(map, key.bytes, key.size, expected, value.bytes, value.size, ttl_ms,
						    &version);
		break;
	case VERB_UPDATE:
	case VERB_UPDATE_REMOVE:
		event->rc = rcumap_update(map, key.bytes, key.size, decide,
					  &(struct update){ .event = event, .value = &value }, &version);
		break;
	case VERB_TTL:
		ttl(event, &key);
		break;
	case VERB_TOUCH:
		event->rc = rcumap_touch(map, key.bytes, key.size, ttl_ms);
		break;
	case VERB_DELETE:
		event->rc = rcumap_delete(map, key.bytes, key.size);
		break;
	default:
		event->rc = rcumap_delete_if(map, key.bytes, key.size, expected);
		break;
	}
	schedule_section_leave();
	event->version = version;
}

static void apply(struct event *event, uint64_t expected)
{
	switch (event->verb) {
	case VERB_CLEAR:
		event->rc = rcumap_clear(map);
		break;
	case VERB_GROW:
	case VERB_BEGIN_GROW:
		event->rc = resize(+1, event->verb == VERB_GROW);
		break;
	case VERB_SHRINK:
	case VERB_BEGIN_SHRINK:
		event->rc = resize(-1, event->verb == VERB_SHRINK);
		break;
	case VERB_RECLAIM:
		event->rc = reclaim();
		break;
	case VERB_EXPIRE:
		expire();
		break;
	default:
		apply_to_key(event, expected);
		break;
	}
}

/* ---- checks */

/* What has expired may be there, but is absent. */
static void check(const unsigned value[KEYS_MAX], bool quiet)
{
	unsigned present = 0;

	for (unsigned k = 0; k < KEYS_MAX; k++) {
		struct map_count count = { 0 };

		map_count_bucket(&count, map, home_of(k), k);
		if (count.entries - count.expired != (value[k] != 0) || count.entries + count.placeholders > 1)
			report_failure("key %c is %s, but has %u entries in its bucket, of which %u have expired",
				       'a' + (int)k, value[k] != 0 ? "found" : "absent", count.entries, count.expired);
		present += value[k] != 0;
	}
	if (!quiet)
		return;

	struct map_count all = map_count_all(map);

	if (all.entries - all.expired != present)
		report_failure("%u keys are present, but %u entries are in the table, of which %u have expired",
			       present, all.entries, all.expired);
	if (rcumap_count(map) != all.entries)
		report_failure("count says %lu, but %u entries are there", (unsigned long)rcumap_count(map),
			       all.entries);
	if (map_occupied(map) != all.entries + all.placeholders)
		report_failure("%lu slots are said to be taken, but %u entries and %u placeholders are there",
			       (unsigned long)map_occupied(map), all.entries, all.placeholders);
	if (map_expiring(map) != all.expiring)
		report_failure("%lu entries are said to have a deadline, but %u do", (unsigned long)map_expiring(map),
			       all.expiring);
	map_limits_check(&all);
	if (!wheel_check(&map->expiry.wheel))
		report_failure("the wheel is broken");
}

/* Hints that have not got to the wheel. */
static bool hints_wait(void)
{
	return log_pending(&map->expiry.log) || map->expiry.taken.blocks != NULL;
}

static bool expire_all(void)
{
	struct map_count all;

	for (unsigned turns = 0; turns == 0 || hints_wait(); turns++) {
		if (turns == 8)
			report_failure("a cell for a hint was reserved, but neither filled nor cancelled");
		expire();
	}
	all = map_count_all(map);
	if (all.expired + all.forgotten != 0)
		report_failure("%u entries have expired and were forgotten", all.expired + all.forgotten);
	all.expiring += all.remembered;
	if (expiry_hints(map) > 2 * all.expiring + HINTS_SLACK)
		report_failure("%lu hints are kept of %u entries with a deadline", (unsigned long)expiry_hints(map),
			       all.expiring);
	return all.expiring != 0 || expiry_hints(map) != 0;
}

const struct subject subject_map = { begin_thread, create, apply, collect, check, expire_all, destroy,
				     .survives_faults = true, .evicts = map_limits_evicts,
				     .refuses = map_limits_refuses, .holds = holds };
