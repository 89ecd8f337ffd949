/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/route: the way to the bucket that a key is changed in, and what is finished on it. */
#include "protocol/route.h"

#include "table_fixture.h"

/* From here on tables double, and two buckets become three. */
#define SIZE 5u
#define THIRDS SIZE_TURN

/* A hash in bucket 0 of every table used here; and one in bucket 1 of the current one. */
#define LOW UINT64_C(0x0000123456789abc)

static uint64_t high_in(struct chain *chain)
{
	return table_last_hash(chain_table(chain), 0) + 1 + LOW;
}

static struct chain_key key_of(uint64_t hash, uint64_t n)
{
	return (struct chain_key){ hash + (n << 32), n };
}

/* Fill buckets 0 and 1 with `count` entries. */
static void fill(struct chain *chain, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		chain_put(chain, chain_table(chain), key_of(n % 2 ? high_in(chain) : LOW, n));
}

static unsigned missing(struct chain *chain, unsigned count)
{
	unsigned lost = 0;

	for (unsigned n = 0; n < count; n++)
		lost += chain_find(chain, key_of(n % 2 ? high_in(chain) : LOW, n)) == NULL;
	return lost;
}

/* Is the view that of an idle bucket of the table, the hash's own? */
static bool leads_to(const struct table *table, const struct bucket_view *view, uint64_t hash)
{
	return view->line == table_line(table, hash) && view->ctl == ctl_load(view->line) && (view->ctl & 3) == 1 &&
	       view->ctl != CTL_FROZEN && view->tag == table_tag(table, hash);
}

static void straight_when_nothing_is_under_way(void)
{
	struct chain *chain = chain_new(SIZE);
	struct table *table = chain_table(chain);
	struct bucket_view view;
	unsigned wrong = 0;
	int error = 1;

	for (uint64_t i = 0; i < table_buckets(table); i++) {
		uint64_t hash = chain_hash_in(SIZE, i, UINT64_C(0xfedcba9876543210));

		wrong += route_bucket(&chain->tables, hash, &view, &error) != table || error != 0 ||
			 !leads_to(table, &view, hash);
	}
	is_int(wrong, 0, "with one table every hash leads to its bucket");
	ok(chain_delete(chain), "all is freed");
}

static void an_insert_under_way_is_finished_first(void)
{
	struct chain *chain = chain_new(SIZE);
	struct table *table = chain_table(chain);
	struct rcumap_entry *entry = chain_entry(chain, key_of(LOW, 0));
	struct bucket_view view = chain_view(table, key_of(LOW, 0));
	int error = 1;

	ctl_cas(view.line, view.ctl, ctl_busy(entry, view.empty_position));
	ok(route_bucket(&chain->tables, LOW, &view, &error) == table && error == 0, "a busy bucket is reached");
	ok(leads_to(table, &view, LOW), "it is idle then");
	ok(chain_find(chain, key_of(LOW, 0)) == entry, "what was on its way in is in");
	ok(chain_delete(chain), "all is freed");
}

static void a_bucket_migrates_on_the_way(unsigned size, unsigned to_size)
{
	struct chain *chain = chain_new(size);
	struct table *from = chain_table(chain), *to;
	const char *what = to_size > size ? "growing" : "shrinking";
	const uint64_t high = high_in(chain);
	struct bucket_view view;
	int error = 1;

	fill(chain, LINE_SLOTS);
	tables_begin(&chain->tables, to_size);
	to = table_next(from);
	ok(route_bucket(&chain->tables, high, &view, &error) == to && error == 0, "%s: the way leads to the new table",
	   what);
	ok(leads_to(to, &view, high), "%s: to the key's bucket, which is open", what);
	ok(ctl_load(table_line(from, high)) == CTL_MIGRATED, "%s: the old one has migrated", what);
	ok(ctl_load(table_line(from, ~high)) != CTL_MIGRATED, "%s: others have not", what);
	is_int(missing(chain, LINE_SLOTS), 0, "%s: nothing is lost", what);
	ok(route_bucket(&chain->tables, high, &view, &error) == to && error == 0 && leads_to(to, &view, high),
	   "%s: the same way again", what);
	ok(chain_table(chain) == from, "%s: which table is current is not its business", what);
	ok(chain_delete(chain), "%s: all is freed", what);
}

