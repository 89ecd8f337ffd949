/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/bucket: the steps by which readers and writers deal with one bucket, one at a time and half done. */
#include "protocol/bucket.h"

#include "table_fixture.h"

#define BITS 4u

/* Key `n` of the bucket that the tests use. All have distinct tags. */
static struct chain_key key_of(uint64_t n)
{
	return (struct chain_key){ chain_hash_in(BITS, 5, n << 48 | UINT64_C(0x1234567890)), n };
}

static struct line *bucket_of(struct table *table)
{
	return table_line(table, key_of(0).hash);
}

/* Announce an insert, as bucket_insert() does first, and stop there. The announcement. */
static uint64_t announce(struct table *table, struct rcumap_entry *entry, struct chain_key key)
{
	struct bucket_view view = chain_view(table, key);
	uint64_t busy = ctl_busy(entry, view.empty_position);

	if (!view.empty_line || !ctl_cas(view.line, view.ctl, busy))
		bail("the bucket is not idle");
	return busy;
}

/* ------------------------------------------------------------------ looking */

static void an_empty_bucket(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct bucket_view view = chain_view(table, key_of(1));

	ok(view.entry == NULL, "nothing is in it");
	ok(view.empty_line == view.line && view.empty_position == 0, "its first slot is the first free one");
	ok(view.last == view.line && view.lines == 1, "it is one line");
	ok(!view.frozen, "nothing is frozen");
	ok(chain_find(chain, key_of(1)) == NULL, "a reader finds nothing");
	ok(chain_delete(chain), "all is freed");
}

static void every_entry_is_found_where_it_is(void)
{
	enum { ENTRIES = 5 * LINE_SLOTS };
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct rcumap_entry *entries[ENTRIES];
	unsigned wrong = 0, found = 0, same = 0;

	for (uint64_t n = 0; n < ENTRIES; n++)
		entries[n] = chain_put(chain, table, key_of(n));
	for (uint64_t n = 0; n < ENTRIES; n++) {
		struct bucket_view view = chain_view(table, key_of(n));

		wrong += view.entry != entries[n] || slot_load(view.entry_line, view.entry_slot) != view.entry_word ||
			 view.entry_word != slot_of(entries[n], view.tag, 0);
		found += chain_find(chain, key_of(n)) == entries[n];
	}
	is_int(wrong, 0, "a writer sees each of %u entries in five lines, and where it is", ENTRIES);
	is_int(found, ENTRIES, "a reader finds each");
	is_int(table_overflow_lines(table), 4, "four lines were chained");
	ok(chain_view(table, key_of(ENTRIES)).entry == NULL && chain_find(chain, key_of(ENTRIES)) == NULL,
	   "another key is in none");
	/* Keys of the same hash have the same tag. */
	for (uint64_t n = 0; n < ENTRIES; n++) {
		struct chain_key twin = { key_of(n).hash, n + 1000 };

		same += chain_find(chain, twin) != NULL || chain_view(table, twin).entry != NULL;
	}
	is_int(same, 0, "a key of the same hash is not taken for it");
	chain_put(chain, table, (struct chain_key){ key_of(3).hash, 1003 });
	ok(chain_find(chain, key_of(3)) == entries[3], "two keys of one hash are two");
	ok(chain_find(chain, (struct chain_key){ key_of(3).hash, 1003 }) != NULL, "and both are found");
	ok(chain_delete(chain), "all is freed");
}

static void the_first_free_slot_is_offered(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct bucket_view view;

	for (uint64_t n = 0; n < 3 * LINE_SLOTS; n++)
		chain_put(chain, table, key_of(n));
	view = chain_view(table, key_of(1000));
	ok(view.empty_line == NULL && view.lines == 3, "three full lines have no free slot");
	view = chain_view(table, key_of(LINE_SLOTS + 1));
	ok(bucket_remove(&chain->tables, table, &view), "one entry of the second line goes");
	view = chain_view(table, key_of(2 * LINE_SLOTS));
	ok(bucket_remove(&chain->tables, table, &view), "one of the third goes");
	view = chain_view(table, key_of(1000));
	ok(view.empty_line == line_next(view.line), "the free slot of the second line is offered");
	is_int(view.empty_position, LINE_SLOTS + 1, "with its position in the chain");
	ok(chain_delete(chain), "all is freed");
}

