/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/table: sizes, tags, and the chain of tables. */
#include "protocol/table.h"

#include "protocol/load.h"
#include "table_fixture.h"

/* Begin a table of that size, and go on to it at once, as if all had migrated. */
static struct table *step(struct chain *chain, unsigned size)
{
	struct table *from = tables_current(&chain->tables);

	if (tables_begin(&chain->tables, size) != 0 || !tables_advance(&chain->tables, from))
		return NULL;
	table_free(&chain->tables, from, &chain->freer);
	return tables_current(&chain->tables);
}

/* ------------------------------------------------------------------ sizes */

static void sizes_for_entries_are_the_smallest(void)
{
	unsigned wrong = 0;

	is_int(table_size_for(0), SIZE_FIRST, "no entries: the smallest table");
	for (unsigned size = SIZE_FIRST; size < SIZE_LAST; size++) {
		uint64_t most = load_most(size);

		wrong += table_size_for(most) != size || table_size_for(most + 1) != size + 1 ||
			 load_must_grow(most, size);
	}
	is_int(wrong, 0, "each number of entries gets the smallest table that need not grow");
	is_int(table_size_for(load_most(SIZE_LAST) + 1), SIZE_LAST + 1, "beyond the largest there is none");
	is_int(table_size_for(UINT64_C(1) << 48), SIZE_LAST + 1, "for as many as there may be, either");
}

static void the_first_table_is_open(void)
{
	struct chain *chain = chain_new(5);
	struct table *table = tables_current(&chain->tables);
	const unsigned buckets = (unsigned)table_buckets(table);
	unsigned wrong = 0;

	is_int(buckets, size_buckets(5), "a table has as many buckets as its size says");
	for (unsigned i = 0; i < buckets; i++) {
		wrong += ctl_load(&table->lines[i]) != ctl_idle(0) || link_load(&table->lines[i]) != LINK_END;
		for (unsigned s = 0; s < LINE_SLOTS; s++)
			wrong += slot_load(&table->lines[i], s) != slot_empty(0);
	}
	is_int(wrong, 0, "all are empty and idle");
	ok(table_next(table) == NULL, "no other table follows");
	is_int(table_bytes(table), buckets * LINE_SIZE + table_struct_bytes(table->size), "its bytes");
	is_int(memory_bytes(&chain->memory), table_bytes(table), "are what is held");
	ok(chain_delete(chain), "and given back");
}

static void a_table_says_where_its_buckets_are(void)
{
	unsigned wrong = 0;

	for (unsigned size = SIZE_FIRST; size < SIZE_FIRST + 14; size++) {
		struct chain *chain = chain_new(size);
		struct table *table = tables_current(&chain->tables);

		for (uint64_t i = 0; i < table_buckets(table); i++) {
			uint64_t hash = chain_hash_in(size, i, UINT64_MAX);

			wrong += table_line(table, hash) != &table->lines[i] ||
				 table_line(table, table_first_hash(table, hash)) != &table->lines[i] ||
				 table_line(table, table_last_hash(table, hash)) != &table->lines[i] ||
				 table_last_hash(table, hash) + 1 != size_first_hash(size_buckets(size), i + 1);
		}
		wrong += !chain_delete(chain);
	}
	is_int(wrong, 0, "a table's buckets are those of its size");
}

/* ------------------------------------------------------------------ tags */

/* May words go over as they are? */
static bool same_tag_is_right(const struct table *before, const struct table *table)
{
	const uint64_t buckets = table_buckets(table);

	if (!tag_is_fresh(buckets, before->tag_shift) || !tag_tells(before->size, table->size, before->tag_shift))
		return !table->same_tag && table->tag_shift == tag_fresh_shift(buckets);
	return table->same_tag && table->tag_shift == before->tag_shift;
}

/* Walk from size to size; what is wrong with any step is counted. */
static unsigned walk(struct chain *chain, unsigned to, unsigned *refreshed)
{
	unsigned wrong = 0;

	while (tables_current(&chain->tables)->size != to) {
		const struct table before = *tables_current(&chain->tables);
		struct table *table = step(chain, before.size < to ? before.size + 1 : before.size - 1);

		if (!table)
			return wrong + 1;
		wrong += !same_tag_is_right(&before, table) || !tag_is_fresh(table_buckets(table), table->tag_shift);
		*refreshed += !table->same_tag;
	}
	return wrong;
}

