/* SPDX-License-Identifier: BSD-2-Clause */
/* map_each_word(): each entry once, also of a group that migrators have left half frozen for want of memory. */
#include "bare_fixture.h"
#include "protocol/load.h"
#include "protocol/migrate.h"

/* Three buckets that shrink to two, and more entries in each than lines of two have room for. */
#define SOURCES 3u
#define EACH (LINE_SLOTS - LINE_SLOTS / 4)

/* Refuses so many lines. */
static unsigned refuse;

static void *alloc(void *ctx, size_t size, size_t align)
{
	void *p = NULL;

	(void)ctx;
	if (size == sizeof(struct line) && refuse) {
		refuse--;
		return NULL;
	}
	return posix_memalign(&p, align < 16 ? 16 : align, size) ? NULL : p;
}

static void give_back(void *ctx, void *p, size_t size)
{
	(void)ctx, (void)size;
	free(p);
}

static void fill(struct rcumap *map)
{
	unsigned in[SOURCES] = { 0 }, stored = 0;

	for (uint64_t n = 0; stored < SOURCES * EACH; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		const size_t size = fixture_key(n, key);
		const uint64_t bucket = table_bucket(tables_current(&map->tables), hash_key(&map->tables.hash, key, size));

		if (bucket >= SOURCES || in[bucket] == EACH)
			continue;
		if (fixture_put(map, n, 0, 24) != 0)
			bail("put");
		in[bucket]++;
		stored++;
	}
}

static void count_word(void *ctx, uint64_t word)
{
	(void)word;
	++*(unsigned *)ctx;
}

/* `frozen`: of the first sources. What is refused once can be had the next time. */
static void a_group_is_half_frozen(unsigned frozen, unsigned refused)
{
	const struct rcumap_options options = { .capacity = load_most(SIZE_TURN + 1),
						.allocator = { .alloc = alloc, .free = give_back } };
	struct rcumap *map = bare_map(&options);
	struct table *table = tables_current(&map->tables);
	unsigned words = 0;

	fill(map);
	rcumap_read_lock(map);
	if (tables_begin(&map->tables, table->size - 1) != 0)
		bail("no smaller table");
	for (unsigned s = 0; s < frozen; s++)
		if (!ctl_cas(&table->lines[s], ctl_load(&table->lines[s]), CTL_FROZEN))
			bail("a bucket does not freeze");
	refuse = refused;
	map_each_word(map, count_word, &words);
	is_int(words, SOURCES * EACH, "%u of three are frozen, and %u lines are refused: each entry is visited once", frozen, refused);
	refuse = 0;
	rcumap_read_unlock(map);
	bare_destroy(map);
}

int main(void)
{
	flavor_register(fixture_flavor);
	for (unsigned frozen = 0; frozen <= SOURCES - 1; frozen++)
		for (unsigned refused = 0; refused <= 3; refused++)
			a_group_is_half_frozen(frozen, refused);
	flavor_unregister(fixture_flavor);
	return tap_done();
}
