/* SPDX-License-Identifier: BSD-2-Clause */
/* memory/slab: small blocks through magazines. */
#include "memory/slab.h"

#include "fault/default_allocator.h"
#include "fixture.h"
#include "section/section.h"

#include <limits.h>
#include <sys/mman.h>

static struct slab *slab_new(void)
{
	struct slab *slab = aligned_alloc(64, (sizeof *slab + 63) & ~(size_t)63);

	memset(slab, 0, sizeof *slab);
	slab_init(slab);
	return slab;
}

static void slab_delete(struct slab *slab)
{
	slab_fini(slab);
	free(slab);
}

/* The class of the smallest blocks that hold `size` bytes. */
static unsigned class_for(const struct slab *slab, size_t size)
{
	unsigned c = 0;

	while (slab->class[c].block_size < size)
		c++;
	return c;
}

/* A turn of the reclaimer in which nobody else is about. */
static void turn(struct slab *slab, struct slab_freer *freer)
{
	slab_rest(slab);
	slab_revive(slab, freer);
	while (slab_recover(slab, freer, 2))
		;
}

/* ------------------------------------------------------------------ classes */

static void classes_are_exact(void)
{
	struct slab *slab = slab_new();
	unsigned wrong = 0, disordered = 0, wasteful = 0;

	for (unsigned c = 0; c < SLAB_CLASSES; c++) {
		uint32_t size = slab->class[c].block_size, before = c ? slab->class[c - 1].block_size : 0;

		disordered += size <= before || size % ADDRESS_ALIGN != 0 || slab->class[c].run_blocks * size % 64 != 0;
		/* Never more than a third too large, but for the smallest. */
		wasteful += c > 2 && (size - before) * 3 > size;
	}
	is_int(disordered, 0, "classes ascend in multiples of %u, and their largest runs take whole lines", ADDRESS_ALIGN);
	is_int(wasteful, 0, "and lie close together");
	is_int(slab->class[class_for(slab, 72)].block_size, ADDRESS_ALIGN == 8 ? 72 : 80,
	       "an entry of a line and a deadline takes no more than it must");
	is_int(slab->class[0].block_size, 16, "from 16");
	is_int(slab->class[SLAB_CLASSES - 1].block_size, SLAB_BLOCK_MAX, "to the largest block");
	slab_delete(slab);

	for (size_t size = 1; size <= SLAB_BLOCK_MAX; size++) {
		slab = slab_new();
		void *p = slab_alloc(slab, 0, size);

		/* The magazine that it came from lies with its class. */
		for (unsigned c = 0; c < SLAB_CLASSES; c++)
			wrong += (atomic_load(&slab->stripe[0].current[c]) != NULL) != (c == class_for(slab, size));
		wrong += p == NULL;
		slab_delete(slab);
	}
	is_int(wrong, 0, "each size from 1 to %u gets the smallest block that holds it", SLAB_BLOCK_MAX);
}

struct span {
	char *start;
	size_t size;
};

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void blocks_are_apart_and_aligned(void)
{
	enum { PER_SIZE = 20 };
	static const size_t sizes[] = { 1,   15,  16,  17,  32,	 33,  47,  48,	 49,   63,   64,   65,	 72,  104, 127,  128, 129,
					160, 192, 255, 256, 257, 512, 513, 1024, 1025, 2048, 2049, 3584, 4095, 4096 };
	enum { SIZES = sizeof sizes / sizeof sizes[0], SPANS = PER_SIZE * SIZES };
	struct slab *slab = slab_new();
	struct span *spans = malloc(SPANS * sizeof *spans);
	unsigned misaligned = 0, overlapping = 0, missing = 0, n = 0;

	for (unsigned i = 0; i < PER_SIZE; i++)
		for (unsigned s = 0; s < SIZES; s++) {
			size_t size = sizes[s], block = slab->class[class_for(slab, size)].block_size;
			char *p = slab_alloc(slab, i % STRIPE_COUNT, size);
			uintptr_t at = (uintptr_t)p;

			missing += p == NULL;
			/* To the power of two in the size, up to a line. */
			misaligned += (at & 63 & ((block & -block) - 1)) != 0 || (size % 64 == 0 && at % 64 != 0);
			misaligned += size > 32 && size <= 72 && at / 64 + (size > 64) != (at + size - 1) / 64;
			memset(p, 0xee, size);
			spans[n++] = (struct span){ p, size };
		}
	qsort(spans, n, sizeof *spans, by_start);
	for (unsigned i = 1; i < n; i++)
		overlapping += spans[i - 1].start + spans[i - 1].size > spans[i].start;
	is_int(missing, 0, "%u blocks of all sizes", n);
	is_int(misaligned, 0,
	       "aligned as their size is; to 64 if they are of 64 or a multiple; none of up to 64 straddles a line, of 72 two");
	is_int(overlapping, 0, "none overlaps another");
	free(spans);
	slab_delete(slab);
}