static void what_others_left_is_finished(unsigned size, unsigned to_size)
{
	const char *what = to_size > size ? "growing" : "shrinking";
	struct chain *chain = chain_new(size);
	struct table *from = chain_table(chain), *to;
	struct bucket_view view;
	int error = 1;

	/* Frozen, and left. */
	fill(chain, LINE_SLOTS);
	tables_begin(&chain->tables, to_size);
	to = table_next(from);
	ctl_cas(table_line(from, LOW), ctl_load(table_line(from, LOW)), CTL_FROZEN);
	ok(route_bucket(&chain->tables, LOW, &view, &error) == to && error == 0 && leads_to(to, &view, LOW),
	   "%s: a bucket that somebody has frozen is migrated", what);
	is_int(missing(chain, LINE_SLOTS), 0, "%s: nothing is lost", what);

	/* Migrated, but not opened. */
	atomic_store(&table_line(to, LOW)->ctl, CTL_INIT);
	ok(route_bucket(&chain->tables, LOW, &view, &error) == to && error == 0 && leads_to(to, &view, LOW),
	   "%s: one that was not opened is opened", what);
	is_int(missing(chain, LINE_SLOTS), 0, "%s: nothing is lost", what);
	ok(chain_delete(chain), "%s: all is freed", what);
}

static void without_memory_the_old_bucket_serves(unsigned size, unsigned to_size, enum fault_kind kind)
{
	const char *what = to_size > size ? "growing" : "shrinking";
	struct chain *chain = chain_new(size);
	struct table *from = chain_table(chain), *to;
	struct bucket_view view;
	int error = 0;

	fill(chain, 4 * LINE_SLOTS);
	tables_begin(&chain->tables, to_size);
	to = table_next(from);
	fault_arm(1, kind);
	ok(route_bucket(&chain->tables, LOW, &view, &error) == from, "%s: no memory to migrate: the way ends early",
	   what);
	ok(fault_disarm(), "%s: an allocation failed", what);
	is_int(error, kind == FAULT_NULL ? -ENOMEM : -EFAULT, "%s: which is said", what);
	ok(leads_to(from, &view, LOW), "%s: the old bucket is usable", what);
	is_int(missing(chain, 4 * LINE_SLOTS), 0, "%s: nothing is lost", what);
	ok(route_bucket(&chain->tables, LOW, &view, &error) == to && error == 0 && leads_to(to, &view, LOW),
	   "%s: with memory the way leads on", what);
	is_int(missing(chain, 4 * LINE_SLOTS), 0, "%s: nothing is lost", what);
	ok(chain_delete(chain), "%s: all is freed", what);
}