static void tags_stay_good_over_growth_and_shrinking(void)
{
	struct chain *chain = chain_new(SIZE_FIRST);
	const unsigned top = SIZE_TURN + 3 > SIZE_FIRST + 14 ? SIZE_TURN + 3 : SIZE_FIRST + 14;
	struct rng rng;
	unsigned wrong = 0, up = 0, down = 0, between = 0;

	rng_init(&rng, 1);
	wrong += walk(chain, top, &up);
	is_int(wrong, 0, "growing step by step: tags stay for as long as they tell enough");
	wrong += walk(chain, SIZE_FIRST, &down);
	is_int(wrong, 0, "shrinking: likewise");
	ok(up > 0 && up < top - SIZE_FIRST && down <= (top - SIZE_FIRST) / 2,
	   "of %u steps up %u take new ones, and %u of those down", top - SIZE_FIRST, up, down);
	for (unsigned i = 0; i < 60; i++)
		wrong += walk(chain, SIZE_FIRST + (unsigned)rng_below(&rng, 12), &between);
	is_int(wrong, 0, "to and fro: likewise");
	ok(chain_delete(chain), "all tables are freed");
}

static void a_tag_is_16_bits_of_the_hash(void)
{
	struct chain *chain = chain_new(SIZE_FIRST);
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
	struct chain *chain = chain_new(7);
	struct tables *tables = &chain->tables;
	struct table *first = tables_current(tables), *second;
	int64_t bytes = atomic_load(&chain->allocator.bytes);

	is_int(tables_begin(tables, 7), -EBUSY, "a table of the same size is refused");
	is_int(tables_begin(tables, 9), -EBUSY, "so is one two sizes larger");
	is_int(tables_begin(tables, 5), -EBUSY, "or smaller");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is allocated for these");
	is_int(tables_begin(tables, 8), 0, "the next larger one follows");
	second = table_next(first);
	ok(tables_current(tables) == first && second && second->size == 8, "the first is current still");
	is_int(ctl_load(&second->lines[0]), CTL_INIT, "the second is not open yet");
	is_int(slot_load(&second->lines[table_buckets(second) - 1], 0), SLOT_UNFILLED, "nor filled");
	is_int(tables_begin(tables, 8), -EBUSY, "no further one follows");
	is_int(tables_begin(tables, 6), -EBUSY, "nor a smaller one");
	ok(tables_advance(tables, first), "on to the second");
	ok(tables_current(tables) == second, "it is current now");
	ok(!tables_advance(tables, first), "once only");
	is_int(tables->grown, 1, "it grew once");
	table_free(tables, first, &chain->freer);
	is_int(tables_begin(tables, 7), 0, "now a smaller one follows");
	ok(tables_advance(tables, second), "on to that");
	is_int(tables->shrunk, 1, "it shrank once");
	table_free(tables, second, &chain->freer);
	is_int(atomic_load(&chain->allocator.bytes), bytes, "what was left behind is freed");
	is_int(tables_begin(tables, 6), 0, "a table is freed with the chain, though it was never reached");
	ok(chain_delete(chain), "all tables are freed");
}

static void sizes_have_limits(void)
{
	struct chain *chain = chain_new(SIZE_FIRST);
	struct tables none;
	int64_t bytes = atomic_load(&chain->allocator.bytes);

	is_int(tables_begin(&chain->tables, SIZE_FIRST - 1), -ENOMEM, "no table is smaller than the smallest");
	is_int(tables_begin(&chain->tables, SIZE_LAST + 1), -ENOMEM, "nor larger than the largest");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is allocated");
	ok(!table_could_have(&chain->tables, SIZE_LAST + 1), "which none could have");
	is_int(tables_init(&none, &chain->memory, &chain->tables.hash, SIZE_LAST + 1, false), -ENOMEM, "nor is one the first");
	is_int(atomic_load(&chain->allocator.bytes), bytes, "nothing is allocated for it");
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
	is_int(table_bytes(table), table_buckets(table) * LINE_SIZE + table_struct_bytes(table->size) + sizeof(struct line), "one that is, is the table's");
	for (unsigned i = 0; i < 10; i++) {
		struct line *line = NULL;

		if (table_alloc_line(tables, LINE_OPEN, &line) == 0)
			table_own_line(table, line);
	}
	is_int(table_overflow_lines(table), 11, "so are ten more");
	ok(chain_delete(chain), "they are freed with it");
}

