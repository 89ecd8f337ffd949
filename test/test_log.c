/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim/log: what writers put into cells the consumer takes once, after it was filled, and nothing that was cancelled. */
#include "reclaim/log.h"

#include "checked_allocator.h"
#include "fixture.h"
#include "section/section.h"

struct desk {
	struct log log;
	struct memory memory;
	struct fault_allocator allocator;
	struct slab_freer freer;
};

static struct desk *desk_new(void)
{
	struct desk *desk = aligned_alloc(64, (sizeof *desk + 63) & ~(size_t)63);
	struct rcumap_allocator user;

	memset(desk, 0, sizeof *desk);
	fault_init(&desk->allocator);
	user = fault_allocator(&desk->allocator);
	memory_init(&desk->memory, &user);
	return desk;
}

/* True if no block is left. */
static bool desk_delete(struct desk *desk)
{
	bool settled = fault_settled(&desk->allocator);

	memory_fini(&desk->memory);
	free(desk);
	return settled;
}

static int reserve(struct desk *desk, log_cell **cell)
{
	return log_reserve(&desk->log, &desk->memory, cell);
}

static void tell(struct desk *desk, uint64_t word)
{
	log_cell *cell = NULL;

	if (reserve(desk, &cell) < 0)
		bail("no cell");
	log_fill(cell, word);
}

/* Count the words of a batch, free its blocks; heard[w] is how often word w + 1 was in it. How many words it was. */
static uint64_t hear(struct desk *desk, struct log_batch *batch, _Atomic unsigned *heard, uint64_t words)
{
	uint64_t count = 0;

	while (batch->blocks) {
		struct log_block *block = batch->blocks;

		for (uint64_t i = 0; i < block->used; i++) {
			uint64_t word = log_word(block, i);

			if (word > words)
				bail("%llu was never told", (unsigned long long)word);
			if (word && heard)
				atomic_fetch_add_explicit(&heard[word - 1], 1, memory_order_relaxed);
			count += word != 0;
		}
		batch->blocks = block->next;
		log_reclaim_block(&desk->log, &desk->memory, &desk->freer, block);
	}
	return count;
}

/* A turn of the consumer when no reader is about; how many words it took. */
static uint64_t turn(struct desk *desk)
{
	struct log_batch batch;

	(void)log_take(&desk->log, &batch);
	return hear(desk, &batch, NULL, LOG_CANCELLED - 1);
}

/* ------------------------------------------------------------------ one thread */

static void an_empty_log(void)
{
	struct desk *desk = desk_new();
	struct log_batch batch;

	ok(!log_pending(&desk->log), "nothing is pending at first");
	ok(!log_take(&desk->log, &batch), "nothing stays behind");
	ok(batch.blocks == NULL && batch.count == 0, "and nothing is taken");
	is_int(log_blocks(&desk->log), 0, "there is no block");
	log_adopt(&desk->log, 0);
	ok(!log_pending(&desk->log) && log_blocks(&desk->log) == 0, "nor after a fork");
	ok(desk_delete(desk), "nothing was allocated");
}

static void cells_are_ones_own(void)
{
	struct desk *desk = desk_new();
	unsigned same = 0, set = 0, woken = 0, count = 3 * LOG_CELLS + 1;
	log_cell **cell = malloc(count * sizeof *cell);

	for (unsigned i = 0; i < count; i++) {
		woken += reserve(desk, &cell[i]) == 1;
		set += atomic_load(cell[i]) != 0;
		for (unsigned before = 0; before < i; before++)
			same += cell[before] == cell[i];
	}
	is_int(same, 0, "no two reservations get the same cell");
	is_int(set, 0, "all cells are unfilled");
	is_int(woken, 4, "the consumer is to be woken once per block of %u", LOG_CELLS);
	ok(log_pending(&desk->log), "something is pending");
	is_int(log_blocks(&desk->log), 4, "in four blocks");
	for (unsigned i = 0; i < count; i++)
		log_cancel(cell[i]);
	is_int(turn(desk), 0, "what was cancelled is not heard");
	is_int(log_blocks(&desk->log), 0, "but its blocks are gone");
	ok(!log_pending(&desk->log), "nothing is pending then");
	free(cell);
	ok(desk_delete(desk), "all blocks are freed");
}

