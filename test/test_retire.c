/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim/retire: what is put into cells comes out once, a grace period later, whoever takes it out. */
#include "reclaim/retire.h"

#include "checked_allocator.h"
#include "fixture.h"
#include "section/section.h"

/* What tests retire: anything with an address; `given` counts how often it was given back. */
struct object {
	_Atomic unsigned given;
};

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
	retire_fill(cell, object);
}

static void give(void *ctx, void *unlinked)
{
	struct object *object = unlinked;

	(*(uint64_t *)ctx)++;
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
	struct retire_batch batch;

	(void)retire_take(&bin->retire, &batch);
	(void)retire_ready(&bin->retire, &batch);
	return reclaim_all(bin);
}

/* Cells of one block, found by counting. */
static unsigned cells_of_a_block(void)
{
	struct bin *bin = bin_new();
	retire_cell *cell = NULL;
	unsigned n = 1;

	(void)reserve(bin, &cell);
	retire_cancel(cell);
	while (reserve(bin, &cell) == 0) {
		retire_cancel(cell);
		n++;
	}
	retire_cancel(cell);
	turn(bin);
	bin_delete(bin);
	return n;
}

/* ------------------------------------------------------------------ one thread */

static void an_empty_bin(void)
{
	struct bin *bin = bin_new();
	struct retire_batch batch;

	ok(!retire_pending(&bin->retire), "nothing is pending at first");
	ok(!retire_take(&bin->retire, &batch), "nothing stays behind");
	ok(batch.blocks == NULL && batch.count == 0, "and nothing is taken");
	ok(retire_ready(&bin->retire, &batch), "no block gets ready");
	is_int(reclaim_all(bin), 0, "none is reclaimed");
	is_int(retire_unreclaimed(&bin->retire), 0, "none is awaited");
	is_int(retire_blocks(&bin->retire), 0, "there is none");
	ok(bin_delete(bin), "nothing was allocated");
}

static void cells_are_ones_own(unsigned cells)
{
	struct bin *bin = bin_new();
	unsigned same = 0, set = 0, woken = 0, count = 3 * cells + 1;
	retire_cell **cell = malloc(count * sizeof *cell);

	for (unsigned i = 0; i < count; i++) {
		woken += reserve(bin, &cell[i]) == 1;
		set += atomic_load(cell[i]) != NULL;
		for (unsigned before = 0; before < i; before++)
			same += cell[before] == cell[i];
	}
	is_int(same, 0, "no two reservations get the same cell");
	is_int(set, 0, "all cells are unfilled");
	is_int(woken, 4, "the reclaimer is to be woken once per block of %u", cells);
	ok(retire_pending(&bin->retire), "something is pending");
	is_int(retire_blocks(&bin->retire), 4, "in four blocks");
	for (unsigned i = 0; i < count; i++)
		retire_cancel(cell[i]);
	is_int(turn(bin), 0, "what was cancelled is not given back");
	is_int(retire_blocks(&bin->retire), 0, "but its blocks are gone");
	ok(!retire_pending(&bin->retire), "nothing is pending then");
	free(cell);
	ok(bin_delete(bin), "all blocks are freed");
}

