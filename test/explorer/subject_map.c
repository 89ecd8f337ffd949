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
#include "map/map.h"
#include "map/reclaim.h"
#include "map/resize.h"
#include "protocol/bucket.h"

#include "arena.h"
#include "draw.h"
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
static uint64_t key_hash[KEYS_MAX];

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
	.lock = schedule_section_enter,
	.unlock = schedule_section_leave,
	.thread_register = nothing,
	.thread_unregister = nothing,
	.pause = nothing_to_pause,
	.resume = nothing_to_resume,
	.inside = schedule_section_inside,
	.synchronize = schedule_grace_wait,
};

/* ---- keys and where they lie */

static uint64_t hash_of(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return key_hash[*(const unsigned char *)key - 'a'];
}

/* A number that the map's mixing turns into a hash with these three top bits. */
static uint64_t with_top_bits(struct draw *draw, unsigned bits)
{
	uint64_t h;

	do
		h = draw_u64(draw);
	while (hash_mix(h) >> 61 != bits);
	return h;
}

/* Mostly in one bucket of the smallest table, which growing divides; sometimes two keys have the same hash. */
static void place_keys(uint64_t seed)
{
	struct draw draw;
	unsigned top;

	draw_init(&draw, seed);
	top = (unsigned)draw_below(&draw, 8);
	for (unsigned k = 0; k < KEYS_MAX; k++) {
		unsigned bits = (unsigned)draw_below(&draw, 4) == 0 ? top : (top & 4) | (unsigned)draw_below(&draw, 4);

		if (draw_below(&draw, 8) == 0)
			bits = (unsigned)draw_below(&draw, 8);
		key_hash[k] = with_top_bits(&draw, bits);
		if (k > 0 && draw_below(&draw, 8) == 0)
			key_hash[k] = key_hash[draw_below(&draw, k)];
	}
}

/* ---- creation and end */

static void begin_thread(void)
{
	(void)stripe_index();
}

static void create(unsigned bits, uint64_t seed)
{
	struct rcumap_options options = {
		.size = sizeof options,
		.hash = hash_of,
		.allocator = { .alloc = arena_alloc, .free = arena_free },
	};

	place_keys(seed);
	while (table_bits_for(options.capacity) < bits)
		options.capacity++;
	if (map_new(&map, &options) != 0)
		report_failure("no map");
	map->section = &scheduled_section;
	arena_pin(map);
	schedule_no_quiet();
	schedule_quiet(&__data_start, (size_t)(&_end - &__data_start)); /* what is not the map's */
	schedule_quiet(&map->memory.slab, sizeof map->memory.slab);	/* unused: the arena is a user's allocator */
	schedule_quiet(map->stripe, sizeof map->stripe);
	schedule_quiet(map->memory.stripe, sizeof map->memory.stripe);
	schedule_quiet(&map->memory.line_bytes, sizeof map->memory.line_bytes);
	schedule_quiet(&map->tables.grown, 2 * sizeof map->tables.grown);
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
	unsigned turns = 0;

	do
		collect();
	while (batch_taken && ++turns < 8);
	if (batch_taken)
		report_failure("a retire cell was reserved, but neither filled nor cancelled");
	rcumap_stats(map, &stats, sizeof stats);
	if (stats.retired_pending != 0)
		report_failure("%lu of %lu displaced entries were never retired", (unsigned long)stats.retired_pending,
			       (unsigned long)(stats.replaced + stats.deleted));
	if (stats.reclaimed != stats.replaced + stats.deleted)
		report_failure("%lu entries reclaimed, but %lu displaced", (unsigned long)stats.reclaimed,
			       (unsigned long)(stats.replaced + stats.deleted));
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

/* As the reclaimer would, if the load asked for it. */
static int resize(int step, bool to_the_end)
{
	struct table *table;
	int error;

	schedule_section_enter();
	table = tables_current(&map->tables);
	error = tables_begin(&map->tables, table->bits + (unsigned)step);
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

static void apply_to_key(struct event *event, uint64_t expected)
{
	struct content key, value;
	uint64_t version = 0;

	content_of_key(&key, event->key);
	content_of_value(&value, event->key, event->value);
	if (event->verb == VERB_FIND) {
		find(event, &key);
		return;
	}
	schedule_section_enter();
	switch (event->verb) {
	case VERB_PUT:
		event->rc = rcumap_put(map, key.bytes, key.size, value.bytes, value.size, RCUMAP_TTL_DEFAULT, &version);
		break;
	case VERB_ADD:
		event->rc = rcumap_add(map, key.bytes, key.size, value.bytes, value.size, RCUMAP_TTL_DEFAULT, &version);
		break;
	case VERB_REPLACE:
		event->rc =
			rcumap_replace(map, key.bytes, key.size, value.bytes, value.size, RCUMAP_TTL_DEFAULT, &version);
		break;
	case VERB_COMPARE_AND_SWAP:
		event->rc = rcumap_compare_and_swap(map, key.bytes, key.size, expected, value.bytes, value.size,
						    RCUMAP_TTL_DEFAULT, &version);
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
	default:
		apply_to_key(event, expected);
		break;
	}
}

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

/* Entries of key k in a bucket; of all keys with KEYS_MAX. */
static unsigned count_entries(const struct line *line, unsigned k)
{
	unsigned count = 0;

	for (; line != NULL; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i);

			if (!slot_has_entry(word))
				continue;
			arena_check(slot_entry(word), sizeof(struct rcumap_entry), false, __builtin_return_address(0));
			count += k == KEYS_MAX || entry_key(slot_entry(word))[0] == 'a' + k;
		}
	return count;
}

/* Entries in all buckets that hold some: each once, when nobody migrates. */
static unsigned count_all(void)
{
	unsigned count = 0;

	for (const struct table *table = tables_current(&map->tables); table != NULL; table = table_next(table))
		for (uint64_t i = 0; i < table_buckets(table); i++) {
			uint64_t ctl = ctl_load(&table->lines[i]);

			if (ctl != CTL_MIGRATED && ctl != CTL_INIT)
				count += count_entries(&table->lines[i], KEYS_MAX);
		}
	return count;
}

static void check(const unsigned value[KEYS_MAX], bool quiet)
{
	unsigned present = 0;

	for (unsigned k = 0; k < KEYS_MAX; k++) {
		unsigned count = count_entries(home_of(k), k);

		if (count != (value[k] != 0))
			report_failure("key %c is %s, but has %u entries in its bucket", 'a' + (int)k,
				       value[k] != 0 ? "found" : "absent", count);
		present += value[k] != 0;
	}
	if (!quiet)
		return;
	if (count_all() != present)
		report_failure("%u keys are present, but %u entries are in the table", present, count_all());
	if (rcumap_count(map) != present)
		report_failure("count says %lu, but %u keys are present", (unsigned long)rcumap_count(map), present);
}

const struct subject subject_map = { begin_thread, create, apply, collect, check, destroy, .survives_faults = true };
