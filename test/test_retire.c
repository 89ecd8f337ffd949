/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim/retire: what is retired is given back once, a grace period later, with its reason, whoever does it. */
#include "reclaim/retire.h"

#include "checked_allocator.h"
#include "fixture.h"
#include "section/section.h"

/* What tests retire: anything with an address; `given` counts how often it was given back. */
struct object {
	_Alignas(16) _Atomic unsigned given;
	unsigned reason; /* with which it was, last */
	size_t size; /* likewise */
};

/* Any, but of the object's own. */
static unsigned reason_of(uint64_t i)
{
	return 1 + (unsigned)(i % RETIRE_REASON_MAX);
}

/* Any, the largest that can be told, and larger ones, which are not. */
static size_t size_of(uint64_t i)
{
	static const size_t sizes[] = { 0, 1, 16, 64, 4096, RETIRE_SIZE_MAX - 1, RETIRE_SIZE_MAX, RETIRE_SIZE_MAX + 1, 65536, SIZE_MAX };

	return sizes[i % (sizeof sizes / sizeof sizes[0])];
}

static size_t told_size_of(uint64_t i)
{
	return size_of(i) <= RETIRE_SIZE_MAX ? size_of(i) : 0;
}

static struct object *objects_new(uint64_t count)
{
	struct object *objects = aligned_alloc(16, count * sizeof *objects);

	memset(objects, 0, count * sizeof *objects);
	return objects;
}

struct bin {
	struct retire retire;
	struct memory memory;
	struct fault_allocator allocator;
	struct slab_freer freer;
};

static struct bin *bin_new(void)
{
	struct bin *bin = aligned_alloc(64, (sizeof *bin + 63) & ~(size_t)63);
	struct rcumap_allocator user;

	memset(bin, 0, sizeof *bin);
	fault_init(&bin->allocator);
	user = fault_allocator(&bin->allocator);
	memory_init(&bin->memory, &user);
	return bin;
}

/* True if no block is left. */
static bool bin_delete(struct bin *bin)
{
	bool settled = fault_settled(&bin->allocator);

	memory_fini(&bin->memory);
	free(bin);
	return settled;
}

static int reserve(struct bin *bin, retire_cell **cell)
{
	return retire_reserve(&bin->retire, &bin->memory, cell);
}

static void put(struct bin *bin, struct object *object)
{
	retire_cell *cell = NULL;

	if (reserve(bin, &cell) < 0)
		bail("no cell");
	retire_fill(cell, object, 1, sizeof *object);
}

static void give(void *ctx, void *unlinked, unsigned reason, size_t size)
{
	struct object *object = unlinked;

	(*(uint64_t *)ctx)++;
	object->reason = reason;
	object->size = size;
	atomic_fetch_add(&object->given, 1);
}

static int reclaim(struct bin *bin, uint64_t *given)
{
	return retire_reclaim(&bin->retire, &bin->memory, &bin->freer, give, given);
}

/* Give back all that is ready; how many objects it was. */
static uint64_t reclaim_all(struct bin *bin)
{
	uint64_t given = 0;

	while (reclaim(bin, &given))
		;
	return given;
}

/* A turn of the reclaimer when no reader is about; how many objects were given back. */
static uint64_t turn(struct bin *bin)
{
	struct log_batch batch;

	(void)retire_take(&bin->retire, &batch);
	(void)retire_ready(&bin->retire, &batch);
	return reclaim_all(bin);
}

/* ------------------------------------------------------------------ one thread */

static void an_empty_bin(void)
{
	struct bin *bin = bin_new();
	struct log_batch batch;

	(void)retire_take(&bin->retire, &batch);
	ok(retire_ready(&bin->retire, &batch), "no block gets ready");
	is_int(reclaim_all(bin), 0, "none is reclaimed");
	is_int(retire_unreclaimed(&bin->retire), 0, "none is awaited");
	is_int(retire_blocks(&bin->retire), 0, "there is none");
	ok(bin_delete(bin), "nothing was allocated");
}