static void what_is_told_is_heard_once(unsigned count, const char *what)
{
	struct desk *desk = desk_new();
	_Atomic unsigned *heard = calloc(count, sizeof *heard);
	struct log_batch batch;
	unsigned wrong = 0, blocks = 0;

	for (unsigned i = 0; i < count; i++) {
		log_cell *cell = NULL;

		(void)reserve(desk, &cell);
		if (i % 5 == 4)
			log_cancel(cell);
		else
			log_fill(cell, i + 1);
	}
	ok(!log_take(&desk->log, &batch), "%s: nothing stays behind", what);
	is_int(batch.count, log_blocks(&desk->log), "%s: all blocks are taken", what);
	for (struct log_block *block = batch.blocks; block; block = block->next)
		blocks++;
	is_int(blocks, batch.count, "%s: as many as it says", what);
	is_int(log_word(batch.blocks, batch.blocks->used), 0, "%s: behind the last cell is nothing", what);
	(void)hear(desk, &batch, heard, count);
	for (unsigned i = 0; i < count; i++)
		wrong += heard[i] != (i % 5 != 4);
	is_int(wrong, 0, "%s: each of %u words is heard once, but for those that were cancelled", what, count);
	is_int(log_blocks(&desk->log), 0, "%s: no block is left", what);
	free(heard);
	ok(desk_delete(desk), "%s: all blocks are freed", what);
}

static void words_come_out_as_they_went_in(void)
{
	struct desk *desk = desk_new();
	const uint64_t words[] = { 1, UINT64_C(1) << 63, LOG_CANCELLED - 1 };
	struct log_batch batch;

	for (unsigned i = 0; i < 3; i++)
		tell(desk, words[i]);
	(void)log_take(&desk->log, &batch);
	ok(batch.count == 1 && batch.blocks->used == 3, "three words in a block");
	for (uint64_t i = 0; i < 3; i++)
		ok(log_word(batch.blocks, i) == words[i], "0x%llx as it went in", (unsigned long long)words[i]);
	(void)hear(desk, &batch, NULL, LOG_CANCELLED - 1);
	ok(desk_delete(desk), "all blocks are freed");
}

static void unfilled_cells_hold_up_their_block_alone(void)
{
	struct desk *desk = desk_new();
	struct log_batch batch;
	log_cell *late = NULL, *other = NULL;

	/* Two full blocks, and one that was just begun; the middle one has an unfilled cell. */
	for (unsigned i = 0; i < LOG_CELLS; i++)
		tell(desk, 1);
	(void)reserve(desk, &late);
	for (unsigned i = 1; i < LOG_CELLS; i++)
		tell(desk, 1);
	tell(desk, 1);
	ok(log_take(&desk->log, &batch), "a block with an unfilled cell stays behind");
	is_int(batch.count, 2, "the others are taken");
	ok(log_pending(&desk->log), "it is still pending");
	is_int(hear(desk, &batch, NULL, 1), LOG_CELLS + 1, "what was taken is heard");
	ok(log_take(&desk->log, &batch) && batch.blocks == NULL, "it stays as long as the cell is unfilled");
	is_int(reserve(desk, &other), 1, "meanwhile another block is begun");
	log_fill(other, 1);
	ok(log_take(&desk->log, &batch), "and does not have to wait for it");
	is_int(batch.count, 1, "it is taken");
	is_int(hear(desk, &batch, NULL, 1), 1, "and heard");
	log_fill(late, 1);
	ok(!log_take(&desk->log, &batch) && batch.count == 1, "once the cell is filled its block is taken");
	is_int(hear(desk, &batch, NULL, 1), LOG_CELLS, "and heard");
	ok(!log_pending(&desk->log), "nothing is pending then");
	ok(desk_delete(desk), "all blocks are freed");
}

static void a_taken_block_is_closed(void)
{
	struct desk *desk = desk_new();
	struct log_batch batch;
	log_cell *cell = NULL;

	tell(desk, 1);
	(void)log_take(&desk->log, &batch);
	is_int(reserve(desk, &cell), 1, "after a take a new block is begun");
	log_fill(cell, 2);
	is_int(hear(desk, &batch, NULL, 1), 1, "what was told after the take is not heard with it");
	is_int(turn(desk), 1, "but with the next");
	ok(desk_delete(desk), "all blocks are freed");
}

