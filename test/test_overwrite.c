/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts that overwrite in one pass (map/overwrite.h): what they leave to others, and that nothing is lost on either way. */
#include "bare_fixture.h"

#include "map/overwrite.h"

#define KEY_SIZE 16u
#define VALUE_SIZE 32u

static unsigned char key[KEY_SIZE]; /* that is tried */
static const char value[] = "a value of thirty-two bytes, ok.";

/* ------------------------------------------------------------------------------------------------ one by one */

static struct line *line_of(struct rcumap *map, const void *k, size_t size)
{
	return table_line(tables_current(&map->tables), hash_key(&map->tables.hash, k, size));
}

static struct line *line_of_key(struct rcumap *map)
{
	return line_of(map, key, KEY_SIZE);
}

/* A put somewhere else, which sees to it that there are a block and a cell for the next one. */
static void refill(struct rcumap *map)
{
	uint64_t other[2] = { 1, 1 };

	while (line_of(map, other, sizeof other) == line_of_key(map))
		other[0]++;
	rcumap_put(map, other, sizeof other, value, VALUE_SIZE, RCUMAP_TTL_DEFAULT, NULL);
}

/* What overwrite_small() says of that put, again and again: 0 if it ever stores, `expected` if it ever says that, or something else, as
 * it does where there is no block at hand, or no cell. What it has built is given back. */
static int try_small(struct rcumap *map, int expected)
{
	const struct write_content content = { key, KEY_SIZE, value, VALUE_SIZE };
	uint64_t version = 0;
	int said = -1, result = -1;

	for (unsigned i = 0; i < 20 && result; i++) {
		struct rcumap_entry *built = NULL;

		refill(map);
		map->section->lock();
		result = overwrite_small(map, &content, hash_key(&map->tables.hash, key, KEY_SIZE), &version, &built);
		if (result && built)
			memory_discard_for(&map->memory, MEMORY_ENTRY, built, entry_size_of(built));
		map->section->unlock();
		said = said == expected && result ? said : result;
	}
	ok(said ? version == 0 : version != 0, "%s: it tells the version if it stores", fixture_name());
	return said;
}

static unsigned slot_of_key(struct rcumap *map)
{
	struct line *line = line_of_key(map);

	for (unsigned i = 0; i < LINE_SLOTS; i++)
		if (slot_has_entry(slot_load(line, i)))
			return i;
	bail("the key has no slot");
}

/* With this word in the first slot; afterwards it is as it was. */
static int try_with_word(struct rcumap *map, uint64_t word, int expected)
{
	struct line *line = line_of_key(map);
	const uint64_t before = slot_load(line, 0);
	int result;

	atomic_store(&line->slot[0], word);
	result = try_small(map, expected);
	is_int(slot_load(line, 0), (intmax_t)word, "%s: and changes nothing", fixture_name());
	atomic_store(&line->slot[0], before);
	return result;
}

