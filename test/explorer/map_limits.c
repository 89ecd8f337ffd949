/* SPDX-License-Identifier: BSD-2-Clause */
#include "map_limits.h"

#include "layout/placeholder.h"
#include "map/evict.h"

#include "arena.h"
#include "hour.h"
#include "report.h"
#include "schedule.h"
#include "subject.h"

#include <string.h>

/* What no entry counts more than: head, deadline, key, value, record. */
#define ENTRY_MOST (16 + 8 + 22 + 34 + RECORD_BYTES)
/* Free for garbage, so much is enough for all that a scenario removes. */
#define GARBAGE_ENOUGH 2048u

/* So a block of records has the size of nothing else here, if key h is left out. */
#define RECORD_CELLS 3u
#define RECORD_BLOCK LOG_BLOCK_BYTES(RECORD_CELLS)

static struct rcumap *map; /* with limits; else NULL */
static unsigned entry_bytes, garbage_bytes; /* what max_bytes leaves to entries at first; and to garbage, besides that */
static uint64_t charged_first, charged_most; /* for structures, at first, and since */
/* Blocks that are there: but for the map itself and records; of these, lines. */
static int64_t block_bytes, line_bytes;

static bool counts_bytes(void)
{
	return budget_is_on(&map->memory.budget);
}

/* ---- what is there */

static void count_placeholder(struct map_count *count, const struct rcumap_entry *entry)
{
	const struct placeholder placeholder = placeholder_of(entry);

	count->placeholders++;
	count->remembered += !placeholder_is_load(&placeholder);
	count->forgotten += placeholder.until_us <= hour_now() * HOUR_US;
}

static void count_entry(struct map_count *count, const struct rcumap *of, uint64_t slot)
{
	const struct rcumap_entry *entry = slot_entry(slot);
	const int64_t bytes = (int64_t)memory_entry_bytes(&of->memory, entry, entry_size_of(entry));

	count->bytes += bytes;
	count->main += (slot & SLOT_MAIN) != 0;
	count->main_bytes += slot & SLOT_MAIN ? bytes : 0;
	if (entry_is_placeholder(entry)) {
		count_placeholder(count, entry);
		return;
	}
	count->entries++;
	if (!entry_has_deadline(entry))
		return;

	uint64_t word = entry_deadline(entry);

	count->expiring += deadline_is_finite(word);
	count->expired += deadline_has_passed(word, hour_now() * HOUR_US);
}

void map_count_bucket(struct map_count *count, const struct rcumap *of, const struct line *line, unsigned k)
{
	for (; line != NULL; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i);

			if (!slot_has_entry(word))
				continue;
			arena_check(slot_entry(word), sizeof(struct rcumap_entry), false, __builtin_return_address(0));
			if (k == MAP_EVERY_KEY || entry_key(slot_entry(word))[0] == 'a' + k)
				count_entry(count, of, word);
		}
}

struct map_count map_count_all(const struct rcumap *of)
{
	struct map_count count = { 0 };

	for (const struct table *table = tables_current(&of->tables); table != NULL; table = table_next(table))
		for (uint64_t i = 0; i < table_buckets(table); i++) {
			uint64_t ctl = ctl_load(&table->lines[i]);

			if (ctl != CTL_MIGRATED && ctl != CTL_INIT)
				map_count_bucket(&count, of, &table->lines[i], MAP_EVERY_KEY);
		}
	return count;
}

/* ---- blocks */

static void count_block(size_t size, int64_t sign)
{
	if (size == sizeof(struct rcumap) || size == RECORD_BLOCK)
		return;
	block_bytes += sign * (int64_t)size;
	if (size == sizeof(struct line))
		line_bytes += sign * (int64_t)size;
}

void map_limits_reset(void)
{
	map = NULL;
	block_bytes = line_bytes = 0;
	schedule_watch(NULL);
}