static void frozen_and_unfilled_words(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	struct rcumap_entry *entry = chain_put(chain, table, key_of(1));
	struct bucket_view view;

	slot_freeze(line, 0);
	view = chain_view(table, key_of(1));
	ok(view.entry == entry && view.frozen, "a frozen entry is found, and said to be frozen");
	ok(chain_find(chain, key_of(1)) == entry, "a reader finds it");
	view.entry_word &= ~WORD_FROZEN;
	ok(!bucket_remove(&chain->tables, table, &view), "who saw it before it froze cannot remove it");
	ok(!bucket_replace(&chain->tables, table, &view, chain_entry(chain, key_of(1))), "nor replaced");
	atomic_store(&line->slot[1], SLOT_UNFILLED);
	view = chain_view(table, key_of(2));
	ok(view.entry == NULL && (!view.empty_line || view.empty_position != 1), "an unfilled slot is not free");
	ok(chain_find(chain, (struct chain_key){ 0, 0 }) == NULL, "nor an entry");
	atomic_store(&line->slot[1], slot_empty(0));
	link_freeze(line);
	ok(chain_view(table, key_of(2)).frozen, "a frozen link is said to be frozen");
	ok(chain_delete(chain), "all is freed");
}

/* ctl names positions by 16 bits. */
static void slots_beyond_the_last_position_are_not_offered(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct rcumap_entry *other = chain_entry(chain, (struct chain_key){ 0, 0 });
	const uint64_t word = slot_of(other, 0, 0);
	struct line *line = bucket_of(table), *at_last = NULL;
	unsigned position = 0;
	struct bucket_view view;

	while (position < CTL_POSITION_MAX + 2 * LINE_SLOTS) {
		struct line *fresh = NULL;
		struct bucket_view end = { .line = line, .last = line };

		for (unsigned i = 0; i < LINE_SLOTS; i++, position++) {
			if (position == CTL_POSITION_MAX)
				at_last = line;
			if (position <= CTL_POSITION_MAX)
				slot_cas(line, i, slot_empty(0), word);
		}
		if (table_alloc_line(&chain->tables, LINE_OPEN, &fresh) != 0 || !bucket_extend(table, &end, fresh))
			bail("no chain that long");
		line = fresh;
	}
	view = chain_view(table, key_of(1));
	ok(view.empty_line == NULL, "a free slot whose position no ctl word can name is not offered");
	slot_cas(at_last, CTL_POSITION_MAX % LINE_SLOTS, word, slot_empty(7));
	view = chain_view(table, key_of(1));
	ok(view.empty_line == at_last && view.empty_position == CTL_POSITION_MAX, "the one before is");
	struct rcumap_entry *entry = chain_entry(chain, key_of(1));
	uint64_t busy = announce(table, entry, key_of(1));

	bucket_help(&chain->tables, table, bucket_of(table), busy);
	ok(slot_entry(slot_load(at_last, CTL_POSITION_MAX % LINE_SLOTS)) == entry, "a helper finds it");
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ inserting */

static void an_insert_expects_what_it_saw(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	struct bucket_view first = chain_view(table, key_of(1)), second = chain_view(table, key_of(1)), third;
	struct rcumap_entry *one = chain_entry(chain, key_of(1)), *two = chain_entry(chain, key_of(1));

	ok(bucket_insert(&first, one), "one of two inserts of one key succeeds");
	is_int(slot_load(line, 0), slot_of(one, first.tag, 0), "its entry is in the slot");
	is_int(ctl_load(line), ctl_idle(entry_version(one)), "the bucket is idle, with the entry's version");
	ok(!bucket_insert(&second, two), "the other fails");
	is_int(slot_load(line, 0), slot_of(one, first.tag, 0), "and changes nothing");
	is_int(chain_count(line), 1, "one entry is in");

	third = chain_view(table, key_of(2));
	first = chain_view(table, key_of(1));
	ok(bucket_remove(&chain->tables, table, &first), "removing another entry");
	ok(bucket_insert(&third, chain_entry(chain, key_of(2))), "does not disturb an insert");
	ok(chain_find(chain, key_of(2)) != NULL && chain_find(chain, key_of(1)) == NULL, "both have their effect");
	ok(chain_delete(chain), "all is freed");
}

static void an_insert_half_way_is_finished_by_anyone(void)
{
	struct chain *chain = chain_new(BITS);
	struct tables *tables = &chain->tables;
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table), *second;
	struct rcumap_entry *entry;
	uint64_t busy;

	for (uint64_t n = 0; n < LINE_SLOTS + 1; n++)
		chain_put(chain, table, key_of(n));
	second = line_next(line);
	entry = chain_entry(chain, key_of(100));
	busy = announce(table, entry, key_of(100));
	ok(chain_find(chain, key_of(100)) == NULL, "an insert that was announced has no effect yet");
	ok(ctl_is_busy(ctl_load(line)), "the bucket is busy");
	bucket_help(tables, table, line, busy);
	ok(chain_find(chain, key_of(100)) == entry, "a helper puts the entry in");
	ok(slot_entry(slot_load(second, 1)) == entry, "in the slot that was announced, of the second line");
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "and ends it");
	bucket_help(tables, table, line, busy);
	bucket_help(tables, table, line, busy);
	is_int(chain_count(line), LINE_SLOTS + 2, "more help does nothing");

	/* Half-way further: the entry is in its slot, the announcement still stands. */
	struct bucket_view view = chain_view(table, key_of(100));

	bucket_remove(tables, table, &view);
	entry = chain_entry(chain, key_of(101));
	busy = announce(table, entry, key_of(101));
	slot_cas(second, 1, slot_load(second, 1), slot_of(entry, table_tag(table, key_of(101).hash), 0));
	bucket_help(tables, table, line, busy);
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "an entry that is in already: help ends the announcement");
	is_int(chain_count(line), LINE_SLOTS + 2, "and nothing else");
	ok(chain_delete(chain), "all is freed");
}

