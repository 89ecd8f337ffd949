/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/table: sizes, tags, and the chain of tables. */
#include "protocol/table.h"

#include "protocol/load.h"
#include "table_fixture.h"

/* Begin a table of `bits`, and go on to it at once, as if all had migrated. */
static struct table *step(struct chain *chain, unsigned bits)
{
	struct table *from = tables_current(&chain->tables);

	if (tables_begin(&chain->tables, bits) != 0 || !tables_advance(&chain->tables, from))
		return NULL;
	table_free(&chain->tables, from, &chain->freer);
	return tables_current(&chain->tables);
}

/* ------------------------------------------------------------------ sizes */

static void bits_for_entries_are_the_fewest(void)
{
	unsigned wrong = 0;

	is_int(table_bits_for(0), TABLE_BITS_MIN, "no entries: the smallest table");
	for (unsigned bits = TABLE_BITS_MIN; bits < TABLE_BITS_MAX; bits++) {
		uint64_t most = load_slots(bits) * 4 / 5;

		wrong += table_bits_for(most) != bits || table_bits_for(most + 1) != bits + 1 ||
			 load_must_grow(most, bits);
	}
	is_int(wrong, 0, "each number of entries gets the smallest table that need not grow");
	/* The short lines of debug builds would need more buckets. */
	ok(LINE_SIZE < 64 || !load_must_grow(UINT64_C(1) << 38, table_bits_for(UINT64_C(1) << 38)), "so do 2^38");
	is_int(table_bits_for(RCUMAP_CAPACITY_MAX), TABLE_BITS_MAX, "beyond that the largest table has to do");
}

static void the_first_table_is_open(void)
{
	struct chain *chain = chain_new(4);
	struct table *table = tables_current(&chain->tables);
	unsigned wrong = 0;

	is_int(table_buckets(table), 16, "4 bits are 16 buckets");
	for (unsigned i = 0; i < 16; i++) {
		wrong += ctl_load(&table->lines[i]) != ctl_idle(0) || link_load(&table->lines[i]) != LINK_END;
		for (unsigned s = 0; s < LINE_SLOTS; s++)
			wrong += slot_load(&table->lines[i], s) != slot_empty(0);
	}
	is_int(wrong, 0, "all are empty and idle");
	ok(table_next(table) == NULL, "no other table follows");
	is_int(table_bytes(table), 16 * LINE_SIZE + sizeof *table, "its bytes");
	is_int(memory_bytes(&chain->memory), table_bytes(table), "are what is held");
	ok(chain_delete(chain), "and given back");
}

static void buckets_cover_hashes_in_order(void)
{
	unsigned wrong = 0;

	for (unsigned bits = 1; bits < 12; bits++) {
		struct chain *chain = chain_new(bits < TABLE_BITS_MIN ? TABLE_BITS_MIN : bits);
		struct table *table = tables_current(&chain->tables);
		uint64_t width = (UINT64_MAX >> table->bits) + 1;

		for (uint64_t i = 0; i < table_buckets(table); i++)
			wrong += table_line(table, i * width) != &table->lines[i] ||
				 table_line(table, i * width + width - 1) != &table->lines[i];
		wrong += !chain_delete(chain);
	}
	is_int(wrong, 0, "a bucket covers a range of hashes, in order");
}

/* ------------------------------------------------------------------ tags */

/* Does the tag lie in the hash, with enough fresh bits below the index to tell keys of a bucket apart? */
static bool tag_is_good(const struct table *table)
{
	unsigned index_low = 64 - table->bits, top = table->tag_shift + 16;

	if (table->tag_shift > 48)
		return false;
	return top <= index_low || index_low - table->tag_shift >= TABLE_TAG_FRESH;
}

/* May words go over as they are, and are the two halves of a bucket then told apart by the tag? */
static bool same_tag_is_right(const struct table *table, unsigned bits_before, unsigned shift_before)
{
	unsigned bit = 64 - table->bits;

	if (!table->same_tag)
		return table->tag_shift + 16 == 64 - table->bits; /* right below the index */
	if (table->tag_shift != shift_before)
		return false;
	return table->bits < bits_before || (bit >= table->tag_shift && bit < table->tag_shift + 16);
}

/* Walk from size to size; what is wrong with any step is counted. */
static unsigned walk(struct chain *chain, unsigned to, unsigned *refreshed)
{
	unsigned wrong = 0;

	while (tables_current(&chain->tables)->bits != to) {
		const struct table *before = tables_current(&chain->tables);
		unsigned bits = before->bits, shift = before->tag_shift;
		struct table *table = step(chain, bits < to ? bits + 1 : bits - 1);

		if (!table)
			return wrong + 1;
		wrong += !tag_is_good(table);
		wrong += !same_tag_is_right(table, bits, shift);
		*refreshed += !table->same_tag;
	}
	return wrong;
}