static void what_goes_in_comes_out_once(unsigned count, const char *what)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(count);
	struct log_batch batch;
	uint64_t given = 0, last;
	unsigned wrong = 0;
	int result;

	for (unsigned i = 0; i < count; i++) {
		retire_cell *cell = NULL;

		(void)reserve(bin, &cell);
		if (i % 5 == 4)
			retire_cancel(cell);
		else
			retire_fill(cell, &objects[i], reason_of(i), size_of(i));
	}
	ok(!retire_take(&bin->retire, &batch), "%s: nothing stays behind", what);
	is_int(batch.count, retire_blocks(&bin->retire), "%s: all blocks are taken", what);
	is_int(retire_unreclaimed(&bin->retire), 0, "%s: none is ready before the grace period", what);
	is_int(reclaim(bin, &given), 0, "%s: so none can be reclaimed", what);
	last = batch.count;
	ok(retire_ready(&bin->retire, &batch), "%s: then they are", what);
	is_int(retire_unreclaimed(&bin->retire), last, "%s: all of them", what);
	ok(batch.blocks == NULL && batch.count == 0, "%s: the batch is empty", what);
	do {
		result = reclaim(bin, &given);
		last--;
	} while (result == 1);
	is_int(result, 2, "%s: the last one is said to be the last", what);
	is_int(last, 0, "%s: and is it", what);
	is_int(reclaim(bin, &given), 0, "%s: then there is none", what);
	for (unsigned i = 0; i < count; i++)
		wrong += objects[i].given != (i % 5 != 4) ||
			 (objects[i].given && (objects[i].reason != reason_of(i) || objects[i].size != told_size_of(i)));
	is_int(wrong, 0, "%s: each of %u objects is given back once, for its reason and with its size, but for those that were cancelled", what,
	       count);
	free(objects);
	ok(bin_delete(bin), "%s: all blocks are freed", what);
}

/* Whoever holds the list of ready blocks may be parked there: nobody waits for him. */
static void nobody_waits_for_the_list(void)
{
	struct bin *bin = bin_new();
	struct object objects[2] = { { 0 }, { 0 } };
	struct log_batch batch, none = { 0 };
	uint64_t given = 0;

	put(bin, &objects[0]);
	(void)turn(bin);
	put(bin, &objects[1]);
	(void)retire_take(&bin->retire, &batch);
	atomic_store(&bin->retire.popping, true); /* somebody was parked in the midst of popping */
	ok(!retire_ready(&bin->retire, &batch), "a batch does not get ready while somebody holds the list");
	ok(batch.blocks && batch.count == 1, "and is kept");
	is_int(retire_unreclaimed(&bin->retire), 0, "nothing is counted");
	ok(retire_ready(&bin->retire, &none), "an empty batch needs no list");
	is_int(reclaim(bin, &given), 0, "nobody else gets a block");
	atomic_store(&bin->retire.popping, false);
	ok(retire_ready(&bin->retire, &batch), "afterwards it gets ready");
	is_int(reclaim_all(bin), 1, "and is given back");
	ok(bin_delete(bin), "all blocks are freed");
}

static void put_block(struct bin *bin, struct object *object)
{
	for (unsigned i = 0; i < LOG_CELLS; i++)
		put(bin, &object[i]);
}

static int share(struct bin *bin, unsigned stripe, unsigned cells, uint64_t *given)
{
	return retire_reclaim_share(&bin->retire, &bin->memory, &bin->freer, stripe, cells, give, given);
}

static void make_ready(struct bin *bin, struct object *objects, unsigned blocks)
{
	struct log_batch batch;

	for (unsigned b = 0; b < blocks; b++)
		put_block(bin, objects + b * LOG_CELLS);
	(void)retire_take(&bin->retire, &batch);
	if (!retire_ready(&bin->retire, &batch))
		bail("somebody holds the list");
}

static unsigned given_wrongly(const struct object *objects, unsigned count)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < count; i++)
		wrong += objects[i].given != 1;
	return wrong;
}

static void cell_by_cell(void)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(2 * LOG_CELLS);
	uint64_t given = 0;
	unsigned calls = 0, wrong = 0;
	int result;

	is_int(share(bin, 0, 2, &given), 0, "cell by cell: nothing is ready");
	make_ready(bin, objects, 2);
	for (unsigned i = 0; i < LOG_CELLS - 1; i++)
		wrong += share(bin, 0, 1, &given) != 1 || given != i + 1;
	is_int(wrong, 0, "one at a time is given back");
	is_int(share(bin, 1, LOG_CELLS - 1, &given), 1, "another stripe begins another block");
	is_int(share(bin, 2, 1, &given), 0, "a third finds none");
	is_int(retire_unreclaimed(&bin->retire), 2, "both are awaited");
	is_int(share(bin, 0, 2, &given), 1, "the last cell ends a block");
	is_int(retire_unreclaimed(&bin->retire), 1, "then the other is");
	do
		result = share(bin, 1, 1, &given);
	while (++calls < 2 && result == 1);
	is_int(result, 2, "the last of all is said to be the last");
	is_int(given_wrongly(objects, 2 * LOG_CELLS), 0, "each is given back once");
	free(objects);
	ok(bin_delete(bin), "all blocks are freed");
}