static void leaves_it_to_others(void)
{
	memcpy(key, "sixteen bytes ok", KEY_SIZE);

	struct rcumap *map = bare_map_on(NULL, 1000);
	const uint64_t tag = table_tag(tables_current(&map->tables), hash_key(&map->tables.hash, key, KEY_SIZE));

	if (!map->overwrite.small_keys) {
		skip(1, "%s: sections need fences here", fixture_name());
		bare_destroy(map);
		return;
	}
	rcumap_put(map, key, KEY_SIZE, value, VALUE_SIZE, RCUMAP_TTL_DEFAULT, NULL);
	is_int(try_small(map, 0), 0, "%s: an entry without an end is overwritten", fixture_name());
	ok(fixture_holds(map, key, KEY_SIZE, value, VALUE_SIZE, 0), "%s: it is there", fixture_name());

	struct line *line = line_of_key(map);
	const unsigned slot = slot_of_key(map);
	const uint64_t word = slot_load(line, slot);

	slot_freeze(line, slot);
	is_int(try_small(map, OVERWRITE_PERHAPS), OVERWRITE_PERHAPS, "%s: not where its word is frozen", fixture_name());
	is_int(slot_load(line, slot), (intmax_t)(word | WORD_FROZEN), "%s: which stays", fixture_name());
	atomic_store(&line->slot[slot], word);

	const uint64_t ctl = ctl_load(line);

	atomic_store(&line->ctl, CTL_FROZEN);
	is_int(try_small(map, OVERWRITE_NOT), OVERWRITE_NOT, "%s: nor in a bucket that migrates", fixture_name());
	atomic_store(&line->ctl, CTL_MIGRATED);
	is_int(try_small(map, OVERWRITE_NOT), OVERWRITE_NOT, "%s: or has", fixture_name());
	atomic_store(&line->ctl, CTL_INIT);
	is_int(try_small(map, OVERWRITE_NOT), OVERWRITE_NOT, "%s: or is being filled", fixture_name());
	atomic_store(&line->ctl, ctl);
	is_int(slot_load(line, slot), (intmax_t)word, "%s: which changes nothing", fixture_name());

	rcumap_touch(map, key, KEY_SIZE, 3600000);
	is_int(try_small(map, OVERWRITE_PERHAPS), OVERWRITE_PERHAPS, "%s: nor where it ends some day", fixture_name());
	rcumap_delete(map, key, KEY_SIZE);
	is_int(try_small(map, OVERWRITE_NOT), OVERWRITE_NOT, "%s: nor where it is absent", fixture_name());
	is_int(try_with_word(map, tag | slot_empty(5), OVERWRITE_PERHAPS), OVERWRITE_PERHAPS, "%s: an empty slot's version may look like its tag",
	       fixture_name());
	ok(fixture_lacks(map, key, KEY_SIZE), "%s: nothing was stored", fixture_name());
	bare_destroy(map);
}

/* The entry of another key, in the slot where the key's would be, with its tag. */
static const struct rcumap_entry *store_other(struct rcumap *map, const void *other, size_t size, uint64_t ttl_ms)
{
	const struct rcumap_entry *entry;

	rcumap_put(map, other, size, value, VALUE_SIZE, ttl_ms, NULL);
	map->section->lock();
	entry = rcumap_find(map, other, size);
	map->section->unlock();
	if (!entry)
		bail("another key is not stored");
	return entry;
}