/* ------------------------------------------------------------------ what comes back */

/* Blocks of the largest run of a size's class: no stripe's magazine holds more. */
static unsigned run_blocks(const struct slab *slab, size_t size)
{
	return slab->class[class_for(slab, size)].run_blocks;
}

/* What one thread gets from `count` allocations, in order. */
static void **take(struct slab *slab, size_t size, unsigned count)
{
	void **blocks = malloc(count * sizeof *blocks);

	for (unsigned i = 0; i < count; i++)
		blocks[i] = slab_alloc(slab, 0, size);
	return blocks;
}

static int by_address(const void *a, const void *b)
{
	void *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * Is each of the blocks handed out again, once? A stripe first gets what its magazine still has, then what was given back,
 * and only then a fresh run.
 */
static bool come_back(struct slab *slab, size_t size, void **blocks, unsigned count)
{
	unsigned more = count + run_blocks(slab, size), missing = 0, twice = 0;
	void **again = take(slab, size, more);

	qsort(again, more, sizeof *again, by_address);
	for (unsigned i = 1; i < more; i++)
		twice += again[i] == again[i - 1];
	for (unsigned i = 0; i < count; i++)
		missing += bsearch(&blocks[i], again, more, sizeof *again, by_address) == NULL;
	free(again);
	return missing == 0 && twice == 0;
}

static const size_t some_sizes[] = { 16, 64, 72, 100, 256, 1024, 4096 };

/* All blocks of two runs go, one way or the other. */
static void blocks_come_back(bool discarded)
{
	for (unsigned s = 0; s < sizeof some_sizes / sizeof some_sizes[0]; s++) {
		struct slab *slab = slab_new();
		struct slab_freer freer = { 0 };
		size_t size = some_sizes[s];
		unsigned count = run_blocks(slab, size) * 2;
		void **blocks = take(slab, size, count);

		for (unsigned i = 0; i < count; i++)
			if (discarded)
				slab_discard(slab, blocks[i], size);
			else
				slab_free(slab, &freer, blocks[i], size);
		if (discarded)
			turn(slab, &freer);
		slab_flush(slab, &freer);
		ok(come_back(slab, size, blocks, count), "%zu bytes: %u %s blocks come back, each once", size, count,
		   discarded ? "discarded" : "freed");
		free(blocks);
		slab_delete(slab);
	}
}

/* A freer that holds less than a magazine does not keep it from writers who have nothing else. */
static void a_single_freed_block_is_not_kept(void)
{
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 }, helper = { .helps = true };
	void *block = slab_alloc(slab, 0, 4096);

	slab_free(slab, &freer, block, 4096);
	turn(slab, &freer);
	ok(come_back(slab, 4096, &block, 1), "after the reclaimer's turn writers get what it holds");
	slab->stock = 1;
	(void)slab_recover(slab, &freer, 0);
	slab_free(slab, &helper, block, 4096);
	slab_flush(slab, &helper);
	ok(come_back(slab, 4096, &block, 1), "and at once what a helper gives back");
	slab_flush(slab, &freer);
	slab_delete(slab);
}

/* malloc may pause for as long as it likes, which a store must not. */
static void helpers_call_no_malloc(void)
{
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 }, helper = { .helps = true };
	const unsigned count = run_blocks(slab, 200) * 2;
	void **blocks = take(slab, 200, count);
	uint64_t bytes = atomic_load(&slab->bytes);

	default_allocator_fail_from(0);
	for (unsigned i = 0; i < count; i++)
		slab_free(slab, &helper, blocks[i], 200);
	slab_flush(slab, &helper);
	default_allocator_fail_from(INT64_MAX);
	is_int(atomic_load(&slab->bytes), bytes, "a helper takes no memory to give blocks back");
	turn(slab, &freer);
	slab_flush(slab, &freer);
	ok(come_back(slab, 200, blocks, count), "what it could not put down comes back with the reclaimer's turn");
	turn(slab, &freer);
	ok(atomic_load(&slab->empties) > 0, "which leaves arrays to helpers");
	bytes = atomic_load(&slab->bytes);
	for (unsigned i = 0; i < count; i++)
		slab_free(slab, &helper, blocks[i], 200);
	slab_flush(slab, &helper);
	is_int(atomic_load(&slab->bytes), bytes, "so that it puts all down, still without more memory");
	ok(come_back(slab, 200, blocks, count), "and all comes back at once");
	slab_flush(slab, &freer);
	free(blocks);
	slab_delete(slab);
}