static void without_memory(void)
{
	struct desk *desk = desk_new();
	log_cell *cell = NULL;

	fault_arm(1, FAULT_NULL);
	is_int(reserve(desk, &cell), -ENOMEM, "no memory for the first block");
	ok(fault_disarm() && !cell && !log_pending(&desk->log), "nothing is reserved");
	fault_arm(1, FAULT_MISALIGNED);
	is_int(reserve(desk, &cell), -EFAULT, "nor with an unusable address");
	ok(fault_disarm() && !cell && !log_pending(&desk->log), "nothing is reserved");
	for (unsigned i = 0; i < LOG_CELLS; i++)
		tell(desk, 1);
	for (unsigned i = 0; i < 10; i++) {
		fault_arm(1, FAULT_NULL);
		if (reserve(desk, &cell) != -ENOMEM)
			break;
	}
	ok(fault_disarm() && !cell, "no memory for the second, ten times");
	tell(desk, 1);
	is_int(turn(desk), LOG_CELLS + 1, "with memory again nothing was lost, nor comes twice");
	ok(desk_delete(desk), "all blocks are freed");
}

/* A block each that waits, is full, and is current, all with a cell that its writer did not come to fill, and one that
 * was taken before: as a child of fork() finds them. */
static void nobody_waits_for_writers_that_a_fork_left_behind(void)
{
	struct desk *desk = desk_new();
	struct log_batch before, batch;
	log_cell *cell = NULL;

	tell(desk, 1);
	(void)log_take(&desk->log, &before);
	(void)reserve(desk, &cell);
	tell(desk, 1);
	(void)log_take(&desk->log, &batch);
	for (unsigned i = 1; i < LOG_CELLS; i++)
		tell(desk, 1);
	(void)reserve(desk, &cell);
	tell(desk, 1);
	(void)reserve(desk, &cell);
	ok(desk->log.waiting && atomic_load(&desk->log.stripe[stripe_index()].current)->next, "blocks wait, are full, and current, with cells unfilled in all of them");
	/* A writer's next step would have been to count the block that he had begun. */
	atomic_fetch_sub(&desk->log.blocks, 1);

	log_adopt(&desk->log, before.count);
	is_int(log_blocks(&desk->log), 4, "the blocks are counted anew, also those taken before");
	ok(log_pending(&desk->log), "there is something to take");
	is_int(reserve(desk, &cell), 0, "the current block goes on");
	ok(log_take(&desk->log, &batch), "and waits for its new cell alone");
	is_int(batch.count, 2, "the other blocks are taken");
	is_int(hear(desk, &batch, NULL, 1), LOG_CELLS, "with all that was told");
	log_fill(cell, 1);
	ok(!log_take(&desk->log, &batch), "nothing stays behind");
	is_int(hear(desk, &batch, NULL, 1), 2, "what was told in it before the fork and after it is heard");
	is_int(hear(desk, &before, NULL, 1), 1, "what was taken before is as it was");
	is_int(log_blocks(&desk->log), 0, "no block is left");
	ok(!log_pending(&desk->log), "nothing is pending");
	ok(desk_delete(desk), "all blocks are freed");
}

/* A writer may have been about to replace a block: more reservations than cells. */
static void a_block_that_overflows_is_adopted(void)
{
	struct desk *desk = desk_new();
	log_cell *cell = NULL;
	struct log_block *block = NULL;

	for (unsigned i = 0; i < LOG_CELLS; i++)
		tell(desk, 1);
	for (unsigned s = 0; s < STRIPE_COUNT && !block; s++)
		block = atomic_load(&desk->log.stripe[s].current);
	atomic_fetch_add(&block->reserved, 2);
	log_adopt(&desk->log, 0);
	is_int(log_blocks(&desk->log), 1, "a full block is still its stripe's");
	is_int(reserve(desk, &cell), 1, "another one is begun");
	log_fill(cell, 1);
	is_int(turn(desk), LOG_CELLS + 1, "nothing is lost, nor comes twice");
	ok(desk_delete(desk), "all blocks are freed");
}