/* What writers have begun, and do not go on with. */
static void the_reclaimer_ends_what_stripes_have_begun(void)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(3 * LOG_CELLS);
	uint64_t given = 0;

	make_ready(bin, objects, 3);
	(void)share(bin, 2, 1, &given);
	(void)share(bin, 3, LOG_CELLS - 1, &given);
	atomic_store(&bin->retire.share[3].busy, true); /* he was parked there */
	is_int(share(bin, 3, 1, &given), 0, "nobody waits for a stripe that is at it");
	is_int(reclaim_all(bin), 2 * LOG_CELLS - 1, "the reclaimer gives back what is ready, and what a stripe had begun");
	is_int(retire_unreclaimed(&bin->retire), 1, "but not what a stripe is at");
	atomic_store(&bin->retire.share[3].busy, false);
	is_int(reclaim(bin, &given), 2, "that later");
	is_int(given_wrongly(objects, 3 * LOG_CELLS), 0, "each is given back once");
	free(objects);
	ok(bin_delete(bin), "all blocks are freed");
}

static void a_child_ends_what_stripes_had_begun(void)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(2 * LOG_CELLS);
	struct log_batch none = { 0 };
	uint64_t given = 0;

	make_ready(bin, objects, 2);
	(void)share(bin, 0, 2, &given);
	atomic_store(&bin->retire.share[0].busy, true); /* and was about to go on */
	retire_adopt(&bin->retire, &none);
	is_int(retire_unreclaimed(&bin->retire), 2, "a child counts what a stripe had begun");
	is_int(reclaim_all(bin), 2 * LOG_CELLS - 2, "and gives the rest of it back");
	is_int(given_wrongly(objects, 2 * LOG_CELLS), 0, "each is given back once");
	free(objects);
	ok(bin_delete(bin), "all blocks are freed");
}

/* The block and how far it is emptied are two stores: he who was ending it may have done either alone. */
static void a_child_gives_nothing_back_twice(void)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(LOG_CELLS);
	struct log_batch none = { 0 };
	uint64_t given = 0;

	make_ready(bin, objects, 1);
	(void)share(bin, 0, 2, &given);
	bin->retire.share[0].at = 0;
	retire_adopt(&bin->retire, &none);
	is_int(reclaim_all(bin), LOG_CELLS - 2, "a child sees what is left of a block, wherever it begins to look");
	is_int(given_wrongly(objects, LOG_CELLS), 0, "each is given back once");
	free(objects);
	ok(bin_delete(bin), "all blocks are freed");
}

/* As a child of fork() finds it: two blocks are ready, a helper has popped a third and holds the list for a fourth; one
 * has been taken, and one has a cell that its writer did not come to fill. */
static void what_waited_at_a_fork_is_given_back(void)
{
	struct bin *bin = bin_new();
	struct object *objects = objects_new(5 * LOG_CELLS);
	struct log_batch batch;
	struct log_block *popped;
	retire_cell *cell = NULL;
	unsigned wrong = 0;

	for (unsigned b = 0; b < 3; b++)
		put_block(bin, objects + b * LOG_CELLS);
	(void)retire_take(&bin->retire, &batch);
	(void)retire_ready(&bin->retire, &batch);
	put_block(bin, objects + 3 * LOG_CELLS);
	(void)retire_take(&bin->retire, &batch);
	put(bin, &objects[4 * LOG_CELLS]);
	(void)reserve(bin, &cell);
	popped = bin->retire.ready;
	bin->retire.ready = popped->next;
	atomic_store(&bin->retire.popping, true);

	retire_adopt(&bin->retire, &batch);
	is_int(retire_unreclaimed(&bin->retire), 2, "a child counts what is ready");
	is_int(retire_blocks(&bin->retire), 4, "and what else there is, but for what a helper had popped");
	is_int(reclaim_all(bin), 2 * LOG_CELLS, "it gives back what is ready");
	is_int(retire_unreclaimed(&bin->retire), 0, "then none is");
	ok(retire_ready(&bin->retire, &batch), "what was taken gets ready");
	is_int(reclaim_all(bin), LOG_CELLS, "and is given back");
	ok(!retire_take(&bin->retire, &batch), "nothing waits for a writer who is gone");
	ok(retire_ready(&bin->retire, &batch), "the rest gets ready");
	is_int(reclaim_all(bin), 1, "and is given back");
	is_int(retire_blocks(&bin->retire), 0, "no block is left");
	for (unsigned i = 0; i <= 4 * LOG_CELLS; i++)
		wrong += objects[i].given > 1;
	is_int(wrong, 0, "nothing is given back twice");
	memory_free(&bin->memory, &bin->freer, popped, LOG_BLOCK_BYTES(popped->cells));
	free(objects);
	ok(bin_delete(bin), "all other blocks are freed");
}