static void magazines_rest(void)
{
	enum { BLOCKS = 100 };
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 };
	void **blocks;

	ok(!slab_has_spent(slab), "nothing is spent at first");
	(void)slab_alloc(slab, 0, 4096);
	ok(!slab_has_spent(slab), "nor while the stripe has its magazine");
	blocks = take(slab, 4096, BLOCKS);
	ok(slab_has_spent(slab), "one that was exhausted and replaced is spent");
	slab_rest(slab);
	ok(!slab_has_spent(slab), "it rests");
	slab_revive(slab, &freer);
	ok(slab->resting == NULL, "it is revived");
	is_int(freer.empties, 0, "a run's own header is no array that could be filled");
	for (unsigned i = 0; i < BLOCKS; i++)
		slab_free(slab, &freer, blocks[i], 4096);
	slab_flush(slab, &freer);
	ok(come_back(slab, 4096, blocks, BLOCKS), "arrays of freed blocks are used up");
	turn(slab, &freer);
	ok(freer.empties > 0, "and may be filled again");
	slab_flush(slab, &freer);
	is_int(freer.empties, 0, "the freer lets go of them");
	free(blocks);
	slab_delete(slab);
}

/* ------------------------------------------------------------------ bytes */

static void bytes_are_accounted_for(void)
{
	int64_t before = default_allocator_mapped();
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 };
	void *blocks[1000];
	uint64_t mapped, full;
	bool equal = true;

	is_int(slab->bytes, 0, "an empty slab takes nothing");
	for (unsigned i = 0; i < 1000; i++) {
		blocks[i] = slab_alloc(slab, 0, 4096);
		equal = equal && slab->bytes == (uint64_t)(default_allocator_mapped() - before);
	}
	mapped = slab->bytes;
	ok(equal, "what is mapped is counted, chunk for chunk");
	ok(mapped >= 1000 * 4096 && mapped < 1000 * 4096 * 3 / 2,
	   "1000 blocks of 4 KiB take %llu KiB: not half as much again", (unsigned long long)mapped >> 10);
	slab_free(slab, &freer, blocks[0], 4096);
	ok(slab->bytes > mapped, "so is an array of free blocks");
	slab_flush(slab, &freer);
	for (unsigned i = 1; i < 1000; i++)
		slab_free(slab, &freer, blocks[i], 4096);
	full = slab->bytes;
	for (unsigned i = 0; i < 1000; i++)
		blocks[i] = slab_alloc(slab, 0, 4096);
	turn(slab, &freer);
	slab_flush(slab, &freer);
	ok(slab->bytes < full, "which is given back when it is empty");
	is_int(default_allocator_mapped() - before, mapped, "nothing else was mapped for the second thousand");
	slab_fini(slab);
	is_int(default_allocator_mapped(), before, "in the end all is unmapped");
	is_int(mincore((void *)((uintptr_t)blocks[500] & ~(uintptr_t)4095), 4096, (unsigned char[1]){ 0 }), -1,
	       "a block's page is gone");
	free(slab);
}

static void want_of_memory(void)
{
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 };
	void *block;
	unsigned got = 0;
	uint64_t bytes;

	default_allocator_arm(1);
	ok(slab_alloc(slab, 0, 16) == NULL, "no memory: no block");
	ok(default_allocator_disarm(), "since there is no chunk");
	is_int(slab->bytes, 0, "nothing is counted");
	ok(slab_alloc(slab, 0, 16) != NULL, "with memory there is one");

	block = slab_alloc(slab, 0, 2048);
	bytes = slab->bytes;
	default_allocator_fail_from(1);
	slab_free(slab, &freer, block, 2048);
	default_allocator_fail_from(INT64_MAX);
	is_int(slab->bytes, bytes, "a block is given back though there is no memory for an array");
	turn(slab, &freer);
	ok(come_back(slab, 2048, &block, 1), "and handed out again later");

	default_allocator_fail_from(1);
	while (slab_alloc(slab, 0, 2048) && got < 1000)
		got++;
	for (unsigned i = 0; i < 100; i++)
		got += slab_alloc(slab, 0, 2048) != NULL;
	default_allocator_fail_from(INT64_MAX);
	ok(got < 1000, "without memory the chunk's rest is used up: %u more", got);
	ok(slab_alloc(slab, 0, 2048) != NULL, "then again with memory");
	slab_flush(slab, &freer);
	slab_delete(slab);
}