static void a_late_helper_does_nothing(void)
{
	struct chain *chain = chain_new(BITS);
	struct tables *tables = &chain->tables;
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	struct rcumap_entry *entry = chain_entry(chain, key_of(1)), *other;
	uint64_t busy = announce(table, entry, key_of(1));
	struct bucket_view view;

	bucket_help(tables, table, line, busy);
	view = chain_view(table, key_of(1));
	ok(bucket_remove(tables, table, &view), "an insert was finished, and its entry removed");
	is_int(slot_load(line, 0), slot_empty(entry_version(entry)), "the slot is free again, by that entry's version");
	bucket_help(tables, table, line, busy);
	is_int(slot_load(line, 0), slot_empty(entry_version(entry)), "who helps it now does not put it in again");
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "nor change the bucket's state");
	other = chain_put(chain, table, key_of(2));
	bucket_help(tables, table, line, busy);
	ok(slot_entry(slot_load(line, 0)) == other, "nor when another entry has its slot");
	is_int(ctl_load(line), ctl_idle(entry_version(other)), "and another insert has ended");
	view = chain_view(table, key_of(2));
	bucket_remove(tables, table, &view);

	struct rcumap_entry *third = chain_entry(chain, key_of(3));
	uint64_t third_busy = announce(table, third, key_of(3));

	bucket_help(tables, table, line, busy);
	is_int(ctl_load(line), third_busy, "nor while a third is under way");
	ok(!slot_has_entry(slot_load(line, 0)), "for the same slot");
	bucket_help(tables, table, line, third_busy);
	ok(chain_find(chain, key_of(3)) == third && chain_find(chain, key_of(1)) == NULL, "which then gets it");
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ unlinking */

/* An entry that is in its slot, with its announcement still standing. */
static struct rcumap_entry *put_half(struct chain *chain, struct table *table, struct chain_key key)
{
	struct rcumap_entry *entry = chain_entry(chain, key);
	struct bucket_view view = chain_view(table, key);