/* Several sources, one of them frozen when there was room; then a late insert made one more line necessary. */
static void half_frozen_without_memory_there_is_no_way(unsigned size)
{
	struct chain *chain = chain_new(size + 1);
	struct table *from = chain_table(chain), *to;
	const uint64_t high = high_in(chain);
	struct bucket_view view;
	int error = 0;

	fill(chain, 4 * LINE_SLOTS);
	tables_begin(&chain->tables, size);
	to = table_next(from);
	ctl_cas(table_line(from, LOW), ctl_load(table_line(from, LOW)), CTL_FROZEN);
	fault_arm(1, FAULT_NULL);
	ok(route_bucket(&chain->tables, LOW, &view, &error) == NULL,
	   "a frozen bucket cannot be finished without memory");
	ok(fault_disarm(), "an allocation failed");
	is_int(error, -ENOMEM, "which is said");
	is_int(missing(chain, 4 * LINE_SLOTS), 0, "readers find everything all the same");
	fault_arm(1, FAULT_NULL);
	ok(route_bucket(&chain->tables, high, &view, &error) == from && error == -ENOMEM,
	   "its neighbour, which is not frozen, is usable");
	ok(fault_disarm() && leads_to(from, &view, high), "as it is");
	ok(route_bucket(&chain->tables, LOW, &view, &error) == to && error == 0 && leads_to(to, &view, LOW),
	   "with memory the way leads on");
	is_int(missing(chain, 4 * LINE_SLOTS), 0, "nothing is lost");
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ several threads */

struct context {
	struct chain *chain;
	struct table *from;
	_Atomic unsigned wrong;
	_Atomic int64_t inserted;
};

/* Insert keys of one's own, all over the table, while it grows under the inserts. */
static void insert_on_the_way(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 2, me->index);
	for (unsigned n = 0; n < 200; n++) {
		struct chain_key key = { rng_u64(&rng), UINT64_C(1000) * me->index + n };
		struct rcumap_entry *entry = chain_entry(c->chain, key);

		for (;;) {
			struct bucket_view view;
			struct line *line = NULL;
			int error;
			struct table *table = route_bucket(&c->chain->tables, key.hash, &view, &error);

			if (!table || error) {
				atomic_fetch_add(&c->wrong, 1);
				break;
			}
			bucket_scan(&view, &key, sizeof key);
			if (view.frozen)
				continue;
			if (view.empty_line) {
				if (bucket_insert(&view, entry))
					break;
			} else if (table_alloc_line(&c->chain->tables, LINE_OPEN, &line) == 0 &&
				   !bucket_extend(table, &view, line)) {
				table_discard_line(&c->chain->tables, line);
			}
		}
		if (chain_find(c->chain, key) != entry)
			atomic_fetch_add(&c->wrong, 1);
		if (n == 50 && me->index == 0)
			tables_begin(&c->chain->tables, c->from->size + 1);
	}
}

static void threads_write_while_it_grows(unsigned size)
{
	unsigned wrong = 0, lost = 0;

	for (unsigned turn = 0; turn < fixture_scaled(30, 5); turn++) {
		struct context c = { .chain = chain_new(size) };
		struct team_options options = {
			.threads = 4, .work = insert_on_the_way, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
		};
		unsigned entries = 0;

		c.from = chain_table(c.chain);
		team_run(&options);
		wrong += c.wrong;
		for (struct table *table = c.from; table; table = table_next(table))
			for (uint64_t i = 0; i < table_buckets(table); i++)
				if (ctl_load(&table->lines[i]) != CTL_MIGRATED &&
				    ctl_load(&table->lines[i]) != CTL_INIT)
					entries += chain_count(&table->lines[i]);
		lost += entries != 4 * 200;
		wrong += !chain_delete(c.chain);
	}
	is_int(wrong, 0, "four threads insert while the table grows: each finds its own at once");
	is_int(lost, 0, "in the end all are in, each once");
}

int main(void)
{
	static const unsigned sizes[] = { SIZE, THIRDS };

	straight_when_nothing_is_under_way();
	an_insert_under_way_is_finished_first();
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const unsigned size = sizes[i];

		a_bucket_migrates_on_the_way(size, size + 1);
		a_bucket_migrates_on_the_way(size + 1, size);
		what_others_left_is_finished(size, size + 1);
		what_others_left_is_finished(size + 1, size);
		without_memory_the_old_bucket_serves(size, size + 1, FAULT_NULL);
		without_memory_the_old_bucket_serves(size, size + 1, FAULT_HIGH);
		without_memory_the_old_bucket_serves(size + 1, size, FAULT_NULL);
		half_frozen_without_memory_there_is_no_way(size);
		threads_write_while_it_grows(size);
	}
	return tap_done();
}