/* ------------------------------------------------------------------ several threads */

#define WRITERS 3u
#define PER_SECTION 3u

struct context {
	struct bin *bin;
	struct object *objects; /* turns of each writer */
	uint64_t turns;
	enum help { HELP_NONE, HELP_BLOCKS, HELP_CELLS } help; /* writers give back, too */
	_Atomic unsigned writing;
	_Atomic uint64_t failed;
};

static void write_section(struct context *c, struct rng *rng, struct object *object)
{
	retire_cell *cell[PER_SECTION];

	section_bp.lock();
	for (unsigned i = 0; i < PER_SECTION; i++)
		if (reserve(c->bin, &cell[i]) < 0)
			atomic_fetch_add(&c->failed, 1);
	/* A cancelled cell's object counts as given back. */
	for (unsigned i = 0; i < PER_SECTION; i++) {
		if (rng_below(rng, 8) == 0) {
			atomic_fetch_add(&object[i].given, 1);
			object[i].reason = reason_of(i);
			object[i].size = told_size_of(i);
			retire_cancel(cell[i]);
		} else {
			retire_fill(cell[i], &object[i], reason_of(i), size_of(i));
		}
	}
	section_bp.unlock();
}

static void retire_and_reclaim(struct team_member *me)
{
	struct context *c = me->ctx;
	struct slab_freer freer = { 0 };
	uint64_t given = 0;
	struct rng rng;

	rng_init_stream(&rng, 3, me->index);
	if (me->index < WRITERS) {
		struct object *mine = c->objects + me->index * c->turns * PER_SECTION;

		for (uint64_t i = 0; i < c->turns; i++) {
			write_section(c, &rng, mine + i * PER_SECTION);
			if (c->help == HELP_BLOCKS && rng_below(&rng, 4) == 0)
				(void)retire_reclaim(&c->bin->retire, &c->bin->memory, &freer, give, &given);
			if (c->help == HELP_CELLS)
				(void)retire_reclaim_share(&c->bin->retire, &c->bin->memory, &freer, me->index % 2, 2, give,
							   &given);
		}
		atomic_fetch_sub(&c->writing, 1);
		return;
	}
	/* The reclaimer. */
	for (bool last = false; !last;) {
		struct log_batch batch;

		last = !atomic_load(&c->writing);
		(void)retire_take(&c->bin->retire, &batch);
		section_bp.synchronize();
		while (!retire_ready(&c->bin->retire, &batch))
			sched_yield();
		while (retire_unreclaimed(&c->bin->retire))
			if (!retire_reclaim(&c->bin->retire, &c->bin->memory, &freer, give, &given))
				sched_yield();
	}
}

static void threads_retire(enum help help, const char *what)
{
	struct context c = { .bin = bin_new(), .turns = fixture_scaled(60000, 2000), .help = help };
	struct team_options options = {
		.threads = WRITERS + 1, .work = retire_and_reclaim, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	uint64_t objects = WRITERS * c.turns * PER_SECTION;
	unsigned wrong = 0;

	c.objects = objects_new(objects);
	atomic_init(&c.writing, WRITERS);
	team_run(&options);
	for (uint64_t i = 0; i < objects; i++)
		wrong += c.objects[i].given != 1 || c.objects[i].reason != reason_of(i % PER_SECTION) ||
			 c.objects[i].size != told_size_of(i % PER_SECTION);
	is_int(wrong, 0, "%u writers, %s: each of %llu objects is given back once, for its reason and with its size", WRITERS, what,
	       (unsigned long long)objects);
	is_int(c.failed, 0, "%s: nobody fails", what);
	ok(!retire_pending(&c.bin->retire) && retire_blocks(&c.bin->retire) == 0, "%s: nothing is left", what);
	free(c.objects);
	ok(bin_delete(c.bin), "%s: all blocks are freed", what);
}

int main(void)
{
	an_empty_bin();
	what_goes_in_comes_out_once(1, "one");
	what_goes_in_comes_out_once(LOG_CELLS, "a full block");
	what_goes_in_comes_out_once(3 * LOG_CELLS + LOG_CELLS / 2, "several blocks");
	nobody_waits_for_the_list();
	cell_by_cell();
	the_reclaimer_ends_what_stripes_have_begun();
	a_child_ends_what_stripes_had_begun();
	a_child_gives_nothing_back_twice();
	what_waited_at_a_fork_is_given_back();
	threads_retire(HELP_NONE, "the reclaimer alone");
	threads_retire(HELP_BLOCKS, "writers help");
	threads_retire(HELP_CELLS, "writers help cell by cell");
	return tap_done();
}