/* ------------------------------------------------------------------ several threads */

#define WRITERS 3u
#define HELD 64u

/* A block's second word says whether somebody has it: the slab never touches that. */
struct block {
	uint64_t slabs_own;
	_Atomic uint64_t owner;
};

static const size_t churn_sizes[] = { 16, 24, 200, 4096 };

/* Blocks that writers have unlinked, with their sizes. */
struct retired {
	struct block *block[4096];
	size_t size[4096];
	unsigned count;
};

struct context {
	struct slab *slab;
	uint64_t turns;
	bool one_stripe; /* all writers fight for it */
	uint64_t seed;
	_Atomic uint64_t twice; /* blocks handed out to two at once */
	_Atomic uint64_t early; /* blocks changed while they were still held */
	_Atomic unsigned writing;
	pthread_mutex_t lock;
	struct retired retired, ready; /* under `lock`; of `ready` helpers may give back, too */
};

static void give_back(struct context *c, struct slab_freer *freer, struct retired *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		if (atomic_exchange(&batch->block[i]->owner, 0) == 0)
			atomic_fetch_add(&c->early, 1);
		slab_free(c->slab, freer, batch->block[i], batch->size[i]);
	}
	batch->count = 0;
}

/* Up to so many that are ready. */
static void give_ready(struct context *c, struct slab_freer *freer, unsigned count, struct retired *batch)
{
	batch->count = 0;
	pthread_mutex_lock(&c->lock);
	for (; count && c->ready.count; count--) {
		batch->size[batch->count] = c->ready.size[--c->ready.count];
		batch->block[batch->count++] = c->ready.block[c->ready.count];
	}
	pthread_mutex_unlock(&c->lock);
	give_back(c, freer, batch);
}

static void help(struct context *c)
{
	struct slab_freer freer = { .helps = true };
	struct retired batch;

	section_bp.lock();
	give_ready(c, &freer, 64, &batch);
	slab_flush(c->slab, &freer);
	section_bp.unlock();
}

/* What the reclaimer of a map does: rest, take, a grace period, revive, give back. */
static void reclaim_turn(struct context *c, struct slab_freer *freer)
{
	static struct retired batch;

	give_ready(c, freer, UINT_MAX, &batch);

	slab_rest(c->slab);
	pthread_mutex_lock(&c->lock);
	batch = c->retired;
	c->retired.count = 0;
	pthread_mutex_unlock(&c->lock);
	section_bp.synchronize();
	slab_revive(c->slab, freer);
	(void)slab_recover(c->slab, freer, 100);
	pthread_mutex_lock(&c->lock);
	c->ready = batch;
	pthread_mutex_unlock(&c->lock);
}

/* False: the list is full, and nothing happened. */
static bool retire(struct context *c, struct block *block, size_t size)
{
	bool room;

	pthread_mutex_lock(&c->lock);
	room = c->retired.count < 4096;
	if (room) {
		c->retired.block[c->retired.count] = block;
		c->retired.size[c->retired.count++] = size;
	}
	pthread_mutex_unlock(&c->lock);
	return room;
}

static void write_one(struct context *c, struct rng *rng, unsigned stripe, uint64_t me, struct block **held,
		      size_t *held_size)
{
	size_t size = churn_sizes[rng_below(rng, sizeof churn_sizes / sizeof churn_sizes[0])];

	if (*held) {
		if (atomic_load(&(*held)->owner) != me)
			atomic_fetch_add(&c->early, 1);
		if (retire(c, *held, *held_size))
			*held = NULL;
		return;
	}
	section_bp.lock();
	struct block *block = slab_alloc(c->slab, stripe, size);

	if (block && atomic_exchange(&block->owner, me) != 0)
		atomic_fetch_add(&c->twice, 1);
	if (block && rng_below(rng, 8) == 0) { /* never published */
		atomic_store(&block->owner, 0);
		slab_discard(c->slab, block, size);
		block = NULL;
	}
	section_bp.unlock();
	*held = block;
	*held_size = size;
}