/* ------------------------------------------------------------------ several threads */

struct context {
	struct chain *chain;
	struct table *from;
	_Atomic unsigned begun, advanced, bad;
	_Atomic bool used[TABLE_STRIPES];
};

static void begin_all(struct team_member *me)
{
	struct context *c = me->ctx;
	int error = tables_begin(&c->chain->tables, c->from->size + 1);

	if (error == 0)
		atomic_fetch_add(&c->begun, 1);
	else if (error != -EBUSY)
		atomic_fetch_add(&c->bad, 1);
	if (tables_advance(&c->chain->tables, c->from))
		atomic_fetch_add(&c->advanced, 1);
}

static void one_of_several_threads_begins(void)
{
	struct context c = { .chain = chain_new(SIZE_FIRST) };
	struct team_options options = { .threads = 4, .work = begin_all, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };
	unsigned wrong = 0;

	for (unsigned turn = 0; turn < 10; turn++) {
		atomic_store(&c.begun, 0);
		atomic_store(&c.advanced, 0);
		c.from = tables_current(&c.chain->tables);
		team_run(&options);
		/* Who comes after the advance finds that a table of that size is current already. */
		wrong += c.begun != 1 || c.advanced != 1 || tables_current(&c.chain->tables)->size != c.from->size + 1;
		table_free(&c.chain->tables, c.from, &c.chain->freer);
	}
	is_int(wrong, 0, "four threads begin at once: one table follows, and one thread goes on to it");
	is_int(c.bad, 0, "the others are told");
	ok(chain_delete(c.chain), "what the losers allocated is freed");
}

#define LINES_OWNED 100u

static void own_lines(struct team_member *me)
{
	struct context *c = me->ctx;

	for (unsigned i = 0; i < LINES_OWNED; i++) {
		struct line *line = NULL;

		if (table_alloc_line(&c->chain->tables, LINE_OPEN, &line) == 0)
			table_own_line(c->from, line);
		else
			atomic_fetch_add(&c->bad, 1);
	}
	atomic_store(&c->used[stripe_index() % c->from->stripes], true);
}

/* The smallest size of tables that have so many lists. */
static unsigned size_with_stripes(unsigned stripes)
{
	unsigned size = SIZE_FIRST;

	while ((table_struct_bytes(size) - sizeof(struct table)) / sizeof(struct table_stripe) < stripes)
		size++;
	return size;
}

static void threads_own_lines(unsigned stripes)
{
	struct context c = { .chain = chain_new(size_with_stripes(stripes)) };
	struct team_options options = { .threads = 4, .work = own_lines, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };
	unsigned wrong = 0, used = 0;

	c.from = tables_current(&c.chain->tables);
	is_int(c.from->stripes, stripes, "a table of %u lists of lines", stripes);
	team_run(&options);
	is_int(c.bad, 0, "there is memory for four threads' lines");
	is_int(table_overflow_lines(c.from), 4 * LINES_OWNED, "all are counted");
	for (unsigned s = 0; s < stripes; s++) {
		used += c.used[s];
		wrong += (atomic_load(&c.from->stripe[s].lines) != 0) != c.used[s];
	}
	is_int(wrong, 0, "each thread's are on the list of his stripe");
	ok(stripes == 1 || used > 1, "they have more than one");
	ok(chain_delete(c.chain), "all are freed with the table");
}

int main(void)
{
	sizes_for_entries_are_the_smallest();
	the_first_table_is_open();
	a_table_says_where_its_buckets_are();
	tags_stay_good_over_growth_and_shrinking();
	a_tag_is_16_bits_of_the_hash();
	only_one_table_follows();
	sizes_have_limits();
	want_of_memory_changes_nothing();
	overflow_lines_belong_to_their_table();
	one_of_several_threads_begins();
	threads_own_lines(1);
	threads_own_lines(TABLE_STRIPES);
	return tap_done();
}
