/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/migrate: buckets move from table to table whole, whoever does it, however often, and wherever he stops. */
#include "protocol/migrate.h"

#include "migrate_fixture.h"

/* From here on tables double, up to SIZE_TURN; debug ones do so again. */
#define SIZE 4u

/* ------------------------------------------------------------------ what moves */

static void only_what_is_in_moves(void)
{
	struct chain *chain = chain_new(SIZE);
	struct rng rng;
	unsigned removed = 0;

	rng_init(&rng, 3);
	struct content content = content_fill(chain, 200, 0, &rng);

	for (unsigned i = 0; i < content.count; i += 3) {
		struct bucket_view view = chain_view(chain_table(chain), content.keys[i]);

		removed += bucket_remove(&chain->tables, chain_table(chain), &view);
		content.entries[i] = NULL;
	}
	ok(chain_resize(chain, SIZE + 1), "a table with free slots grows");
	is_int(content_missing(chain, &content), 0, "what was removed is not found, the rest is");
	is_int(chain_entries(chain_table(chain)), content.count - removed, "nothing else has moved");
	is_int(unsound_buckets(chain, chain_table(chain)), 0, "free slots moved up");
	ok(chain_resize(chain, SIZE) && content_missing(chain, &content) == 0, "likewise when it shrinks");
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

/* ------------------------------------------------------------------ one group at a time */

/* The second one. */
static void a_group_moves_alone(unsigned from_size, unsigned to_size)
{
	struct chain *chain = chain_new(from_size);
	struct table *from = chain_table(chain), *to;
	const unsigned sources = size_group_of(from_size, to_size), targets = size_group_of(to_size, from_size);
	struct rng rng;
	char what[32];
	unsigned moved = 0, open = 0, unsound = 0;

	snprintf(what, sizeof what, "%u into %u", sources, targets);
	rng_init(&rng, 4);
	struct content content = content_fill(chain, 60, 0, &rng);

	tables_begin(&chain->tables, to_size);
	to = table_next(from);
	is_int(migrate_groups(from, to), table_buckets(from) / sources, "%s: a group for so many buckets", what);
	is_int(migrate_bucket(&chain->tables, from, chain_hash_in(from_size, 2 * sources - 1, 99)), 0, "%s: a bucket migrates", what);
	for (uint64_t i = 0; i < table_buckets(from); i++)
		moved += ctl_load(&from->lines[i]) == CTL_MIGRATED;
	for (unsigned s = 0; s < sources; s++)
		moved += ctl_load(&from->lines[sources + s]) == CTL_MIGRATED;
	is_int(moved, 2 * sources, "%s: with those of its group, and no other", what);
	for (uint64_t i = 0; i < table_buckets(to); i++)
		open += ctl_load(&to->lines[i]) != CTL_INIT;
	for (unsigned t = 0; t < targets; t++) {
		open += ctl_load(&to->lines[targets + t]) != CTL_INIT;
		unsound += !bucket_is_sound(chain, to, &to->lines[targets + t], true);
	}
	is_int(open, 2 * targets, "%s: its targets are open, the others are not", what);
	is_int(unsound, 0, "%s: and sound", what);
	is_int(content_missing(chain, &content), 0, "%s: readers find all entries, here or there", what);
	chain_sweep(chain);
	content_free(&content);
	ok(chain_delete(chain), "%s: all is freed", what);
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

/* A hash that begins with so many zeros is in the first group. */
static unsigned group_bits(unsigned from_size, unsigned to_size)
{
	const uint64_t groups = size_buckets(from_size) / size_group_of(from_size, to_size), power = UINT64_C(1) << size_log2(groups);

	return size_log2(groups) + (power < groups);
}

static void migrating_again_does_nothing(void)
{
	struct chain *chain = chain_new(SIZE_TURN);
	struct table *from = chain_table(chain), *to;
	uint64_t before[5][64], after[64];
	struct rng rng;
	unsigned changed = 0;

	rng_init(&rng, 5);
	struct content content = content_fill(chain, 2 * LINE_SLOTS + 1, group_bits(SIZE_TURN, SIZE_TURN + 1), &rng); /* all in the first group: two buckets into three */

	tables_begin(&chain->tables, SIZE_TURN + 1);
	to = table_next(from);
	migrate_bucket(&chain->tables, from, 0);
	chain_put(chain, to, (struct chain_key){ 1, 1000 }); /* life goes on in the target */
	for (unsigned i = 0; i < 5; i++)
		words_of(i < 3 ? &to->lines[i] : &from->lines[i - 3], before[i]);
	is_int(migrate_bucket(&chain->tables, from, 0), 0, "a migrated bucket migrates again");
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = words_of(i < 3 ? &to->lines[i] : &from->lines[i - 3], after);

		changed += memcmp(before[i], after, n * sizeof after[0]) != 0;
	}
	is_int(changed, 0, "nothing changes");
	is_int(table_overflow_lines(to),
	       (uint64_t)chain_lines(&to->lines[0]) + chain_lines(&to->lines[1]) + chain_lines(&to->lines[2]) - 3,
	       "no line is chained or lost");
	content_free(&content);
	ok(chain_delete(chain), "all is freed");
}

static void a_line_that_comes_too_late_is_refused(void)
{
	struct chain *chain = chain_new(SIZE);
	struct table *from = chain_table(chain), *to;
	struct line *late = NULL;
	struct rng rng;
	unsigned accepted = 0;

	rng_init(&rng, 6);
	struct content content = content_fill(chain, 50, 0, &rng);

	tables_begin(&chain->tables, SIZE + 1);
	to = table_next(from);
	for (uint64_t i = 0; i < table_buckets(from); i++)
		migrate_bucket(&chain->tables, from, chain_hash_in(SIZE, i, 0));
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

/* A table that has begun to migrate, with entries in its first group. */
struct scene {
	struct chain *chain;
	struct table *from, *to;
	unsigned sources, targets;
	struct content content;
};

static struct scene scene_new(unsigned from_size, unsigned to_size, unsigned entries)
{
	struct scene scene = { .chain = chain_new(from_size),
			       .sources = size_group_of(from_size, to_size),
			       .targets = size_group_of(to_size, from_size) };
	struct rng rng;

	rng_init(&rng, 7);
	scene.from = chain_table(scene.chain);
	scene.content = content_fill(scene.chain, entries, group_bits(from_size, to_size), &rng);
	if (tables_begin(&scene.chain->tables, to_size) != 0)
		bail("tables_begin");
	scene.to = table_next(scene.from);
	return scene;
}

/* Finish what was left half done, and look whether all is well. */
static void finishes(struct scene *scene, const char *what)
{
	unsigned unsound = 0, entries = 0, undone = 0;

	is_int(migrate_bucket(&scene->chain->tables, scene->from, 0), 0, "%s: somebody else goes on", what);
	is_int(content_missing(scene->chain, &scene->content), 0, "%s: every entry is found", what);
	for (unsigned t = 0; t < scene->targets; t++) {
		unsound += !bucket_is_sound(scene->chain, scene->to, &scene->to->lines[t], false);
		entries += chain_count(&scene->to->lines[t]);
	}
	is_int(unsound, 0, "%s: the targets are sound", what);
	is_int(entries, scene->content.count, "%s: each entry is there once", what);
	for (unsigned s = 0; s < scene->sources; s++)
		undone += ctl_load(&scene->from->lines[s]) != CTL_MIGRATED;
	is_int(undone, 0, "%s: the sources are done", what);
	content_free(&scene->content);
	ok(chain_delete(scene->chain), "%s: all is freed", what);
}

/* As a migrator does before he places anything. */
static void freeze(struct line *source)
{
	ctl_cas(source, ctl_load(source), CTL_FROZEN);
	for (struct line *line = source; line; line = line_next(line)) {
		for (unsigned i = 0; i < LINE_SLOTS; i++)
			slot_freeze(line, i);
		link_freeze(line);
	}
}

/* No target needs a second line for them. */
#define FEW LINE_SLOTS

static void a_migrator_may_stop_anywhere(unsigned from_size, unsigned to_size)
{
	struct scene scene = scene_new(from_size, to_size, FEW);

	for (unsigned frozen = 1; frozen <= scene.sources; frozen++) {
		if (frozen > 1)
			scene = scene_new(from_size, to_size, FEW);
		for (unsigned s = 0; s < frozen; s++)
			ctl_cas(&scene.from->lines[s], ctl_load(&scene.from->lines[s]), CTL_FROZEN);
		finishes(&scene, "stopped after some buckets of the group were frozen");
	}

	scene = scene_new(from_size, to_size, FEW);
	ctl_cas(scene.from->lines, ctl_load(scene.from->lines), CTL_FROZEN);
	slot_freeze(scene.from->lines, 0);
	finishes(&scene, "after the first word was frozen");

	scene = scene_new(from_size, to_size, FEW);
	for (unsigned s = 0; s < scene.sources; s++)
		freeze(&scene.from->lines[s]);
	finishes(&scene, "after all words were frozen");

	/* The first word of the first bucket is placed: it is the first of its target. */
	scene = scene_new(from_size, to_size, FEW);
	for (unsigned s = 0; s < scene.sources; s++)
		freeze(&scene.from->lines[s]);
	for (unsigned i = 0; i < scene.content.count; i++) {
		uint64_t hash = scene.content.keys[i].hash, word = slot_load(scene.from->lines, 0);

		if (slot_has_entry(word) && slot_entry(word) == scene.content.entries[i])
			slot_cas(table_line(scene.to, hash), 0, SLOT_UNFILLED,
				 slot_of(scene.content.entries[i], table_tag(scene.to, hash), 0));
	}
	finishes(&scene, "after one word was placed");

	/* From none of the targets on. */
	for (unsigned opened = 0; opened < scene.targets; opened++) {
		scene = scene_new(from_size, to_size, FEW);
		migrate_bucket(&scene.chain->tables, scene.from, 0);
		for (unsigned t = opened; t < scene.targets; t++)
			atomic_store(&scene.to->lines[t].ctl, CTL_INIT);
		finishes(&scene, "before all targets were opened");
	}
}

/* Whoever finds a MIGRATED source beside a FROZEN one must not look at its words: their entries may be gone. */
static void words_of_a_migrated_bucket_are_not_looked_at(unsigned from_size, unsigned to_size)
{
	struct scene scene = scene_new(from_size, to_size, 2 * LINE_SLOTS);
	struct line *source = scene.from->lines;

	migrate_bucket(&scene.chain->tables, scene.from, 0);
	/* As if the exchange of the last had not happened yet. */
	atomic_store(&source[scene.sources - 1].ctl, CTL_FROZEN);
	for (unsigned t = 0; t < scene.targets; t++)
		atomic_store(&scene.to->lines[t].ctl, CTL_INIT);
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		atomic_store(&source[0].slot[i], UINT64_C(0x7ff0) | WORD_FROZEN); /* no memory is there */
	finishes(&scene, "one source is not done yet");
}

static void an_insert_under_way_goes_along(void)
{
	struct scene scene = scene_new(SIZE, SIZE + 1, 1);
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
static void without_memory(unsigned size, unsigned to_size, enum fault_kind kind)
{
	struct scene scene = scene_new(size, to_size, 15 * LINE_SLOTS);
	struct chain *chain = scene.chain;
	unsigned sources = scene.sources, changed = 0;
	int want = kind == FAULT_NULL ? -ENOMEM : -EFAULT, error, failures = 0;
	const char *what = to_size < size ? "shrinking" : "growing";
	uint64_t before[4][64], after[64];

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
				changed += !usable(chain, scene.from, chain_hash_in(size, s, 12345));
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
	struct scene scene = scene_new(SIZE, SIZE + 1, 15 * LINE_SLOTS);
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
	struct scene scene = scene_new(SIZE, SIZE + 1, 4);
	struct chain *chain = scene.chain;
	struct table *retired = NULL;
	unsigned migrated = 0;

	is_int(migrate_sweep(&chain->tables, 3, &retired), 0, "a sweep of three groups");
	for (uint64_t i = 0; i < table_buckets(scene.from); i++)
		migrated += ctl_load(&scene.from->lines[i]) == CTL_MIGRATED;
	ok(migrated == 3 * scene.sources && !retired, "migrates three");
	is_int(scene.from->swept, 3, "and says so");
	is_int(migrate_sweep(&chain->tables, 0, &retired), 0, "one of none");
	ok(scene.from->swept == 3 && !retired, "does nothing");
	for (uint64_t i = 0; i < table_buckets(scene.from); i++)
		migrate_bucket(&chain->tables, scene.from, chain_hash_in(SIZE, i, 0));
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

#define STEPS 20u

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
	struct context c = { .chain = chain_new(SIZE) };
	struct team_options options = {
		.threads = 4, .work = migrate_together, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	struct rng rng;
	unsigned unsound = 0, wrong = 0, lost = 0, unretired = 0;

	rng_init(&rng, 8);
	c.content = content_fill(c.chain, (unsigned)fixture_scaled(3000, 300), 0, &rng);
	for (c.step = 0; c.step < STEPS; c.step++) {
		c.from = chain_table(c.chain);
		if (tables_begin(&c.chain->tables, c.step < STEPS / 2 ? c.from->size + 1 : c.from->size - 1) != 0)
			bail("tables_begin");
		team_run(&options);
		unsound += unsound_buckets(c.chain, chain_table(c.chain));
		wrong += chain_entries(chain_table(c.chain)) != c.content.count;
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

/* One bucket into two, two into three, twice, and back. */
static const struct {
	unsigned from, to;
} resizes[] = { { SIZE, SIZE + 1 }, { SIZE_TURN, SIZE_TURN + 1 }, { SIZE_TURN + 1, SIZE_TURN + 2 },
		{ SIZE + 1, SIZE }, { SIZE_TURN + 1, SIZE_TURN }, { SIZE_TURN + 2, SIZE_TURN + 1 } };

#define RESIZES (sizeof resizes / sizeof resizes[0])

int main(void)
{
	only_what_is_in_moves();
	for (unsigned i = 0; i < RESIZES; i++) {
		a_group_moves_alone(resizes[i].from, resizes[i].to);
		a_migrator_may_stop_anywhere(resizes[i].from, resizes[i].to);
		if (size_group_of(resizes[i].from, resizes[i].to) > 1)
			words_of_a_migrated_bucket_are_not_looked_at(resizes[i].from, resizes[i].to);
		without_memory(resizes[i].from, resizes[i].to, i % 2 ? FAULT_MISALIGNED : FAULT_NULL);
		without_memory(resizes[i].from, resizes[i].to, i % 2 ? FAULT_NULL : FAULT_HIGH);
	}
	migrating_again_does_nothing();
	a_line_that_comes_too_late_is_refused();
	an_insert_under_way_goes_along();
	a_sweep_stops_without_memory();
	a_sweep_is_as_long_as_was_asked();
	threads_migrate_together();
	return tap_done();
}
