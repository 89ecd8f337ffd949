/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is evicted, and who not (map/evict.h): what is found again stays, a scan passes, what comes back starts in the main part. */
#include "evict_fixture.h"

#include "clock_fixture.h"

/* ------------------------------------------------------------------------------------------------ a scan passes */

#define LIMIT 500u
#define HOT 100u
#define COLD_BEFORE (LIMIT - HOT)
/* Numbers of keys: hot ones from 0 on, cold ones that are there before the scan, then the scan's. */
#define FIRST_COLD HOT
#define FIRST_SCANNED LIMIT
#define SCANNED (10u * LIMIT)

/* Ask for all hot keys; how many are missing? */
typedef uint64_t ask_fn(struct rcumap *map);

static uint64_t by_find(struct rcumap *map)
{
	uint64_t missing = 0;

	for (uint64_t n = 0; n < HOT; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);

		rcumap_read_lock(map);
		missing += !rcumap_find(map, key, size);
		rcumap_read_unlock(map);
	}
	return missing;
}

static uint64_t by_get(struct rcumap *map)
{
	uint64_t missing = 0;

	for (uint64_t n = 0; n < HOT; n++) {
		unsigned char key[FIXTURE_KEY_MAX], value[FIXTURE_VALUE_MAX];
		size_t size = fixture_key(n, key);

		missing += rcumap_get(map, key, size, value, sizeof value, NULL, NULL) != 0;
	}
	return missing;
}

static struct {
	unsigned char bytes[HOT][FIXTURE_KEY_MAX];
	struct rcumap_key key[HOT];
} batch;

static void make_batch(void)
{
	for (uint64_t n = 0; n < HOT; n++) {
		batch.key[n].size = fixture_key(n, batch.bytes[n]);
		batch.key[n].data = batch.bytes[n];
	}
}

static uint64_t by_find_batch(struct rcumap *map)
{
	const struct rcumap_entry *entries[HOT];
	uint64_t found;

	make_batch();
	rcumap_read_lock(map);
	found = rcumap_find_batch(map, batch.key, HOT, entries);
	rcumap_read_unlock(map);
	return HOT - found;
}

static uint64_t by_get_batch(struct rcumap *map)
{
	static unsigned char values[HOT][FIXTURE_VALUE_MAX];
	struct rcumap_copy copies[HOT];

	make_batch();
	for (unsigned i = 0; i < HOT; i++)
		copies[i] = (struct rcumap_copy){ .buffer = values[i], .buffer_size = sizeof values[i] };
	return HOT - rcumap_get_batch(map, batch.key, HOT, copies);
}

static uint64_t by_touch(struct rcumap *map)
{
	uint64_t missing = 0;

	for (uint64_t n = 0; n < HOT; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);

		missing += rcumap_touch(map, key, size, RCUMAP_TTL_NEVER) != 0;
	}
	return missing;
}

static uint64_t by_replace(struct rcumap *map)
{
	uint64_t missing = 0;

	for (uint64_t n = 0; n < HOT; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);

		missing += rcumap_replace(map, key, size, "again", 5, RCUMAP_TTL_NEVER, NULL) != 0;
	}
	return missing;
}

/* Nobody asks. */
static uint64_t by_nobody(struct rcumap *map)
{
	(void)map;
	return 0;
}

static void put(struct rcumap *map, uint64_t number)
{
	if (fixture_put(map, number, 1, 24) != 0)
		bail("put of key %llu", (unsigned long long)number);
	flavor_quiescent(fixture_flavor);
}

/* `count` keys that nobody knows, from `first` on; the hot ones are asked for after every 25th. Those that were missing. */
static uint64_t scan_over(struct rcumap *map, uint64_t first, uint64_t count, ask_fn *ask)
{
	uint64_t missing = 0;

	for (uint64_t n = 0; n < count; n++) {
		put(map, first + n);
		if (n % 25 == 0)
			missing += ask(map);
	}
	return missing;
}

/* Before the hand of probation has been round once it meets nobody whom it has passed already: each time it takes the last of
 * those that one eviction looks at, hot or not. */
#define LOST_AT_FIRST (HOT / 8)

