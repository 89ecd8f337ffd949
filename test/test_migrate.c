/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/migrate: buckets move from table to table whole, whoever does it, however often, and wherever he stops. */
#include "protocol/migrate.h"

#include "table_fixture.h"

#define BITS 3u

static unsigned entries_in(const struct table *table)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < table_buckets(table); i++)
		n += chain_count(&table->lines[i]);
	return n;
}

/* Is it open, with nothing frozen or unfilled, each word with the tag of its entry's hash, and the chain no longer than needed? */
static bool bucket_is_sound(const struct chain *chain, const struct table *table, const struct line *bucket, bool fresh)
{
	unsigned entries = chain_count(bucket), lines = chain_lines(bucket);
	bool sound = !ctl_is_busy(ctl_load(bucket)) && (ctl_load(bucket) & 3) == 1;

	if (fresh)
		sound = sound && lines == (entries <= LINE_SLOTS ? 1 : (entries + LINE_SLOTS - 1) / LINE_SLOTS);
	for (const struct line *line = bucket; line; line = line_next(line)) {
		if (!line_next(line))
			sound = sound && link_load(line) == LINK_END;
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i), hash;

			sound = sound && !slot_is_frozen(word) && word != SLOT_UNFILLED;
			if (!slot_has_entry(word))
				continue;
			hash = hash_key(&chain->tables.hash, slot_entry(word)->bytes, slot_entry(word)->key_size);
			sound = sound && slot_has_tag(word, table_tag(table, hash)) &&
				table_line(table, hash) == bucket;
		}
	}
	return sound;
}

static unsigned unsound_buckets(const struct chain *chain, const struct table *table)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < table_buckets(table); i++)
		n += !bucket_is_sound(chain, table, &table->lines[i], true);
	return n;
}

/* Migrate all of the current table by sweeps of a few groups, and free it. False: it failed. */
static bool sweep_all(struct chain *chain)
{
	struct table *retired = NULL;

	while (!retired)
		if (migrate_sweep(&chain->tables, 3, &retired) != 0)
			return false;
	table_free(&chain->tables, retired, &chain->freer);
	return true;
}

static bool resize(struct chain *chain, unsigned bits)
{
	return tables_begin(&chain->tables, bits) == 0 && sweep_all(chain);
}

/* ------------------------------------------------------------------ growing and shrinking */

static void entries_stay_over_all_sizes(unsigned entries, unsigned zero_bits, const char *what)
{
	struct chain *chain = chain_new(BITS);
	struct rng rng;
	unsigned lost = 0, unsound = 0, wrong = 0, refreshed = 0;

	rng_init(&rng, entries + zero_bits);
	struct content content = content_fill(chain, entries, zero_bits, &rng);

	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned bits = BITS + 1; bits <= BITS + 9; bits++) {
			wrong += !resize(chain, bits);
			lost += content_missing(chain, &content);
			unsound += unsound_buckets(chain, chain_table(chain));
			wrong += entries_in(chain_table(chain)) != content.count;
			refreshed += !chain_table(chain)->same_tag;
		}
		for (unsigned bits = BITS + 8; bits >= BITS; bits--) {
			wrong += !resize(chain, bits);
			lost += content_missing(chain, &content);
			unsound += unsound_buckets(chain, chain_table(chain));
			wrong += entries_in(chain_table(chain)) != content.count;
		}
	}
	is_int(lost, 0, "%s: every entry is found after each of 36 steps, up and down twice", what);
	is_int(wrong, 0, "%s: each once", what);
	is_int(unsound, 0, "%s: every bucket is open, its words whole and tagged right, its chain as short as can be",
	       what);
	ok(refreshed > 0, "%s: also where tags were taken anew", what);
	content_free(&content);
	ok(chain_delete(chain), "%s: all is freed", what);
}