void *map_limits_alloc(void *ctx, size_t size, size_t align)
{
	void *p = arena_take(ctx, size, align);

	if (p != NULL)
		count_block(size, +1);
	return p;
}

void map_limits_free(void *ctx, void *p, size_t size)
{
	count_block(size, -1);
	arena_give_back(ctx, p, size);
}

/* ---- units, and bytes */

static int64_t free_of(const struct quota *quota)
{
	int64_t units = atomic_load(&((struct quota *)quota)->pool);

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		units += atomic_load(&((struct quota *)quota)->stripe[s].credit);
	return units;
}

static int64_t line_credit(void)
{
	return atomic_load(&map->memory.budget.line_credit);
}

/* Q1, V1. Whatever is under way: who has a unit for an entry, or of one, has it in his hands. */
static void watch_entries(const struct map_count *all)
{
	const struct quota *quota = &map->eviction.entries;
	const int64_t limit = (int64_t)quota->limit, units = free_of(quota);

	const int64_t entries = (int64_t)all->entries + all->placeholders;

	if (entries > limit)
		report_failure("%ld entries can be found, of %ld that there may be", (long)entries, (long)limit);
	if (units + entries > limit)
		report_failure("%ld units are free though %ld entries can be found, of %ld that there may be",
			       (long)units, (long)entries, (long)limit);
}

/* B1, V1, likewise: a block is taken for before it is there, and until it is gone. */
static void watch_bytes(const struct map_count *all)
{
	const struct budget *budget = &map->memory.budget;
	const int64_t live = free_of(&budget->live), held = free_of(&budget->held),
		      charged = (int64_t)quota_charged(&budget->live);

	if ((uint64_t)charged > charged_most)
		charged_most = (uint64_t)charged;
	if (quota_in_debt(&budget->held))
		report_failure("more is held than there may be");
	if (block_bytes + line_credit() + held > (int64_t)budget->held.limit)
		report_failure("%ld bytes are free though blocks have %ld and %ld are set aside for lines, of %ld",
			       (long)held, (long)block_bytes, (long)line_credit(), (long)budget->held.limit);
	if (all->bytes + charged + live > (int64_t)budget->live.limit)
		report_failure("%ld bytes are free for entries though those that can be found have %ld and %ld are charged, "
			       "of %ld",
			       (long)live, (long)all->bytes, (long)charged, (long)budget->live.limit);
}

static void watch(void)
{
	const struct map_count all = map_count_all(map);

	if (map->eviction.entries.limit != 0)
		watch_entries(&all);
	if (counts_bytes())
		watch_bytes(&all);
}

static int64_t counted_main(void)
{
	int64_t sum = atomic_load(&map->eviction.main.total);

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		sum += atomic_load(&map->eviction.main.stripe[s].behind);
	return sum;
}

static void check_bytes(const struct map_count *all)
{
	const struct budget *budget = &map->memory.budget;
	const int64_t held = (int64_t)budget->held.limit - free_of(&budget->held),
		      live = (int64_t)budget->live.limit - free_of(&budget->live),
		      charged = (int64_t)quota_charged(&budget->live),
		      kept = (int64_t)atomic_load(&map->spare.fund) + (int64_t)atomic_load(&map->spare.slack),
		      parts = atomic_load(&((struct budget *)budget)->line_parts);
	struct rcumap_stats stats;

	rcumap_stats(map, &stats, sizeof stats);

	const int64_t blocks = all->entries + (int64_t)stats.retired_pending, records = blocks * RECORD_BYTES,
		      entries = all->bytes - (int64_t)all->entries * RECORD_BYTES + (int64_t)map_retired_bytes(map);

	if (live != all->bytes + charged)
		report_failure("%ld bytes are live, but entries have %ld, and %ld are charged", (long)live,
			       (long)all->bytes, (long)charged);
	if (held != block_bytes + line_credit() + records)
		report_failure("%ld bytes are held, but blocks have %ld, and %ld and %ld are set aside for lines and records",
			       (long)held, (long)block_bytes, (long)line_credit(), (long)records);
	if (charged != block_bytes - entries + line_credit() + kept)
		report_failure("%ld bytes are charged, but structures have %ld, and %ld are kept free", (long)charged,
			       (long)(block_bytes - entries + line_credit()), (long)kept);
	if (line_credit() + line_bytes < parts)
		report_failure("%ld bytes are set aside for lines and lines have %ld, but tables have brought %ld",
			       (long)line_credit(), (long)line_bytes, (long)parts);
}