static void what_goes_in_comes_out_once(unsigned count, const char *what)
{
	struct bin *bin = bin_new();
	struct object *objects = calloc(count, sizeof *objects);
	struct retire_batch batch;
	uint64_t given = 0, last;
	unsigned wrong = 0;
	int result;

	for (unsigned i = 0; i < count; i++) {
		retire_cell *cell = NULL;

		(void)reserve(bin, &cell);
		if (i % 5 == 4)
			retire_cancel(cell);
		else
			retire_fill(cell, &objects[i]);
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
		wrong += objects[i].given != (i % 5 != 4);
	is_int(wrong, 0, "%s: each of %u objects is given back once, but for those that were cancelled", what, count);
	free(objects);
	ok(bin_delete(bin), "%s: all blocks are freed", what);
}

static void unfilled_cells_hold_up_their_block_alone(unsigned cells)
{
	struct bin *bin = bin_new();
	struct object *objects = calloc(3 * cells, sizeof *objects);
	struct retire_batch batch;
	retire_cell *late = NULL, *other = NULL;

	/* Two full blocks, and one that was just begun; the middle one has an unfilled cell. */
	for (unsigned i = 0; i < cells; i++)
		put(bin, &objects[i]);
	(void)reserve(bin, &late);
	for (unsigned i = 1; i < cells; i++)
		put(bin, &objects[cells + i]);
	put(bin, &objects[2 * cells]);
	ok(retire_take(&bin->retire, &batch), "a block with an unfilled cell stays behind");
	is_int(batch.count, 2, "the others are taken");
	ok(retire_pending(&bin->retire), "it is still pending");
	(void)retire_ready(&bin->retire, &batch);
	is_int(reclaim_all(bin), cells + 1, "what was taken is given back");
	ok(retire_take(&bin->retire, &batch) && batch.blocks == NULL, "it stays as long as the cell is unfilled");
	is_int(reserve(bin, &other), 1, "meanwhile another block is begun");
	retire_fill(other, &objects[2 * cells + 1]);
	ok(retire_take(&bin->retire, &batch), "and does not have to wait for it");
	is_int(batch.count, 1, "it is taken");
	(void)retire_ready(&bin->retire, &batch);
	is_int(reclaim_all(bin), 1, "and given back");
	retire_fill(late, &objects[cells]);
	ok(!retire_take(&bin->retire, &batch) && batch.count == 1, "once the cell is filled its block is taken");
	(void)retire_ready(&bin->retire, &batch);
	is_int(reclaim_all(bin), cells, "and given back");
	ok(!retire_pending(&bin->retire), "nothing is pending then");
	free(objects);
	ok(bin_delete(bin), "all blocks are freed");
}

static void a_taken_block_is_closed(void)
{
	struct bin *bin = bin_new();
	struct object objects[2] = { { 0 }, { 0 } };
	struct retire_batch batch;
	retire_cell *cell = NULL;

	put(bin, &objects[0]);
	(void)retire_take(&bin->retire, &batch);
	is_int(reserve(bin, &cell), 1, "after a take a new block is begun");
	retire_fill(cell, &objects[1]);
	(void)retire_ready(&bin->retire, &batch);
	is_int(reclaim_all(bin), 1, "what was retired after the take is not given back with it");
	is_int(objects[0].given, 1, "what was retired before, is");
	is_int(turn(bin), 1, "the rest is with the next");
	ok(bin_delete(bin), "all blocks are freed");
}

/* Whoever holds the list of ready blocks may be parked there: nobody waits for him. */
static void nobody_waits_for_the_list(void)
{
	struct bin *bin = bin_new();
	struct object objects[2] = { { 0 }, { 0 } };
	struct retire_batch batch, none = { 0 };
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

static void without_memory(unsigned cells)
{
	struct bin *bin = bin_new();
	struct object object = { 0 };
	retire_cell *cell = NULL;

	fault_arm(1, FAULT_NULL);
	is_int(reserve(bin, &cell), -ENOMEM, "no memory for the first block");
	ok(fault_disarm() && !cell && !retire_pending(&bin->retire), "nothing is reserved");
	fault_arm(1, FAULT_MISALIGNED);
	is_int(reserve(bin, &cell), -EFAULT, "nor with an unusable address");
	ok(fault_disarm() && !cell && !retire_pending(&bin->retire), "nothing is reserved");
	for (unsigned i = 0; i < cells; i++)
		put(bin, &object);
	for (unsigned i = 0; i < 10; i++) {
		fault_arm(1, FAULT_NULL);
		if (reserve(bin, &cell) != -ENOMEM)
			break;
	}
	ok(fault_disarm() && !cell, "no memory for the second, ten times");
	put(bin, &object);
	is_int(turn(bin), cells + 1, "with memory again nothing was lost, nor comes twice");
	ok(bin_delete(bin), "all blocks are freed");
}

/* ------------------------------------------------------------------ several threads */

#define WRITERS 3u
#define PER_SECTION 3u

struct context {
	struct bin *bin;
	struct object *objects; /* turns of each writer */
	uint64_t turns;
	bool helpers; /* writers give back, too */
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
			retire_cancel(cell[i]);
		} else {
			retire_fill(cell[i], &object[i]);
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
			if (c->helpers && rng_below(&rng, 4) == 0)
				(void)retire_reclaim(&c->bin->retire, &c->bin->memory, &freer, give, &given);
		}
		atomic_fetch_sub(&c->writing, 1);
		return;
	}
	/* The reclaimer. */
	for (bool last = false; !last;) {
		struct retire_batch batch;

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

static void threads_retire(bool helpers)
{
	struct context c = { .bin = bin_new(), .turns = fixture_scaled(60000, 2000), .helpers = helpers };
	struct team_options options = {
		.threads = WRITERS + 1, .work = retire_and_reclaim, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	const char *what = helpers ? "writers help" : "the reclaimer alone";
	uint64_t objects = WRITERS * c.turns * PER_SECTION;
	unsigned wrong = 0;

	c.objects = calloc(objects, sizeof *c.objects);
	atomic_init(&c.writing, WRITERS);
	team_run(&options);
	for (uint64_t i = 0; i < objects; i++)
		wrong += c.objects[i].given != 1;
	is_int(wrong, 0, "%u writers, %s: each of %llu objects is given back once", WRITERS, what,
	       (unsigned long long)objects);
	is_int(c.failed, 0, "%s: nobody fails", what);
	ok(!retire_pending(&c.bin->retire) && retire_blocks(&c.bin->retire) == 0, "%s: nothing is left", what);
	free(c.objects);
	ok(bin_delete(c.bin), "%s: all blocks are freed", what);
}

int main(void)
{
	unsigned cells = cells_of_a_block();

	an_empty_bin();
	cells_are_ones_own(cells);
	what_goes_in_comes_out_once(1, "one");
	what_goes_in_comes_out_once(cells, "a full block");
	what_goes_in_comes_out_once(3 * cells + cells / 2, "several blocks");
	unfilled_cells_hold_up_their_block_alone(cells);
	a_taken_block_is_closed();
	nobody_waits_for_the_list();
	without_memory(cells);
	threads_retire(false);
	threads_retire(true);
	return tap_done();
}