static void a_scan_passes(ask_fn *ask, const char *name)
{
	struct rcumap *map = limit_map(LIMIT);
	uint64_t missing, first, left;

	for (uint64_t n = 0; n < LIMIT; n++)
		put(map, n);
	(void)scan_over(map, FIRST_SCANNED + SCANNED, 2 * LIMIT, ask);
	first = limit_present(map, 0, HOT);
	missing = scan_over(map, FIRST_SCANNED, SCANNED, ask);
	left = limit_present(map, 0, HOT);
	if (ask == by_nobody)
		is_int((long long)left, 0, "%s: keys that nobody asks for are gone after a scan", fixture_name());
	else
		ok(first >= HOT - LOST_AT_FIRST && left == first && missing == (HOT - first) * (SCANNED / 25),
		   "%s: keys that are asked for again and again, by %s, survive a scan over ten times the limit (%llu "
		   "of %u, %llu before)",
		   fixture_name(), name, (unsigned long long)left, HOT, (unsigned long long)first);
	is_int((long long)limit_present(map, FIRST_COLD, COLD_BEFORE), 0,
	       "%s: none that was there before and not asked for does", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ heat */

static unsigned heat_of(struct rcumap *map, uint64_t number)
{
	uint64_t word = limit_word(map, number, NULL);

	return word ? entry_heat(slot_entry(word)) : ENTRY_HOT + 1;
}

static void heat_rises_to_three(void)
{
	struct rcumap *map = limit_map(LIMIT);
	unsigned wrong = 0;

	for (uint64_t n = 0; n < HOT; n++)
		put(map, n);
	for (unsigned turn = 0; turn < 6; turn++) {
		for (uint64_t n = 0; n < HOT; n++)
			wrong += heat_of(map, n) != (turn < ENTRY_HOT ? turn : ENTRY_HOT);
		switch (turn) {
		case 0:
			by_find(map);
			break;
		case 1:
			by_get_batch(map);
			break;
		case 2:
			by_find_batch(map);
			break;
		default:
			by_get(map);
			break;
		}
	}
	is_int(wrong, 0, "%s: heat is 0 at first, and one more each time, up to three", fixture_name());
	fixture_destroy(map);
}

static void versions_stay(void)
{
	struct rcumap *map = limit_map(LIMIT);
	uint64_t version[HOT], now, wrong = 0;

	for (uint64_t n = 0; n < HOT; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);

		wrong += rcumap_put(map, key, size, "value", 5, RCUMAP_TTL_NEVER, &version[n]) != 0;
		for (unsigned turn = 0; turn < 5; turn++) {
			char value[8];

			wrong += rcumap_get(map, key, size, value, sizeof value, NULL, &now) != 0 || now != version[n];
			wrong += !fixture_holds(map, key, size, "value", 5, version[n]);
		}
		wrong += rcumap_compare_and_swap(map, key, size, version[n], "other", 5, RCUMAP_TTL_NEVER, &now) != 0;
		wrong += now == version[n] || !fixture_holds(map, key, size, "other", 5, now);
		wrong += rcumap_delete_if(map, key, size, now) != 0;
	}
	is_int(wrong, 0, "%s: versions are the same, however hot the entry", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ without a limit */

static int note_head(void *ctx, const struct rcumap_entry *entry)
{
	uint64_t *cold = ctx;

	*cold += entry_heat(entry) != ENTRY_HOT || entry_is_returned(entry);
	return 0;
}

static void nothing_without_a_limit(void)
{
	enum { KEYS = 2000 };
	struct rcumap *map = fixture_map(NULL);
	uint64_t *head = calloc(KEYS, sizeof *head), cold = 0, changed = 0, marked = 0, cursor = 0;

	for (uint64_t n = 0; n < KEYS; n++)
		put(map, n);
	for (uint64_t n = 0; n < KEYS; n += 2)
		(void)fixture_put_ttl(map, n, 2, n % 4 ? 3600000 : RCUMAP_TTL_NEVER);
	for (uint64_t n = 0; n < KEYS; n++) {
		uint64_t word = limit_word(map, n, NULL);

		head[n] = entry_head(slot_entry(word));
		marked += (word & SLOT_MARKS) != 0;
	}
	while (rcumap_scan(map, &cursor, 256, note_head, &cold) > 0)
		;
	is_int(cold, 0, "%s: without a limit entries are hot from the beginning", fixture_name());
	(void)by_find(map);
	(void)by_get(map);
	(void)by_find_batch(map);
	(void)by_get_batch(map);
	for (uint64_t n = 0; n < KEYS; n++) {
		uint64_t word = limit_word(map, n, NULL);

		changed += entry_head(slot_entry(word)) != head[n];
		marked += (word & SLOT_MARKS) != 0;
	}
	is_int(changed, 0, "%s: and finds store nothing", fixture_name());
	is_int(marked, 0, "%s: no slot word is marked", fixture_name());
	ok(!tables_current(&map->tables)->ghosts, "%s: no table has fingerprints", fixture_name());
	ok(limit_evicted(map) == 0 && rcumap_count(map) == KEYS, "%s: nothing is evicted", fixture_name());
	free(head);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ coming back */

/* Store keys from *next on until one of the first LIMIT that was there is not any more: which? */
static uint64_t drive_out(struct rcumap *map, bool *there, uint64_t *next)
{
	for (uint64_t n = 0; n < 20 * LIMIT; n++) {
		put(map, (*next)++);
		for (uint64_t number = 0; number < LIMIT; number++)
			if (there[number] && !limit_has(map, number)) {
				there[number] = false;
				return number;
			}
	}
	bail("nothing is evicted");
}

static void who_comes_back_starts_in_main(void)
{
	struct rcumap *map = limit_bare_map(LIMIT);
	uint64_t next = LIMIT, returned = 0, remembered = 0, twice = 0;
	bool there[LIMIT];

	for (uint64_t n = 0; n < LIMIT; n++) {
		put(map, n);
		there[n] = true;
	}
	is_int(limit_marked(map), 0, "%s: all start on probation", fixture_name());
	for (unsigned turn = 0; turn < 50; turn++) {
		uint64_t gone = drive_out(map, there, &next);

		/* The unit that the key gets is one that lies there: its put evicts nobody, who would leave a fingerprint, too. */
		if (fixture_delete(map, next - 1) != 0)
			bail("the newest is not there");
		/* Who drove it out may have taken it, once in many thousand times. */
		if (!limit_remembers(map, gone))
			continue;
		remembered++;
		put(map, gone);

		uint64_t word = limit_word(map, gone, NULL);

		returned += word & SLOT_MAIN && entry_is_returned(slot_entry(word));
		/* Unless another key left the same one there. */
		twice += limit_remembers(map, gone);
		(void)fixture_delete(map, gone);
		bare_reclaim(map);
	}
	ok(remembered > 40, "%s: who is evicted from probation leaves a fingerprint", fixture_name());
	is_int(returned, (long long)remembered, "%s: and starts in the main part if he comes back", fixture_name());
	ok(twice < remembered / 2, "%s: which is forgotten then", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	bare_destroy(map);
}

/* All others start on probation; who was deleted, too. */
static void nobody_else_does(void)
{
	struct rcumap *map = limit_bare_map(LIMIT);
	uint64_t next = 4 * LIMIT, wrong = 0, known = 0, again = 0;

	for (uint64_t n = 0; n < next; n++)
		put(map, n);
	/* Room, so that no put evicts anybody. */
	if (fixture_delete(map, next - 1) != 0)
		bail("the newest is not there");
	for (uint64_t turn = 0; turn < 1000; turn++) {
		uint64_t number = turn % 2 ? again : next++;
		bool remembered = limit_remembers(map, number);

		again = number;
		known += remembered;
		put(map, number);
		wrong += !!(limit_word(map, number, NULL) & SLOT_MAIN) != remembered;
		(void)fixture_delete(map, number);
		bare_reclaim(map);
	}
	ok(wrong == 0 && known < 500, "%s: who was not evicted lately starts on probation (%llu had another's fingerprint)",
	   fixture_name(), (unsigned long long)known);
	bare_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ other tables */

/* To a table of that size, all of it. Nobody grows or shrinks it of his own accord. */
static void move_to(struct rcumap *map, unsigned size)
{
	struct table *retired = NULL;

	rcumap_read_lock(map);
	if (tables_begin(&map->tables, size) != 0)
		bail("tables_begin");
	while (!retired)
		if (migrate_sweep(&map->tables, 1024, &retired) != 0)
			bail("migrate_sweep");
	rcumap_read_unlock(map);
	table_free(&map->tables, retired, &map->reclaimer.freer);
}

/* Which marks: 0 to 3. */
static unsigned kind_of(uint64_t word)
{
	return (word & SLOT_MAIN ? 1 : 0) + (word & SLOT_AGED ? 2 : 0);
}

/* The same, or that there is no word. */
static uint64_t marks_of(uint64_t word)
{
	return word ? 4 + kind_of(word) : 0;
}

static void marks_and_fingerprints_move_along(void)
{
	struct rcumap *map = limit_bare_map(LIMIT);
	const unsigned size = bare_size(map);
	uint64_t *marks = malloc(3 * LIMIT * sizeof *marks), kinds[4] = { 0 }, wrong = 0, forgotten = 0, remembered = 0;
	bool *known = malloc(3 * LIMIT * sizeof *known);

	/* Both hands at work: some are found, and the probation hand has been round. */
	for (uint64_t n = 0; n < 3 * LIMIT; n++) {
		put(map, n);
		if (n % 3 == 0)
			(void)fixture_check(map, n, NULL);
	}
	for (unsigned step = 0; step < 4; step++) {
		for (uint64_t n = 0; n < 3 * LIMIT; n++) {
			uint64_t word = limit_word(map, n, NULL);

			marks[n] = marks_of(word);
			known[n] = limit_remembers(map, n);
			if (word)
				kinds[kind_of(word)]++;
		}
		/* Larger twice, for a tag lasts for some tables only; then smaller. */
		move_to(map, step < 2 ? size + 1 + step : size + 3 - step);
		for (uint64_t n = 0; n < 3 * LIMIT; n++) {
			uint64_t word = limit_word(map, n, NULL);

			wrong += marks_of(word) != marks[n];
			if (step < 2) {
				remembered += known[n];
				forgotten += known[n] && !limit_remembers(map, n);
			}
		}
	}
	ok(kinds[0] && kinds[kind_of(SLOT_MAIN)] && kinds[kind_of(SLOT_AGED)],
	   "%s: entries on probation, of both ages, and in the main part", fixture_name());
	is_int(wrong, 0, "%s: their marks come along into other tables", fixture_name());
	/* Where two buckets share one, the older ones make room for each other. */
	ok(remembered > 0 && forgotten < remembered / 3, "%s: so do fingerprints, into larger ones (%llu, without %llu)",
	   fixture_name(), (unsigned long long)remembered, (unsigned long long)forgotten);
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	free(marks);
	free(known);
	bare_destroy(map);
}

/* Shares of a round are of the current table, whose buckets a border may lie in; here all stand in the next one already, which has more. */
static void none_is_out_of_reach_while_a_table_grows(void)
{
	const uint64_t limit = RCUMAP_MAX_ENTRIES_MIN;
	uint64_t failed = 0, left = 0;

	for (unsigned size = SIZE_FIRST; size < SIZE_FIRST + 5; size++) {
		struct rcumap *map = limit_bare_map(limit);
		struct table *table;

		while (bare_size(map) != size)
			move_to(map, bare_size(map) < size ? bare_size(map) + 1 : bare_size(map) - 1);
		for (uint64_t n = 0; n < limit; n++)
			failed += fixture_put(map, n, n, 24) != 0;
		table = tables_current(&map->tables);
		rcumap_read_lock(map);
		/* A put may have begun, or be done: not all fit into the smallest ones. */
		if (!table_next(table))
			failed += tables_begin(&map->tables, table->size + 1) != 0;
		for (uint64_t i = 0; i < table_buckets(table); i++)
			failed += migrate_bucket(&map->tables, table, size_first_hash(table_buckets(table), i)) != 0;
		rcumap_read_unlock(map);
		for (uint64_t n = limit; n < 30 * limit; n++)
			failed += fixture_put(map, n, n, 24) != 0;
		left += limit_present(map, 0, limit);
		bare_destroy(map);
	}
	is_int(failed, 0, "%s: puts find somebody to evict while the table is between two sizes", fixture_name());
	is_int(left, 0, "%s: and all who were there before have gone", fixture_name());
}

/* A child of fork() may find a group of which one bucket has migrated already, and one has not: the words of both are in
 * the next table, which is not open yet. */
static void a_count_meets_a_group_half_way(void)
{
	struct rcumap *map = limit_bare_map(LIMIT);
	struct table *table = tables_current(&map->tables), *next;
	const unsigned sources = size_group_of(table->size, table->size - 1);
	uint64_t first = 0, low, end; /* bucket and hashes of a group */
	int64_t marked;

	for (uint64_t n = 0; n < 3 * LIMIT; n++) {
		put(map, n);
		if (n % 3 == 0)
			(void)fixture_check(map, n, NULL);
	}
	marked = limit_marked(map);
	while (!slot_has_entry(slot_load(&table->lines[first], 0)))
		first += sources;
	low = size_first_hash(table_buckets(table), first);
	end = size_first_hash(table_buckets(table), first + sources);
	rcumap_read_lock(map);
	if (tables_begin(&map->tables, table->size - 1) != 0 || migrate_bucket(&map->tables, table, low) != 0)
		bail("the group does not migrate");
	next = table_next(table);
	atomic_store(&table_line(table, table_last_hash(table, low) + 1)->ctl, CTL_FROZEN);
	for (uint64_t hash = low; hash != end; hash = table_last_hash(next, hash) + 1)
		atomic_store(&table_line(next, hash)->ctl, CTL_INIT);
	rcumap_read_unlock(map);
	evict_adopt(map);
	is_int((long long)quota_used(&map->eviction.entries), LIMIT, "%s: no entry of such a group is overlooked",
	       fixture_name());
	is_int(limit_tallied(map), marked, "%s: nor counted twice", fixture_name());
	bare_resize(map);
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	bare_destroy(map);
}

/* A replacement, or a copy, is where the original was. */
static int overwrite(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	value->data = ctx;
	value->size = 5;
	return 0;
}

static void a_replacement_keeps_the_marks(void)
{
	struct rcumap *map = limit_bare_map(LIMIT);
	uint64_t kinds[4] = { 0 }, wrong = 0;
	char text[] = "other";

	for (uint64_t n = 0; n < 3 * LIMIT; n++) {
		put(map, n);
		if (n % 3 == 0)
			(void)fixture_check(map, n, NULL);
	}
	for (uint64_t n = 0; n < 3 * LIMIT; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);
		uint64_t before = limit_word(map, n, NULL), after;
		unsigned heat;

		if (!before)
			continue;
		heat = entry_heat(slot_entry(before));
		kinds[kind_of(before)]++;
		if (n % 2) {
			wrong += rcumap_update(map, key, size, overwrite, text, NULL) != 0;
			after = limit_word(map, n, NULL);
			wrong += entry_heat(slot_entry(after)) != (heat < ENTRY_HOT ? heat + 1 : heat);
		} else {
			wrong += rcumap_touch(map, key, size, 3600000) != 0;
			after = limit_word(map, n, NULL);
			wrong += entry_heat(slot_entry(after)) < (heat < ENTRY_HOT ? heat + 1 : heat);
		}
		wrong += slot_entry(before) == slot_entry(after) || ((before ^ after) & SLOT_MARKS);
	}
	ok(kinds[0] && kinds[kind_of(SLOT_MAIN)] && kinds[kind_of(SLOT_AGED)] && wrong == 0,
	   "%s: an update, and the copy that a touch makes, keep the marks, and count as found", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ */

static void test(void)
{
	a_scan_passes(by_find, "find");
	a_scan_passes(by_get, "get");
	a_scan_passes(by_find_batch, "find_batch");
	a_scan_passes(by_get_batch, "get_batch");
	a_scan_passes(by_touch, "touch");
	a_scan_passes(by_replace, "replace");
	a_scan_passes(by_nobody, "nobody");
	heat_rises_to_three();
	versions_stay();
	nothing_without_a_limit();
	who_comes_back_starts_in_main();
	nobody_else_does();
	marks_and_fingerprints_move_along();
	none_is_out_of_reach_while_a_table_grows();
	a_count_meets_a_group_half_way();
	a_replacement_keeps_the_marks();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