static void tags_stay_good_over_doublings_and_shrinkings(void)
{
	struct chain *chain = chain_new(TABLE_BITS_MIN);
	struct rng rng;
	unsigned wrong = 0, refreshed = 0, grown;

	rng_init(&rng, 1);
	wrong += walk(chain, 17, &refreshed);
	is_int(wrong, 0, "growing step by step: the tag always has %u bits that the index has not", TABLE_TAG_FRESH);
	/* A fresh tag lies right below the index, and serves until too many of its bits are the index's. */
	grown = 17 - TABLE_BITS_MIN;
	ok(refreshed >= grown / (17 - TABLE_TAG_FRESH) - 1 && refreshed <= grown / (17 - TABLE_TAG_FRESH) + 1,
	   "a fresh tag is taken %u times in %u steps", refreshed, grown);
	refreshed = 0;
	wrong += walk(chain, TABLE_BITS_MIN, &refreshed);
	is_int(wrong, 0, "shrinking: likewise");
	is_int(refreshed, 0, "no entry is read for a fresh tag");
	for (unsigned i = 0; i < 60; i++)
		wrong += walk(chain, TABLE_BITS_MIN + (unsigned)rng_below(&rng, 12), &refreshed);
	is_int(wrong, 0, "to and fro: likewise");
	ok(chain_delete(chain), "all tables are freed");
}

static void a_tag_is_16_bits_of_the_hash(void)
{
	struct chain *chain = chain_new(TABLE_BITS_MIN);
	struct table *table = tables_current(&chain->tables);
	uint64_t hash = UINT64_C(0x0123456789abcdef);

	for (unsigned shift = 0; shift <= 48; shift += 12) {
		table->tag_shift = shift;
		is_int(table_tag(table, hash) >> 48, hash >> shift & 0xffff, "the tag at bit %u", shift);
	}
	is_int(table_tag(table, hash) & ~(UINT64_C(0xffff) << 48), 0, "stands in the top 16 bits alone");
	chain_delete(chain);
}

/* ------------------------------------------------------------------ the chain */

static void only_one_table_follows(void)
{
	struct chain *chain = chain_new(5);
	struct tables *tables = &chain->tables;
	struct table *first = tables_current(tables), *second;
	int64_t bytes = atomic_load(&chain->allocator.bytes);

	is_int(tables_begin(tables, 5), -EBUSY, "a table of the same size is refused");
	is_int(tables_begin(tables, 7), -EBUSY, "so is one four times as large");
	is_int(tables_begin(tables, 3), -EBUSY, "or as small");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is allocated for these");
	is_int(tables_begin(tables, 6), 0, "one twice as large follows");
	second = table_next(first);
	ok(tables_current(tables) == first && second && second->bits == 6, "the first is current still");
	is_int(ctl_load(&second->lines[0]), CTL_INIT, "the second is not open yet");
	is_int(slot_load(&second->lines[63], 0), SLOT_UNFILLED, "nor filled");
	is_int(tables_begin(tables, 6), -EBUSY, "no further one follows");
	is_int(tables_begin(tables, 4), -EBUSY, "nor a smaller one");
	ok(tables_advance(tables, first), "on to the second");
	ok(tables_current(tables) == second, "it is current now");
	ok(!tables_advance(tables, first), "once only");
	is_int(tables->grown, 1, "it grew once");
	table_free(tables, first, &chain->freer);
	is_int(tables_begin(tables, 5), 0, "now a smaller one follows");
	ok(tables_advance(tables, second), "on to that");
	is_int(tables->shrunk, 1, "it shrank once");
	table_free(tables, second, &chain->freer);
	is_int(atomic_load(&chain->allocator.bytes), bytes, "what was left behind is freed");
	is_int(tables_begin(tables, 4), 0, "a table is freed with the chain, though it was never reached");
	ok(chain_delete(chain), "all tables are freed");
}

static void sizes_have_limits(void)
{
	struct chain *chain = chain_new(TABLE_BITS_MIN);
	int64_t bytes = atomic_load(&chain->allocator.bytes);

	is_int(tables_begin(&chain->tables, TABLE_BITS_MIN - 1), -ENOMEM, "no table is smaller than the smallest");
	is_int(tables_begin(&chain->tables, TABLE_BITS_MAX + 1), -ENOMEM, "nor larger than the largest");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is allocated");
	ok(chain_delete(chain), "all is freed");
}