static void only_what_is_in_moves(void)
{
	struct chain *chain = chain_new(BITS);
	struct rng rng;
	unsigned removed = 0;

	rng_init(&rng, 3);
	struct content content = content_fill(chain, 200, 0, &rng);

	for (unsigned i = 0; i < content.count; i += 3) {
		struct bucket_view view = chain_view(chain_table(chain), content.keys[i]);

		removed += bucket_remove(&chain->tables, chain_table(chain), &view);
		content.entries[i] = NULL;
	}
	ok(resize(chain, BITS + 1), "a table with free slots grows");
	is_int(content_missing(chain, &content), 0, "what was removed is not found, the rest is");
	is_int(entries_in(chain_table(chain)), content.count - removed, "nothing else has moved");
	is_int(unsound_buckets(chain, chain_table(chain)), 0, "free slots moved up");
	ok(resize(chain, BITS) && content_missing(chain, &content) == 0, "likewise when it shrinks");
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ one group at a time */

static void a_bucket_moves_alone(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *from = chain_table(chain), *to;
	struct rng rng;
	unsigned moved = 0, closed = 0;

	rng_init(&rng, 4);
	struct content content = content_fill(chain, 60, 0, &rng);

	tables_begin(&chain->tables, BITS + 1);
	to = table_next(from);
	is_int(migrate_groups(from, to), 1u << BITS, "when growing each bucket is a group");
	is_int(migrate_bucket(&chain->tables, from, chain_hash_in(BITS, 5, 99)), 0, "one bucket migrates");
	for (uint64_t i = 0; i < table_buckets(from); i++)
		moved += ctl_load(&from->lines[i]) == CTL_MIGRATED;
	for (uint64_t i = 0; i < table_buckets(to); i++)
		closed += ctl_load(&to->lines[i]) == CTL_INIT;
	is_int(moved, 1, "one");
	is_int(ctl_load(&from->lines[5]), CTL_MIGRATED, "that one");
	is_int(closed, table_buckets(to) - 2, "its two targets are open, the others are not");
	ok(bucket_is_sound(chain, to, &to->lines[10], true) && bucket_is_sound(chain, to, &to->lines[11], true),
	   "and sound");
	is_int(content_missing(chain, &content), 0, "readers find all entries, here or there");
	sweep_all(chain);

	from = chain_table(chain);
	tables_begin(&chain->tables, BITS);
	to = table_next(from);
	is_int(migrate_groups(from, to), 1u << BITS, "when shrinking two are");
	is_int(migrate_bucket(&chain->tables, from, chain_hash_in(BITS + 1, 7, 99)), 0, "one bucket migrates");
	ok(ctl_load(&from->lines[6]) == CTL_MIGRATED && ctl_load(&from->lines[7]) == CTL_MIGRATED,
	   "with its neighbour");
	ok(bucket_is_sound(chain, to, &to->lines[3], true), "into one");
	is_int(content_missing(chain, &content), 0, "readers find all entries, here or there");
	sweep_all(chain);
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

/* All words of a bucket, for comparison. */
static unsigned words_of(const struct line *line, uint64_t words[64])
{
	unsigned n = 0;

	words[n++] = ctl_load(line);
	for (; line && n < 56; line = line_next(line)) {
		for (unsigned i = 0; i < LINE_SLOTS; i++)
			words[n++] = slot_load(line, i);
		words[n++] = link_load(line);
	}
	return n;
}

static void migrating_again_does_nothing(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *from = chain_table(chain), *to;
	uint64_t before[4][64], after[64];
	struct rng rng;
	unsigned changed = 0;

	rng_init(&rng, 5);
	struct content content = content_fill(chain, 2 * LINE_SLOTS + 1, BITS, &rng); /* all in bucket 0 */

	tables_begin(&chain->tables, BITS + 1);
	to = table_next(from);
	migrate_bucket(&chain->tables, from, 0);
	chain_put(chain, to, (struct chain_key){ 1, 1000 }); /* life goes on in the target */
	for (unsigned i = 0; i < 2; i++)
		words_of(&to->lines[i], before[i]);
	words_of(&from->lines[0], before[2]);
	is_int(migrate_bucket(&chain->tables, from, 0), 0, "a migrated bucket migrates again");
	for (unsigned i = 0; i < 3; i++) {
		unsigned n = words_of(i < 2 ? &to->lines[i] : &from->lines[0], after);

		changed += memcmp(before[i], after, n * sizeof after[0]) != 0;
	}
	is_int(changed, 0, "nothing changes");
	is_int(to->overflow_lines, (uint64_t)chain_lines(&to->lines[0]) + chain_lines(&to->lines[1]) - 2,
	       "no line is chained or lost");
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

static void a_line_that_comes_too_late_is_refused(void)
{
	struct chain *chain = chain_new(BITS);
	struct table *from = chain_table(chain), *to;
	struct line *late = NULL;
	struct rng rng;
	unsigned accepted = 0;

	rng_init(&rng, 6);
	struct content content = content_fill(chain, 50, 0, &rng);

	tables_begin(&chain->tables, BITS + 1);
	to = table_next(from);
	for (uint64_t i = 0; i < table_buckets(from); i++)
		migrate_bucket(&chain->tables, from, chain_hash_in(BITS, i, 0));
	/* A migrator who counted long ago still wants to chain a line, behind a link that was unfilled then. */
	table_alloc_line(&chain->tables, LINE_UNFILLED, &late);
	for (uint64_t i = 0; i < table_buckets(to); i++)
		for (struct line *line = &to->lines[i]; line; line = line_next(line))
			accepted += link_cas(line, LINK_UNFILLED, (uint64_t)(uintptr_t)late);
	is_int(accepted, 0, "no chain of an open bucket takes a line that was counted before it closed");
	table_discard_line(&chain->tables, late);
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ stopped anywhere */

/* A growing table with entries in bucket 0 that fit into lines without overflow. */
struct scene {
	struct chain *chain;
	struct table *from, *to;
	struct content content;
};

static struct scene scene_new(unsigned bits, unsigned to_bits, unsigned entries)
{
	struct scene scene = { .chain = chain_new(bits) };
	struct rng rng;

	rng_init(&rng, 7);
	scene.from = chain_table(scene.chain);
	/* All in the lowest group. */
	scene.content = content_fill(scene.chain, entries, to_bits < bits ? to_bits : bits, &rng);
	if (tables_begin(&scene.chain->tables, to_bits) != 0)
		bail("tables_begin");
	scene.to = table_next(scene.from);
	return scene;
}

/* Finish what was left half done, and look whether all is well. */
static void finishes(struct scene *scene, const char *what)
{
	bool sound = true;

	is_int(migrate_bucket(&scene->chain->tables, scene->from, 0), 0, "%s: somebody else goes on", what);
	is_int(content_missing(scene->chain, &scene->content), 0, "%s: every entry is found", what);
	for (uint64_t i = 0; i < (scene->to->bits > scene->from->bits ? 2 : 1); i++)
		sound = sound && bucket_is_sound(scene->chain, scene->to, &scene->to->lines[i], false);
	ok(sound, "%s: the targets are sound", what);
	is_int(chain_count(&scene->to->lines[0]) +
		       (scene->to->bits > scene->from->bits ? chain_count(&scene->to->lines[1]) : 0),
	       scene->content.count, "%s: each entry is there once", what);
	ok(ctl_load(&scene->from->lines[0]) == CTL_MIGRATED, "%s: the source is done", what);
	content_free(&scene->content);
	ok(chain_delete(scene->chain), "%s: all is freed", what);
}

/* As a migrator does before he places anything. */
static void freeze(struct line *source)
{
	ctl_cas(source, ctl_load(source), CTL_FROZEN);
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		slot_freeze(source, i);
	link_freeze(source);
}

static void a_migrator_may_stop_anywhere(void)
{
	struct scene scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	struct line *source = &scene.from->lines[0];

	ctl_cas(source, ctl_load(source), CTL_FROZEN);
	finishes(&scene, "stopped after the bucket was frozen");

	scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	source = &scene.from->lines[0];
	ctl_cas(source, ctl_load(source), CTL_FROZEN);
	slot_freeze(source, 0);
	finishes(&scene, "after the first word was frozen");

	scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	source = &scene.from->lines[0];
	freeze(source);
	finishes(&scene, "after all words were frozen");

	/* The first word of the source is placed: it is the first of its target. */
	scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	source = &scene.from->lines[0];
	freeze(source);

	uint64_t hash = scene.content.keys[0].hash;

	slot_cas(table_line(scene.to, hash), 0, SLOT_UNFILLED,
		 slot_of(scene.content.entries[0], table_tag(scene.to, hash), 0));
	finishes(&scene, "after one word was placed");

	scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	migrate_bucket(&scene.chain->tables, scene.from, 0);
	atomic_store(&scene.to->lines[0].ctl, CTL_INIT);
	atomic_store(&scene.to->lines[1].ctl, CTL_INIT);
	finishes(&scene, "before the targets were opened");

	scene = scene_new(BITS, BITS + 1, LINE_SLOTS);
	migrate_bucket(&scene.chain->tables, scene.from, 0);
	atomic_store(&scene.to->lines[1].ctl, CTL_INIT);
	finishes(&scene, "after the first of two targets was opened");
}

static void the_same_when_shrinking(void)
{
	struct scene scene = scene_new(BITS + 1, BITS, LINE_SLOTS);

	for (unsigned s = 0; s < 2; s++)
		ctl_cas(&scene.from->lines[s], ctl_load(&scene.from->lines[s]), CTL_FROZEN);
	finishes(&scene, "two into one, stopped after both were frozen");

	scene = scene_new(BITS + 1, BITS, LINE_SLOTS);
	ctl_cas(&scene.from->lines[0], ctl_load(&scene.from->lines[0]), CTL_FROZEN);
	finishes(&scene, "after the first of two was frozen");

	scene = scene_new(BITS + 1, BITS, 2 * LINE_SLOTS);
	migrate_bucket(&scene.chain->tables, scene.from, 0);
	atomic_store(&scene.to->lines[0].ctl, CTL_INIT);
	finishes(&scene, "before the target was opened");
}

/* Whoever finds a MIGRATED source beside a FROZEN one must not look at its words: their entries may be gone. */
static void words_of_a_migrated_bucket_are_not_looked_at(void)
{
	struct scene scene = scene_new(BITS + 1, BITS, 2 * LINE_SLOTS);
	struct line *source = scene.from->lines;

	migrate_bucket(&scene.chain->tables, scene.from, 0);
	/* As if the exchange of the second had not happened yet. */
	atomic_store(&source[1].ctl, CTL_FROZEN);
	atomic_store(&scene.to->lines[0].ctl, CTL_INIT);
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		atomic_store(&source[0].slot[i], UINT64_C(0x7ff0) | WORD_FROZEN); /* no memory is there */
	finishes(&scene, "one of two sources is done");
}

static void an_insert_under_way_goes_along(void)
{
	struct scene scene = scene_new(BITS, BITS + 1, LINE_SLOTS - 1);
	struct line *source = &scene.from->lines[0];
	struct chain_key key = { 1, 1000 };
	struct rcumap_entry *entry = chain_entry(scene.chain, key);
	struct bucket_view view = chain_view(scene.from, key);

	ok(ctl_cas(source, view.ctl, ctl_busy(entry, view.empty_position)), "an insert is under way");
	is_int(migrate_bucket(&scene.chain->tables, scene.from, 0), 0, "its bucket migrates");
	ok(chain_find(scene.chain, key) == entry, "the entry is in the next table");
	is_int(content_missing(scene.chain, &scene.content), 0, "so are the others");
	bucket_help(&scene.chain->tables, scene.from, source, ctl_busy(entry, view.empty_position));
	is_int(ctl_load(source), CTL_MIGRATED, "who helps it now finds nothing to do");
	content_free(&scene.content);
	ok(chain_delete(scene.chain), "all is freed");
}

/* ------------------------------------------------------------------ want of memory */

/* Is the bucket of key {hash, 1000} usable: insert, replace, remove? */
static bool usable(struct chain *chain, struct table *table, uint64_t hash)
{
	struct chain_key key = { hash, 1000 };
	struct bucket_view view;

	chain_put(chain, table, key);
	if (!chain_find(chain, key))
		return false;
	view = chain_view(table, key);
	if (view.frozen || !bucket_replace(&chain->tables, table, &view, chain_entry(chain, key)))
		return false;
	view = chain_view(table, key);
	return bucket_remove(&chain->tables, table, &view) && !chain_find(chain, key);
}

/* A group whose targets need overflow lines, for which there is no memory. */
static void without_memory(unsigned bits, unsigned to_bits, enum fault_kind kind)
{
	struct scene scene = scene_new(bits, to_bits, 5 * LINE_SLOTS);
	struct chain *chain = scene.chain;
	unsigned sources = to_bits < bits ? 2 : 1, changed = 0;
	int want = kind == FAULT_NULL ? -ENOMEM : -EFAULT, error, failures = 0;
	const char *what = to_bits < bits ? "shrinking" : "growing";
	uint64_t before[2][64], after[64];

	for (unsigned s = 0; s < sources; s++)
		words_of(&scene.from->lines[s], before[s]);
	/* Let each allocation fail in turn; lines that were chained before stay for the next attempt. */
	do {
		fault_arm(1, kind);
		error = migrate_bucket(&chain->tables, scene.from, 0);
		if (fault_disarm()) {
			failures++;
			if (error != want)
				changed++;
			for (unsigned s = 0; s < sources; s++) {
				unsigned n = words_of(&scene.from->lines[s], after);

				changed += memcmp(before[s], after, n * sizeof after[0]) != 0;
			}
			for (unsigned s = 0; s < sources; s++)
				changed += !usable(chain, scene.from, chain_hash_in(bits, s, 12345));
			for (unsigned s = 0; s < sources; s++)
				words_of(&scene.from->lines[s], before[s]);
			fault_arm(2, kind); /* one line more than the last time */
			error = migrate_bucket(&chain->tables, scene.from, 0);
			if (fault_disarm())
				failures++;
		}
	} while (error);
	ok(failures >= 3, "%s: no memory for lines, %d times", what, failures);
	is_int(changed, 0, "%s: the bucket stays as it was, and usable", what);
	is_int(content_missing(chain, &scene.content), 0, "%s: with memory it migrates", what);
	is_int(ctl_load(&scene.from->lines[0]), CTL_MIGRATED, "%s: whole", what);
	content_free(&scene.content);
	ok(chain_delete(chain), "%s: all is freed", what);
}

static void a_sweep_stops_without_memory(void)
{
	struct scene scene = scene_new(BITS, BITS + 1, 5 * LINE_SLOTS);
	struct chain *chain = scene.chain;
	struct table *retired = NULL;

	fault_arm(1, FAULT_NULL);
	is_int(migrate_sweep(&chain->tables, 1000, &retired), -ENOMEM, "a sweep says that there is no memory");
	ok(fault_disarm() && !retired && chain_table(chain) == scene.from, "and does not go on to the next table");
	is_int(content_missing(chain, &scene.content), 0, "all is found");
	is_int(migrate_sweep(&chain->tables, 1000, &retired), 0, "the next one goes on");
	ok(retired == scene.from && chain_table(chain) == scene.to, "to the end");
	is_int(content_missing(chain, &scene.content), 0, "all is found");
	table_free(&chain->tables, retired, &chain->freer);
	content_free(&scene.content);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ sweeping */

static void a_sweep_is_as_long_as_was_asked(void)
{
	struct scene scene = scene_new(BITS, BITS + 1, 4);
	struct chain *chain = scene.chain;
	struct table *retired = NULL;
	unsigned migrated = 0;

	is_int(migrate_sweep(&chain->tables, 3, &retired), 0, "a sweep of three groups");
	for (uint64_t i = 0; i < table_buckets(scene.from); i++)
		migrated += ctl_load(&scene.from->lines[i]) == CTL_MIGRATED;
	ok(migrated == 3 && !retired, "migrates three");
	is_int(scene.from->swept, 3, "and says so");
	is_int(migrate_sweep(&chain->tables, 0, &retired), 0, "one of none");
	ok(scene.from->swept == 3 && !retired, "does nothing");
	for (uint64_t i = 0; i < table_buckets(scene.from); i++)
		migrate_bucket(&chain->tables, scene.from, chain_hash_in(BITS, i, 0));
	ok(chain_table(chain) == scene.from, "buckets that migrate by themselves do not make the next table current");
	is_int(migrate_sweep(&chain->tables, 1000, &retired), 0, "the sweep that has seen them all");
	ok(retired == scene.from && chain_table(chain) == scene.to, "does, and hands out the old one");
	is_int(migrate_sweep(&chain->tables, 1000, &retired), 0, "with nothing under way there is nothing to sweep");
	ok(retired == NULL, "and nothing to retire");
	table_free(&chain->tables, scene.from, &chain->freer);
	content_free(&scene.content);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ several threads */

#define STEPS 14u

struct context {
	struct chain *chain;
	struct table *from;
	struct content content;
	_Atomic(struct table *) retired[STEPS];
	unsigned step;
	_Atomic unsigned twice, failed;
	_Atomic uint64_t lost;
};

/* Half of the threads sweep, the others take buckets at random, and all look for entries. */
static void migrate_together(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, c->step, me->index);
	while (chain_table(c->chain) == c->from) {
		struct table *retired = NULL, *none = NULL;
		unsigned i = (unsigned)rng_below(&rng, c->content.count);
		int error = me->index % 2 ? migrate_bucket(&c->chain->tables, c->from, rng_u64(&rng)) :
					    migrate_sweep(&c->chain->tables, 2, &retired);

		if (error)
			atomic_fetch_add(&c->failed, 1);
		if (retired &&
		    (retired != c->from || !atomic_compare_exchange_strong(&c->retired[c->step], &none, retired)))
			atomic_fetch_add(&c->twice, 1);
		if (chain_find(c->chain, c->content.keys[i]) != c->content.entries[i])
			atomic_fetch_add(&c->lost, 1);
	}
}

static void threads_migrate_together(void)
{
	struct context c = { .chain = chain_new(BITS) };
	struct team_options options = {
		.threads = 4, .work = migrate_together, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	struct rng rng;
	unsigned unsound = 0, wrong = 0, lost = 0, unretired = 0;

	rng_init(&rng, 8);
	c.content = content_fill(c.chain, (unsigned)fixture_scaled(3000, 300), 0, &rng);
	for (c.step = 0; c.step < STEPS; c.step++) {
		c.from = chain_table(c.chain);
		if (tables_begin(&c.chain->tables, c.step < STEPS / 2 ? c.from->bits + 1 : c.from->bits - 1) != 0)
			bail("tables_begin");
		team_run(&options);
		unsound += unsound_buckets(c.chain, chain_table(c.chain));
		wrong += entries_in(chain_table(c.chain)) != c.content.count;
		lost += content_missing(c.chain, &c.content);
		unretired += c.retired[c.step] != c.from;
	}
	is_int(c.failed, 0, "four threads migrate together, up and down: nobody fails");
	is_int(c.lost, 0, "every entry is found meanwhile");
	is_int(lost, 0, "and afterwards");
	is_int(wrong, 0, "once");
	is_int(unsound, 0, "in buckets that are open and whole");
	is_int(c.twice + unretired, 0, "one of them retires the old table");
	for (unsigned s = 0; s < STEPS; s++)
		table_free(&c.chain->tables, atomic_load(&c.retired[s]), &c.chain->freer);
	content_free(&c.content);
	ok(chain_delete(c.chain), "all is freed");
}

int main(void)
{
	entries_stay_over_all_sizes(40, 0, "a few entries");
	entries_stay_over_all_sizes(1500, 0, "many entries");
	entries_stay_over_all_sizes(100, 10, "all in few buckets");
	only_what_is_in_moves();
	a_bucket_moves_alone();
	migrating_again_does_nothing();
	a_line_that_comes_too_late_is_refused();
	a_migrator_may_stop_anywhere();
	the_same_when_shrinking();
	words_of_a_migrated_bucket_are_not_looked_at();
	an_insert_under_way_goes_along();
	without_memory(BITS, BITS + 1, FAULT_NULL);
	without_memory(BITS, BITS + 1, FAULT_MISALIGNED);
	without_memory(BITS + 1, BITS, FAULT_NULL);
	without_memory(BITS + 1, BITS, FAULT_HIGH);
	a_sweep_stops_without_memory();
	a_sweep_is_as_long_as_was_asked();
	threads_migrate_together();
	return tap_done();
}