	announce(table, entry, key);
	slot_cas(view.empty_line, view.empty_position % LINE_SLOTS,
		 slot_load(view.empty_line, view.empty_position % LINE_SLOTS), slot_of(entry, view.tag, 0));
	return entry;
}

/* No ctl word may name an entry that has left its slot: it is about to be freed. */
static void an_announcement_ends_before_its_entry_leaves(void)
{
	struct chain *chain = chain_new(BITS);
	struct tables *tables = &chain->tables;
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	struct rcumap_entry *entry = put_half(chain, table, key_of(1)), *newer = chain_entry(chain, key_of(1));
	struct bucket_view view = chain_view(table, key_of(1));

	ok(view.entry == entry && ctl_entry(view.ctl) == entry, "an entry is in, and announced still");
	ok(bucket_replace(tables, table, &view, newer), "it is replaced");
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "the announcement has ended");
	ok(chain_find(chain, key_of(1)) == newer, "the new entry is found");

	view = chain_view(table, key_of(1));
	ok(bucket_remove(tables, table, &view), "the new one is removed");
	is_int(slot_load(line, 0), slot_empty(entry_version(newer)), "its version marks the free slot");

	entry = put_half(chain, table, key_of(2));
	view = chain_view(table, key_of(2));
	ok(bucket_remove(tables, table, &view), "one that is announced still is removed");
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "the announcement has ended");

	entry = put_half(chain, table, key_of(3));
	ok(bucket_remove_at(tables, table, line, line, 0, slot_load(line, 0)), "likewise from its slot");
	is_int(ctl_load(line), ctl_idle(entry_version(entry)), "the announcement has ended");

	/* An announcement of somebody else is finished, not dropped. */
	chain_put(chain, table, key_of(4));
	entry = chain_entry(chain, key_of(5));
	announce(table, entry, key_of(5));
	view = chain_view(table, key_of(4));
	ok(bucket_remove(tables, table, &view), "an entry is removed while another is on its way in");
	ok(chain_find(chain, key_of(5)) == entry, "which then is in");
	is_int(chain_count(line), 1, "alone");
	ok(chain_delete(chain), "all is freed");
}

static void unlinking_expects_what_it_saw(void)
{
	struct chain *chain = chain_new(BITS);
	struct tables *tables = &chain->tables;
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	struct rcumap_entry *second = chain_entry(chain, key_of(1)), *third = chain_entry(chain, key_of(1));
	struct bucket_view early, late;

	chain_put(chain, table, key_of(1));
	early = late = chain_view(table, key_of(1));
	ok(bucket_replace(tables, table, &early, second), "one of two replacements succeeds");
	ok(!bucket_replace(tables, table, &late, third), "the other fails");
	ok(!bucket_remove(tables, table, &late), "as does a removal of what was replaced");
	ok(chain_find(chain, key_of(1)) == second, "what was put first stays");
	early = late = chain_view(table, key_of(1));
	ok(bucket_remove(tables, table, &early), "one of two removals succeeds");
	ok(!bucket_remove(tables, table, &late), "the other fails");
	ok(!bucket_replace(tables, table, &late, third), "as does a replacement of what was removed");
	is_int(chain_count(line), 0, "nothing is in");
	ok(chain_delete(chain), "all is freed");
}

static void free_slots_never_look_the_same(void)
{
	enum { TURNS = 200 };
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct line *line = bucket_of(table);
	uint64_t empty[TURNS + 1], idle[TURNS + 1];
	unsigned same = 0;

	for (unsigned t = 0; t <= TURNS; t++) {
		struct bucket_view view;

		empty[t] = slot_load(line, 0);
		idle[t] = ctl_load(line);
		for (unsigned before = 0; before < t; before++)
			same += empty[before] == empty[t] || idle[before] == idle[t];
		chain_put(chain, table, key_of(1));
		view = chain_view(table, key_of(1));
		if (t % 3 == 0) { /* replaced in between */
			bucket_replace(&chain->tables, table, &view, chain_entry(chain, key_of(1)));
			view = chain_view(table, key_of(1));
		}
		bucket_remove(&chain->tables, table, &view);
	}
	is_int(same, 0, "no word of a free slot, nor of an idle bucket, comes back in %u turns", TURNS);
	ok(chain_delete(chain), "all is freed");
}