static void want_of_memory_changes_nothing(void)
{
	struct chain *chain = chain_new(5);
	struct tables *tables = &chain->tables;
	int64_t bytes = atomic_load(&chain->allocator.bytes);

	for (unsigned n = 1; n <= 2; n++) {
		fault_arm(n, FAULT_NULL);
		is_int(tables_begin(tables, 6), -ENOMEM, "allocation %u fails", n);
		ok(fault_disarm(), "it was reached");
		fault_arm(n, FAULT_HIGH);
		is_int(tables_begin(tables, 6), -EFAULT, "allocation %u is unusable", n);
		ok(fault_disarm(), "it was reached");
	}
	ok(table_next(tables_current(tables)) == NULL, "no table follows");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is left of the attempts");
	is_int(tables_begin(tables, 6), 0, "with memory one follows");
	ok(chain_delete(chain), "all is freed");
}

static void overflow_lines_belong_to_their_table(void)
{
	struct chain *chain = chain_new(5);
	struct tables *tables = &chain->tables;
	struct table *table = tables_current(tables);
	struct line *open = NULL, *unfilled = NULL;
	int64_t bytes = atomic_load(&chain->allocator.bytes);
	bool right = true;

	is_int(table_alloc_line(tables, LINE_OPEN, &open), 0, "a line for a writer");
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		right = right && slot_load(open, i) == slot_empty(0);
	ok(right && link_load(open) == LINK_END, "it is empty and the last");
	is_int(table_alloc_line(tables, LINE_UNFILLED, &unfilled), 0, "a line for a migrator");
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		right = right && slot_load(unfilled, i) == SLOT_UNFILLED;
	ok(right && link_load(unfilled) == LINK_UNFILLED, "it is unfilled");
	table_discard_line(tables, unfilled);
	is_int(atomic_load(&chain->allocator.bytes) - bytes, sizeof(struct line), "one that is not used is given back");
	table_own_line(table, open);
	is_int(table_bytes(table), 32 * LINE_SIZE + sizeof *table + sizeof(struct line), "one that is, is the table's");
	for (unsigned i = 0; i < 10; i++) {
		struct line *line = NULL;

		if (table_alloc_line(tables, LINE_OPEN, &line) == 0)
			table_own_line(table, line);
	}
	is_int(table->overflow_lines, 11, "so are ten more");
	ok(chain_delete(chain), "they are freed with it");
}

/* ------------------------------------------------------------------ several threads */

struct context {
	struct chain *chain;
	struct table *from;
	_Atomic unsigned begun, advanced, bad;
};

static void begin_all(struct team_member *me)
{
	struct context *c = me->ctx;
	int error = tables_begin(&c->chain->tables, c->from->bits + 1);

	if (error == 0)
		atomic_fetch_add(&c->begun, 1);
	else if (error != -EBUSY)
		atomic_fetch_add(&c->bad, 1);
	if (tables_advance(&c->chain->tables, c->from))
		atomic_fetch_add(&c->advanced, 1);
}

static void one_of_several_threads_begins(void)
{
	struct context c = { .chain = chain_new(TABLE_BITS_MIN) };
	struct team_options options = { .threads = 4, .work = begin_all, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };
	unsigned wrong = 0;

	for (unsigned turn = 0; turn < 10; turn++) {
		atomic_store(&c.begun, 0);
		atomic_store(&c.advanced, 0);
		c.from = tables_current(&c.chain->tables);
		team_run(&options);
		/* Who comes after the advance finds that a table of that size is current already. */
		wrong += c.begun != 1 || c.advanced != 1 || tables_current(&c.chain->tables)->bits != c.from->bits + 1;
		table_free(&c.chain->tables, c.from, &c.chain->freer);
	}
	is_int(wrong, 0, "four threads begin at once: one table follows, and one thread goes on to it");
	is_int(c.bad, 0, "the others are told");
	ok(chain_delete(c.chain), "what the losers allocated is freed");
}

int main(void)
{
	bits_for_entries_are_the_fewest();
	the_first_table_is_open();
	buckets_cover_hashes_in_order();
	tags_stay_good_over_doublings_and_shrinkings();
	a_tag_is_16_bits_of_the_hash();
	only_one_table_follows();
	sizes_have_limits();
	want_of_memory_changes_nothing();
	overflow_lines_belong_to_their_table();
	one_of_several_threads_begins();
	return tap_done();
}