/* Longer, shorter, of other bytes, at the first or the last eight; with an end that looks like its first bytes. */
static void takes_no_other_key(void)
{
	static const char *const others[] = { "sixteen bytes ok!", "sixteen bytes o", "Sixteen bytes ok", "sixteen bytes oK" };
	struct rcumap *map = bare_map_on(NULL, 1000);
	uint64_t tag, number[2] = { 0, 0 };

	memcpy(key, "sixteen bytes ok", KEY_SIZE);
	tag = table_tag(tables_current(&map->tables), hash_key(&map->tables.hash, key, KEY_SIZE));
	for (unsigned i = 0; i < sizeof others / sizeof others[0] && map->overwrite.small_keys; i++)
		is_int(try_with_word(map, slot_of(store_other(map, others[i], strlen(others[i]), RCUMAP_TTL_DEFAULT), tag, 0), OVERWRITE_PERHAPS),
		       OVERWRITE_PERHAPS, "%s: not another key with its tag: %s", fixture_name(), others[i]);

	struct rcumap_entry *ends = (struct rcumap_entry *)store_other(map, "ytes okABCDEFGHI", KEY_SIZE, 3600000);
	const uint64_t deadline = entry_deadline(ends);

	memcpy(key, ends->bytes, 8);
	memcpy(key + 8, "ytes okA", 8);
	tag = table_tag(tables_current(&map->tables), hash_key(&map->tables.hash, key, KEY_SIZE));
	if (map->overwrite.small_keys)
		is_int(try_with_word(map, slot_of(ends, tag, 0), OVERWRITE_PERHAPS), OVERWRITE_PERHAPS, "%s: nor one with an end that looks like it: %llx",
		       fixture_name(), (unsigned long long)deadline);

	do {
		number[0]++;
		memcpy(key, number, KEY_SIZE);
	} while (table_tag(tables_current(&map->tables), hash_key(&map->tables.hash, key, KEY_SIZE)));
	if (map->overwrite.small_keys)
		is_int(try_with_word(map, SLOT_UNFILLED, OVERWRITE_PERHAPS), OVERWRITE_PERHAPS, "%s: nor what is not filled, for a key of tag 0", fixture_name());
	/* A cell that was neither filled nor cancelled would be waited for. */
	bare_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ all together */

/* Small ones take the place of entries of all sizes, and lives, and these the place of small ones: each old one is given back. */
static void overwrites_all_sizes(void)
{
	static const size_t sizes[] = { 0,	1,     8,     15,    16,    17,	   31,	  32,	 33,	 64,	 1000,
					2000, 2100,  4096,  32751, 32767, 32768, 65450, 65500, 65535, 65536, 100000 };
	static unsigned char bytes[100000];
	struct rcumap *map = fixture_map(NULL);
	uint64_t wrong = 0, turns = 0;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
			for (unsigned ends = 0; ends < 2; ends++, turns++) {
				uint64_t version = 0, left = 0;

				wrong += rcumap_put(map, key, KEY_SIZE, bytes, sizes[i], ends ? 3600000 : RCUMAP_TTL_DEFAULT, NULL) != 0;
				wrong += !fixture_holds(map, key, KEY_SIZE, bytes, sizes[i], 0);
				wrong += rcumap_put(map, key, KEY_SIZE, value, VALUE_SIZE, RCUMAP_TTL_DEFAULT, &version) != 0;
				wrong += !fixture_holds(map, key, KEY_SIZE, value, VALUE_SIZE, version);
				wrong += rcumap_ttl(map, key, KEY_SIZE, &left) != 0 || left != RCUMAP_TTL_NEVER;
				flavor_quiescent(fixture_flavor);
			}
		rcumap_barrier(map);

		const struct rcumap_stats s = fixture_stats(map);

		wrong += s.replaced != 2 * turns - 1 || s.inserted != 1 || s.reclaimed != s.replaced || s.entries != 1;
	}
	is_int(wrong, 0, "%s: values of all sizes are overwritten, and given back", fixture_name());
	fixture_destroy(map);
}

/* Wherever they stand: in a table that is too small for them many are in overflow lines. */
static void overwrites_everywhere(void)
{
	const uint64_t keys = fixture_scaled(100000, 10000);
	struct rcumap *map = fixture_map(NULL);
	uint64_t wrong = 0, again = 0, before = 0;

	for (uint64_t turn = 0; turn < 3; turn++)
		for (uint64_t n = 0; n < keys; n++) {
			uint64_t words[2] = { n * UINT64_C(0x9e3779b97f4a7c15), n }, values[4] = { n, turn, ~n, n ^ turn }, version = 0;

			wrong += rcumap_put(map, words, sizeof words, values, sizeof values, RCUMAP_TTL_DEFAULT, &version) != 0;
			wrong += !fixture_holds(map, words, sizeof words, values, sizeof values, version);
			again += version == before;
			before = version;
			flavor_quiescent(fixture_flavor);
		}
	rcumap_barrier(map);

	const struct rcumap_stats s = fixture_stats(map);

	is_int(wrong, 0, "%s: each is there, with its version", fixture_name());
	is_int(again, 0, "%s: versions differ", fixture_name());
	ok(s.entries == keys && s.inserted == keys && s.replaced == 2 * keys && s.reclaimed == s.replaced,
	   "%s: %llu keys, %llu replaced, %llu of these given back", fixture_name(), (unsigned long long)s.entries,
	   (unsigned long long)s.replaced, (unsigned long long)s.reclaimed);
	fixture_destroy(map);
}

static void test(void)
{
	leaves_it_to_others();
	takes_no_other_key();
	overwrites_all_sizes();
	overwrites_everywhere();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
