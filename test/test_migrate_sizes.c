/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/migrate: over all kinds of step, up and down, each entry goes where its hash belongs, and is read only where it must be. */
#include "migrate_fixture.h"

/* All kinds of step, as far as tables are not too large for a test. */
#define SIZE_TOP (SIZE_TURN + 3 > SIZE_FIRST + 17 ? SIZE_TURN + 3 : SIZE_FIRST + 17)

/* What was found wrong over some steps; how often tags were taken anew, and keys read though they were not. */
struct walked {
	unsigned lost, unsound, wrong, refreshed;
	uint64_t read;
};

static void walk_to(struct chain *chain, const struct content *content, unsigned size, struct walked *w)
{
	const uint64_t hashed = atomic_load(&chain->hashed);

	w->wrong += !chain_resize(chain, size);
	if (chain_table(chain)->same_tag)
		w->read += atomic_load(&chain->hashed) - hashed;
	w->refreshed += !chain_table(chain)->same_tag;
	w->lost += content_missing(chain, content);
	w->unsound += unsound_buckets(chain, chain_table(chain));
	w->wrong += chain_entries(chain_table(chain)) != content->count;
}

static void walk_twice(struct chain *chain, const struct content *content, unsigned top, struct walked *w)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned size = SIZE_FIRST + 1; size <= top; size++)
			walk_to(chain, content, size, w);
		for (unsigned size = top - 1; size >= SIZE_FIRST; size--)
			walk_to(chain, content, size, w);
	}
}

static void entries_stay_over_all_sizes(unsigned entries, unsigned zero_bits, const char *what)
{
	struct chain *chain = chain_new(SIZE_FIRST);
	struct walked w = { 0 };
	struct rng rng;

	rng_init(&rng, entries + zero_bits);
	struct content content = content_fill(chain, entries, zero_bits, &rng);

	walk_twice(chain, &content, SIZE_TOP, &w);
	is_int(w.lost, 0, "%s: every entry is found after each of %u steps, up and down twice", what, 4 * (SIZE_TOP - SIZE_FIRST));
	is_int(w.wrong, 0, "%s: each once", what);
	is_int(w.unsound, 0, "%s: every bucket is open, its words whole and tagged right, its chain as short as can be",
	       what);
	ok(w.refreshed > 0, "%s: also where tags were taken anew", what);
	/* Each entry that is read at all is so each time that words are counted. */
	ok(w.read <= entries / 50, "%s: where they stayed %llu keys were read, of %u entries", what, (unsigned long long)w.read, entries);
	content_free(&content);
	ok(chain_delete(chain), "%s: all is freed", what);
}

/* Right before and behind where a bucket begins: both have one tag, where that is not where a tag begins, too. */
static void entries_on_borders_go_where_they_belong(void)
{
	struct chain *chain = chain_new(SIZE_FIRST);
	struct content content = { .count = 0 };
	struct walked w = { 0 };
	/* Debug builds: of all buckets. */
	const unsigned most = 40, first = SIZE_TURN < 4 ? SIZE_FIRST : SIZE_TURN - 1, last = first + 5;

	content.keys = malloc(2 * most * 6 * sizeof *content.keys);
	content.entries = malloc(2 * most * 6 * sizeof *content.entries);
	for (unsigned size = first; size <= last; size++)
		for (uint64_t bucket = 1; bucket < size_buckets(size) && bucket <= most; bucket++)
			for (unsigned before = 0; before < 2; before++) {
				const unsigned n = content.count++;

				content.keys[n] = (struct chain_key){ size_first_hash(size_buckets(size), bucket) - before, n };
				content.entries[n] = chain_put(chain, chain_table(chain), content.keys[n]);
			}
	walk_twice(chain, &content, SIZE_TOP, &w);
	is_int(w.lost + w.wrong + w.unsound, 0, "entries on both sides of where buckets begin are each where they belong, at each size");
	ok(w.read > 0, "the tag does not tell for some: they were read, %llu times", (unsigned long long)w.read);
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

int main(void)
{
	entries_stay_over_all_sizes(40, 0, "a few entries");
	entries_stay_over_all_sizes(1500, 0, "many entries");
	entries_stay_over_all_sizes(100, 10, "all in few buckets");
	entries_on_borders_go_where_they_belong();
	return tap_done();
}