static void a_line_is_chained_once(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *table = chain_table(chain);
	struct bucket_view view = chain_view(table, key_of(1)), late = view;
	struct line *one = NULL, *two = NULL;

	table_alloc_line(&chain->tables, LINE_OPEN, &one);
	table_alloc_line(&chain->tables, LINE_OPEN, &two);
	ok(bucket_extend(table, &view, one), "one of two lines is chained");
	ok(!bucket_extend(table, &late, two), "the other is not");
	is_int(table_overflow_lines(table), 1, "one belongs to the table");
	late = chain_view(table, key_of(1));
	ok(late.lines == 2 && late.last == one, "it is the last of two");
	link_freeze(one);
	ok(!bucket_extend(table, &late, two), "none is chained behind a frozen link");
	table_discard_line(&chain->tables, two);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ several threads */

#define KEYS 6u

struct context {
	struct chain *chain;
	uint64_t turns;
	_Atomic int64_t present[KEYS]; /* inserted less removed */
};

/* Insert what is absent, remove or replace what is present, help whoever is under way. */
static void change_one(struct context *c, struct rng *rng)
{
	struct tables *tables = &c->chain->tables;
	struct table *table = chain_table(c->chain);
	uint64_t n = rng_below(rng, KEYS);
	struct bucket_view view = { .line = bucket_of(table), .tag = table_tag(table, key_of(n).hash) };
	struct chain_key key = key_of(n);

	view.ctl = ctl_load(view.line);
	if (ctl_is_busy(view.ctl)) {
		bucket_help(tables, table, view.line, view.ctl);
		return;
	}
	bucket_scan(&view, &key, sizeof key);
	if (!view.entry) {
		if (bucket_insert(&view, chain_entry(c->chain, key)))
			atomic_fetch_add(&c->present[n], 1);
	} else if (rng_below(rng, 2)) {
		bucket_replace(tables, table, &view, chain_entry(c->chain, key));
	} else if (bucket_remove(tables, table, &view)) {
		atomic_fetch_sub(&c->present[n], 1);
	}
}

static void change(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t i = 0; i < c->turns; i++)
		change_one(c, &rng);
}

static void threads_agree_on_what_is_in(void)
{
	struct context c = { .chain = chain_new(BITS), .turns = fixture_scaled(100000, 3000) };
	struct team_options options = { .threads = 4, .work = change, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };
	struct table *table = chain_table(c.chain);
	struct line *line = bucket_of(table);
	unsigned wrong = 0, in = 0;

	/* Room for all keys, so that nobody needs another line. */
	while (chain_lines(line) * LINE_SLOTS < KEYS) {
		struct bucket_view view = chain_view(table, key_of(0));
		struct line *fresh = NULL;

		if (table_alloc_line(&c.chain->tables, LINE_OPEN, &fresh) == 0)
			bucket_extend(table, &view, fresh);
	}
	team_run(&options);
	for (uint64_t n = 0; n < KEYS; n++) {
		wrong += c.present[n] < 0 || c.present[n] > 1 ||
			 (chain_find(c.chain, key_of(n)) != NULL) != c.present[n];
		in += (unsigned)c.present[n];
	}
	is_int(wrong, 0, "four threads insert, replace and remove: each key is in as often as it should be");
	is_int(chain_count(line), in, "in one slot");
	ok(!ctl_is_busy(ctl_load(line)), "the bucket is idle in the end");
	ok(chain_delete(c.chain), "all is freed");
}

int main(void)
{
	an_empty_bucket();
	every_entry_is_found_where_it_is();
	the_first_free_slot_is_offered();
	frozen_and_unfilled_words();
	slots_beyond_the_last_position_are_not_offered();
	an_insert_expects_what_it_saw();
	an_insert_half_way_is_finished_by_anyone();
	a_late_helper_does_nothing();
	an_announcement_ends_before_its_entry_leaves();
	unlinking_expects_what_it_saw();
	free_slots_never_look_the_same();
	a_line_is_chained_once();
	threads_agree_on_what_is_in();
	return tap_done();
}