static void churn(struct team_member *me)
{
	struct context *c = me->ctx;

	if (me->index == WRITERS) {
		struct slab_freer freer = { 0 };

		while (atomic_load(&c->writing))
			reclaim_turn(c, &freer);
		reclaim_turn(c, &freer);
		reclaim_turn(c, &freer);
		slab_flush(c->slab, &freer);
		return;
	}

	struct block *held[HELD] = { 0 };
	size_t held_size[HELD];
	unsigned stripe = c->one_stripe ? 0 : stripe_index();
	struct rng rng;

	rng_init_stream(&rng, c->seed, me->index);
	for (uint64_t i = 0; i < c->turns; i++) {
		unsigned h = (unsigned)rng_below(&rng, HELD);

		write_one(c, &rng, stripe, me->index + 1, &held[h], &held_size[h]);
		if (rng_below(&rng, 64) == 0)
			help(c);
	}
	for (unsigned h = 0; h < HELD; h++)
		while (held[h] && !retire(c, held[h], held_size[h]))
			sched_yield();
	atomic_fetch_sub(&c->writing, 1);
}

static void no_block_has_two_owners(bool one_stripe, uint64_t seed)
{
	struct context *c = calloc(1, sizeof *c);
	const char *what = one_stripe ? "one stripe" : "stripes of their own";
	struct team_options options = {
		.threads = WRITERS + 1, .work = churn, .ctx = c, .watchdog_s = TEST_WATCHDOG_S
	};

	c->slab = slab_new();
	c->turns = fixture_scaled(200000, 5000);
	c->one_stripe = one_stripe;
	c->seed = seed;
	atomic_init(&c->writing, WRITERS);
	pthread_mutex_init(&c->lock, NULL);
	team_run(&options);
	is_int(c->twice, 0, "%u writers, %s: no block is handed out twice", WRITERS, what);
	is_int(c->early, 0, "%s: none is taken away from who has it", what);
	slab_delete(c->slab);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Two threads at the end of one magazine: both come with a new one, and the loser's must come back, whole. */
#define RACES 32u

struct race {
	struct slab *slab;
	pthread_barrier_t barrier;
	void *block[2][RACES];
};

static void exhaust_together(struct team_member *me)
{
	struct race *race = me->ctx;

	section_bp.lock();
	for (unsigned i = 0; i < RACES; i++) {
		pthread_barrier_wait(&race->barrier);
		race->block[me->index][i] = slab_alloc(race->slab, 0, 4096);
	}
	section_bp.unlock();
}

static void what_loses_a_race_comes_back(void)
{
	struct slab *slab = slab_new();
	struct slab_freer freer = { 0 };
	struct race race = { .slab = slab };
	struct team_options options = {
		.threads = 2, .work = exhaust_together, .ctx = &race, .watchdog_s = TEST_WATCHDOG_S
	};
	const uint64_t turns = fixture_scaled(60, 20);
	uint64_t at_half = 0;

	pthread_barrier_init(&race.barrier, NULL, 2);
	for (uint64_t t = 0; t < turns; t++) {
		team_run(&options);
		turn(slab, &freer);
		for (unsigned i = 0; i < RACES; i++) {
			slab_free(slab, &freer, race.block[0][i], 4096);
			slab_free(slab, &freer, race.block[1][i], 4096);
		}
		if (t == turns / 2)
			at_half = slab->bytes;
	}
	ok(slab->bytes <= at_half + (512 << 10), "two threads at one stripe, time and again: memory is flat");
	pthread_barrier_destroy(&race.barrier);
	slab_flush(slab, &freer);
	slab_delete(slab);
}

int main(int argc, char **argv)
{
	uint64_t seed = fixture_seed(argc, argv);

	classes_are_exact();
	blocks_are_apart_and_aligned();
	blocks_come_back(false);
	blocks_come_back(true);
	a_single_freed_block_is_not_kept();
	helpers_call_no_malloc();
	magazines_rest();
	bytes_are_accounted_for();
	want_of_memory();
	no_block_has_two_owners(false, seed);
	no_block_has_two_owners(true, seed);
	what_loses_a_race_comes_back();
	return tap_done();
}