void map_limits_check(const struct map_count *all)
{
	if (map == NULL)
		return;
	watch();

	const struct quota *quota = &map->eviction.entries;
	const int64_t main = counts_bytes() ? all->main_bytes : all->main;

	if (quota->limit != 0 && free_of(quota) + all->entries + all->placeholders != (int64_t)quota->limit)
		report_failure("%ld units are free, %u entries and %u placeholders are there: of %lu units some are lost",
			       (long)free_of(quota), all->entries, all->placeholders, (unsigned long)quota->limit);
	if (counted_main() != main)
		report_failure("%ld is counted in the main part, but %ld is there", (long)counted_main(), (long)main);
	if (counts_bytes())
		check_bytes(all);
}

/* ---- setting them up */

/* Room for what there is already, and so much more. */
static void set_bytes(unsigned lines)
{
	struct budget *budget = &map->memory.budget;
	const struct table *table = tables_current(&map->tables);
	const size_t array = tables_bytes_of(&map->tables, table->size), part = array / LINE_PART,
		     aside = lines * sizeof(struct line);

	log_init(&map->retire.log, MEMORY_RECORD, RECORD_CELLS);
	memset(budget, 0, sizeof *budget);
	quota_init(&budget->live, table_struct_bytes(table->size) + array + part + aside + entry_bytes);
	quota_init(&budget->held, budget->live.limit + garbage_bytes);
	if (!budget_take_table(budget, array) || !budget_take(budget, MEMORY_STRUCTURE, table_struct_bytes(table->size) + aside))
		report_failure("no budget");
	/* As if the table had brought more. */
	atomic_fetch_add(&budget->line_credit, (int64_t)aside);
	atomic_fetch_add(&budget->line_parts, (int64_t)aside);
	charged_first = charged_most = quota_charged(&budget->live);
}

void map_limits_set(struct rcumap *of, unsigned variant)
{
	const unsigned entries = MAP_LIMIT_OF(variant);

	entry_bytes = MAP_BYTES_OF(variant);
	garbage_bytes = MAP_GARBAGE_OF(variant);
	if (entries == 0 && entry_bytes == 0)
		return;
	map = of;
	if (entry_bytes != 0)
		set_bytes(MAP_LINES_OF(variant));
	memset(&map->eviction, 0, sizeof map->eviction);
	evict_init(map, entries);
	schedule_watch(watch);
}

/* Units: all are in use at once only if those who lack one meet so many other keys, and other threads with a unit each in
 * their hands. Bytes: if all keys are there, and others have twice what they need. */
unsigned map_limits_evicts(unsigned keys, unsigned threads)
{
	if (map == NULL)
		return 0;
	if (counts_bytes())
		return (keys + 2 * threads) * ENTRY_MOST > entry_bytes ? 2 : 0;
	return keys - 1 + threads - 1 >= map->eviction.entries.limit;
}

/* An eviction ends once there are enough; who lacks little has as much in his hands as the last one counted, besides. Once
 * structures have grown, they may have it all. */
bool map_limits_refuses(unsigned others)
{
	if (!counts_bytes())
		return others >= map->eviction.entries.limit;
	return garbage_bytes < GARBAGE_ENOUGH || (3 * others + 1) * ENTRY_MOST > entry_bytes ||
	       charged_most > charged_first ||
	       (map->eviction.entries.limit != 0 && others >= map->eviction.entries.limit);
}