/* ------------------------------------------------------------------ several threads */

#define WRITERS 3u
#define PER_SECTION 3u

struct context {
	struct desk *desk;
	_Atomic unsigned *heard; /* by word - 1; each writer has turns of his own */
	uint64_t words, turns;
	uint64_t *done; /* by word - 1, plain: what a writer did before he told it */
	_Atomic unsigned writing;
	_Atomic uint64_t failed;
	uint64_t early; /* words heard without what was done before; the consumer's */
};

static void write_section(struct context *c, struct rng *rng, uint64_t word)
{
	log_cell *cell[PER_SECTION];

	section_bp.lock();
	for (unsigned i = 0; i < PER_SECTION; i++)
		if (reserve(c->desk, &cell[i]) < 0)
			atomic_fetch_add(&c->failed, 1);
	/* What is cancelled counts as heard. */
	for (unsigned i = 0; i < PER_SECTION; i++) {
		if (rng_below(rng, 8) == 0) {
			atomic_fetch_add(&c->heard[word + i - 1], 1);
			log_cancel(cell[i]);
		} else {
			c->done[word + i - 1] = word + i;
			log_fill(cell[i], word + i);
		}
	}
	section_bp.unlock();
}

static void consume(struct context *c)
{
	struct slab_freer freer = { 0 };
	struct log_batch drained = { 0 };

	/* The words are read at once, the blocks freed a grace period later. */
	for (bool last = false; !last;) {
		last = !atomic_load(&c->writing);
		(void)log_take(&c->desk->log, &drained);
		for (struct log_block *block = drained.blocks; block; block = block->next)
			for (uint64_t i = 0; i < block->used; i++) {
				uint64_t word = log_word(block, i);

				if (!word)
					continue;
				c->early += c->done[word - 1] != word;
				atomic_fetch_add_explicit(&c->heard[word - 1], 1, memory_order_relaxed);
			}
		section_bp.synchronize();
		while (drained.blocks) {
			struct log_block *block = drained.blocks;

			drained.blocks = block->next;
			log_reclaim_block(&c->desk->log, &c->desk->memory, &freer, block);
		}
	}
}

static void tell_and_hear(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	if (me->index == WRITERS) {
		consume(c);
		return;
	}
	rng_init_stream(&rng, 5, me->index);
	for (uint64_t i = 0; i < c->turns; i++)
		write_section(c, &rng, 1 + (me->index * c->turns + i) * PER_SECTION);
	atomic_fetch_sub(&c->writing, 1);
}

static void threads_tell(void)
{
	struct context c = { .desk = desk_new(), .turns = fixture_scaled(60000, 2000) };
	struct team_options options = {
		.threads = WRITERS + 1, .work = tell_and_hear, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	uint64_t wrong = 0;

	c.words = WRITERS * c.turns * PER_SECTION;
	c.heard = calloc(c.words, sizeof *c.heard);
	c.done = calloc(c.words, sizeof *c.done);
	atomic_init(&c.writing, WRITERS);
	team_run(&options);
	for (uint64_t i = 0; i < c.words; i++)
		wrong += c.heard[i] != 1;
	is_int(wrong, 0, "%u writers: each of %llu words is heard once", WRITERS, (unsigned long long)c.words);
	is_int(c.early, 0, "and with it what its writer did before");
	is_int(c.failed, 0, "nobody fails");
	ok(!log_pending(&c.desk->log) && log_blocks(&c.desk->log) == 0, "nothing is left");
	free(c.heard);
	free(c.done);
	ok(desk_delete(c.desk), "all blocks are freed");
}

int main(void)
{
	an_empty_log();
	cells_are_ones_own();
	what_is_told_is_heard_once(1, "one");
	what_is_told_is_heard_once(LOG_CELLS, "a full block");
	what_is_told_is_heard_once(3 * LOG_CELLS + LOG_CELLS / 2, "several blocks");
	words_come_out_as_they_went_in();
	unfilled_cells_hold_up_their_block_alone();
	a_taken_block_is_closed();
	without_memory();
	nobody_waits_for_writers_that_a_fork_left_behind();
	a_block_that_overflows_is_adopted();
	threads_tell();
	return tap_done();
}
