/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/slab.h"

#include <assert.h>
#include <stdlib.h>

#include "ground/pages.h"

/* The largest run of blocks: longer for large blocks, so that its header is a small share. */
#ifdef RCUMAP_DEBUG
#define RUN_BYTES_SMALL 4096u
#else
#define RUN_BYTES_SMALL 16384u
#endif
#define RUN_BYTES_LARGE 65536u
#define RUN_SMALL_MAX 1024u
/* A run is at most this part of what its class has already, so that a small map stays small however many stripes are in
 * use; but of a few blocks. */
#define RUN_SHARE 32u
#define RUN_BLOCKS_MIN 3u
#define CHUNK_MIN ((size_t)64 << 10)
#define CHUNK_MAX PAGES_HUGE
/* A new chunk is at most this part of what the slab has already: what is mapped ahead stays a small share. */
#define CHUNK_SHARE 8u
/* Free blocks in a full magazine, at most. */
#define MAGAZINE_CELLS 256u
/* Empty magazines that the reclaimer's freer keeps for later. */
#define EMPTIES_KEPT 64u
/* What it leaves to helpers: first so many, twice as many whenever they did not suffice, up to this part of the slab. */
#define STOCK_MIN 16u
#define STOCK_SHARE 64u
/* A helper's array holds so many bytes at most: he hands over what he has soon, and needs few of them. */
#define HELPED_BYTES 65536u

/* The header takes a cache line at the start of a run, so that blocks stay aligned. */
#define RUN_HEADER 64u
_Static_assert(sizeof(struct magazine) <= RUN_HEADER, "a run's header fits its line");

struct chunk {
	struct chunk *older;
	size_t size;
	_Atomic size_t used;
};

#define CHUNK_HEADER 64u
_Static_assert(sizeof(struct chunk) <= CHUNK_HEADER, "a chunk's header fits its line");

struct discarded {
	struct discarded *next;
};

/*
 * 16, 32, 48 (as 64: a block must not straddle lines), 64, then steps of 16 to 128, then four per doubling.
 *
 * 72 and 104 cost a reader no line more than steps of 16 do. Blocks of 72 begin at any multiple of 8 in a line, and end in the next
 * one (56 + 72 = 128), as entries of that size do in blocks of 80. Entries of 97 to 104 reach into a third line in half of all blocks, be
 * these of 104 or of 112. But of 88, a quarter would, while blocks of 96 begin at 0 or 32 and none does; and of 120 three
 * quarters, while blocks of 128 are two lines: these sizes would take back from readers what they save.
 */
#if ADDRESS_ALIGN <= 8
#define SIZES_TO_128 16, 32, 64, 72, 80, 96, 104, 112, 128
/* The class of as many words. */
static const uint8_t class_of_words[] = { 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8 };
#else
#define SIZES_TO_128 16, 32, 64, 80, 96, 112, 128
static const uint8_t class_of_words[] = { 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6 };
#endif

static const uint16_t class_size[] = { SIZES_TO_128, 160,  192,	 224,  256,  320,  384,	 448,  512,  640,  768,
				       896,	     1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096 };

_Static_assert(sizeof class_size / sizeof class_size[0] == SLAB_CLASSES, "a size for each class");

static unsigned class_of(size_t size)
{
	if (size <= 128)
		return class_of_words[(size + 7) / 8];
	/* 129..4096: four classes per power of two, the last of which ends the list. */
	unsigned shift = 61 - (unsigned)__builtin_clzll(size - 1);
	unsigned step = (unsigned)((size - 1) >> shift) & 3;

	return SLAB_CLASSES - 20 + (shift - 5) * 4 + step;
}

/* Runs follow each other: whole lines each. */
static size_t run_bytes(uint32_t block_size, uint32_t blocks)
{
	return (RUN_HEADER + (size_t)blocks * block_size + RUN_HEADER - 1) & ~(size_t)(RUN_HEADER - 1);
}

/* In the largest run of blocks of a size: of the longer half of all lengths the one that brings most blocks into a chunk. */
static uint32_t blocks_in_run(uint32_t block_size)
{
	const size_t longest = block_size <= RUN_SMALL_MAX ? RUN_BYTES_SMALL : RUN_BYTES_LARGE;
	uint32_t best = 0;
	size_t most = 0;

	for (uint32_t blocks = 1; run_bytes(block_size, blocks) <= longest; blocks++) {
		const size_t bytes = run_bytes(block_size, blocks), in_chunk = (CHUNK_MAX - CHUNK_HEADER) / bytes * blocks;

		if (bytes < longest / 2 || in_chunk < most)
			continue;
		most = in_chunk;
		best = blocks;
	}
	return best;
}

void slab_init(struct slab *slab)
{
	assert(class_size[SLAB_LINE_CLASS] == 64);
	for (unsigned c = 0; c < SLAB_CLASSES; c++) {
		slab->class[c].block_size = class_size[c];
		slab->class[c].run_blocks = blocks_in_run(class_size[c]);
	}
}

static void free_magazines(struct magazine *m)
{
	while (m) {
		struct magazine *next = atomic_load_explicit(&m->next, memory_order_relaxed); /* alone by contract */

		if (m->capacity)
			free(m);
		m = next;
	}
}

void slab_fini(struct slab *slab)
{
	/* All loads relaxed: nobody else uses the slab any more. */
	for (unsigned c = 0; c < SLAB_CLASSES; c++) {
		for (unsigned s = 0; s < STRIPE_COUNT; s++) {
			struct magazine *m = atomic_load_explicit(&slab->stripe[s].current[c], memory_order_relaxed);

			if (m && m->capacity)
				free(m);
		}
		free_magazines(atomic_load_explicit(&slab->class[c].depot, memory_order_relaxed));
	}
	free_magazines(atomic_load_explicit(&slab->spent, memory_order_relaxed));
	free_magazines(atomic_load_explicit(&slab->empty, memory_order_relaxed));
	free_magazines(slab->resting);

	struct chunk *chunk = atomic_load_explicit(&slab->chunk, memory_order_relaxed),
		     *ahead = atomic_load_explicit(&slab->ahead, memory_order_relaxed);

	if (ahead)
		pages_unmap(ahead, ahead->size);
	while (chunk) {
		struct chunk *older = chunk->older;

		pages_unmap(chunk, chunk->size);
		chunk = older;
	}
}

void slab_attend(struct slab *slab, struct wake *wake)
{
	slab->wake = wake;
}

/* At least so that `bytes` fit behind the header. */
static size_t next_chunk_size(const struct slab *slab, size_t bytes)
{
	/* relaxed: a hint of how large the slab is */
	size_t share = atomic_load_explicit(&slab->bytes, memory_order_relaxed) / CHUNK_SHARE;
	size_t size = CHUNK_MIN;

	while ((size < share && size < CHUNK_MAX) || size < bytes + CHUNK_HEADER)
		size *= 2;
	return size;
}

static struct chunk *map_chunk(struct slab *slab, size_t size)
{
	struct chunk *chunk = pages_map(size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	atomic_init(&chunk->used, CHUNK_HEADER);
	atomic_fetch_add_explicit(&slab->bytes, size, memory_order_relaxed); /* a statistic */
	return chunk;
}

static void unmap_chunk(struct slab *slab, struct chunk *chunk)
{
	atomic_fetch_sub_explicit(&slab->bytes, chunk->size, memory_order_relaxed); /* a statistic */
	pages_unmap(chunk, chunk->size);
}

/* The chunk that is there ahead, if any is: the caller's. A run fits into it. */
static struct chunk *take_ahead(struct slab *slab)
{
	/* relaxed: looked at before it is written to */
	if (!atomic_load_explicit(&slab->ahead, memory_order_relaxed))
		return NULL;
	/* [AHEAD acquire] pairs with [AHEAD release] in slab_prepare(): the chunk's header is written. L4. */
	return atomic_exchange_explicit(&slab->ahead, NULL, memory_order_acquire);
}

_Static_assert(CHUNK_MAX >= CHUNK_HEADER + RUN_BYTES_LARGE + RUN_HEADER, "a run fits into the largest chunk");

/* Where chunks are as large as they will ever be: when the last quarter of the newest one is begun, which lies from `at` to `end` now.
 * Not sooner, for what is there ahead is memory that nobody uses. */
static void want_ahead(struct slab *slab, const struct chunk *newest, size_t at, size_t end)
{
	const size_t border = newest->size / 4 * 3;

	if (at >= border || end < border || newest->size < CHUNK_MAX || !slab->wake)
		return;
	/* relaxed: a hint of how large the slab is */
	if (atomic_load_explicit(&slab->bytes, memory_order_relaxed) / CHUNK_SHARE < CHUNK_MAX)
		return;
	/* relaxed: a hint; one that is overlooked costs a writer his page */
	atomic_store_explicit(&slab->wanted, true, memory_order_relaxed);
	wake_signal(slab->wake);
}

void slab_prepare(struct slab *slab)
{
	/* relaxed, all: hints, as above; and nobody else makes `ahead` more than NULL */
	if (!atomic_load_explicit(&slab->wanted, memory_order_relaxed))
		return;
	atomic_store_explicit(&slab->wanted, false, memory_order_relaxed);
	if (atomic_load_explicit(&slab->ahead, memory_order_relaxed))
		return;

	struct chunk *chunk = map_chunk(slab, CHUNK_MAX);

	if (!chunk)
		return;
	pages_touch(chunk, chunk->size);
	/* [AHEAD release] pairs with [AHEAD acquire] in take_ahead(). L4. */
	atomic_store_explicit(&slab->ahead, chunk, memory_order_release);
}

/* `bytes` fresh bytes from the newest chunk, or from a new one. */
static char *carve(struct slab *slab, size_t bytes)
{
	for (;;) {
		/* [CHUNK acquire] pairs with the [CHUNK release] below: the chunk's header is written. */
		struct chunk *chunk = atomic_load_explicit(&slab->chunk, memory_order_acquire);

		if (chunk) {
			/* relaxed: only distinct offsets matter; the memory behind them is fresh. `used` cannot wrap:
			 * it passes `size` once per thread that sees this chunk as the newest. */
			size_t at = atomic_fetch_add_explicit(&chunk->used, bytes, memory_order_relaxed);

			if (at <= chunk->size && chunk->size - at >= bytes) {
				want_ahead(slab, chunk, at, at + bytes);
				return (char *)chunk + at;
			}
		}

		/* relaxed: a look; somebody may have brought one while this thread was on its way here, and so much memory is not had for
		 * nothing */
		if (atomic_load_explicit(&slab->chunk, memory_order_relaxed) != chunk)
			continue;

		struct chunk *fresh = take_ahead(slab);

		if (!fresh)
			fresh = map_chunk(slab, next_chunk_size(slab, bytes));
		if (!fresh)
			return NULL;
		fresh->older = chunk;
		/* [CHUNK release] publishes the header of the chunk. */
		if (atomic_compare_exchange_strong_explicit(&slab->chunk, &chunk, fresh, memory_order_release,
							    memory_order_relaxed))
			continue;
		unmap_chunk(slab, fresh);
	}
}

/* Blocks in the next run of a class. */
static uint32_t next_run_blocks(const struct slab_class *class)
{
	/* relaxed: a hint of how large the class is */
	uint64_t share = atomic_load_explicit(&((struct slab_class *)class)->carved, memory_order_relaxed) / RUN_SHARE;
	uint64_t blocks = share / class->block_size;

	if (blocks < RUN_BLOCKS_MIN)
		blocks = RUN_BLOCKS_MIN;
	return blocks < class->run_blocks ? (uint32_t)blocks : class->run_blocks;
}

static struct magazine *fresh_run(struct slab *slab, unsigned c)
{
	struct slab_class *class = &slab->class[c];
	uint32_t blocks = next_run_blocks(class);
	size_t bytes = run_bytes(class->block_size, blocks);
	char *run = carve(slab, bytes);

	if (!run)
		return NULL;
	atomic_fetch_add_explicit(&class->carved, bytes, memory_order_relaxed); /* a hint */

	struct magazine *m = (struct magazine *)run;

	atomic_init(&m->next, NULL);
	atomic_init(&m->taken, 0);
	m->count = blocks;
	m->class = c;
	m->block_size = class->block_size;
	m->capacity = 0;
	m->run = run + RUN_HEADER;
	return m;
}

static void push(struct magazine *_Atomic *stack, struct magazine *m)
{
	struct magazine *head = atomic_load_explicit(stack, memory_order_relaxed);

	do
		/* relaxed: the release below publishes it */
		atomic_store_explicit(&m->next, head, memory_order_relaxed);
	/* [DEPOT release] publishes the magazine's blocks; pairs with [DEPOT acquire] in pop() and slab_rest(). */
	while (!atomic_compare_exchange_weak_explicit(stack, &head, m, memory_order_release, memory_order_relaxed));
}

static struct magazine *pop(struct magazine *_Atomic *stack)
{
	/* [DEPOT acquire] pairs with push(). */
	struct magazine *head = atomic_load_explicit(stack, memory_order_acquire);

	while (head) {
		/* relaxed: `next` was written before the push; if it is stale the exchange fails (L2) */
		struct magazine *next = atomic_load_explicit(&head->next, memory_order_relaxed);

		/* [DEPOT acquire] on failure the new head is read. */
		if (atomic_compare_exchange_weak_explicit(stack, &head, next, memory_order_acquire,
							  memory_order_acquire))
			break;
	}
	return head;
}

void *slab_alloc(struct slab *slab, unsigned stripe, size_t size)
{
	const unsigned c = class_of(size);
	struct magazine *_Atomic *current = &slab->stripe[stripe].current[c];
	/* [MAGAZINE acquire] pairs with the [MAGAZINE release] below: the magazine's content is written. */
	struct magazine *m = atomic_load_explicit(current, memory_order_acquire);

	for (;;) {
		void *block = m ? slab_take(m) : NULL;

		if (block)
			return block;

		struct magazine *n = pop(&slab->class[c].depot);

		if (!n)
			n = fresh_run(slab, c);
		if (!n)
			return NULL;
		/* relaxed: not shared yet; the first block is ours */
		atomic_store_explicit(&n->taken, 1, memory_order_relaxed);
		/* [MAGAZINE release] hands the magazine to the stripe; on failure another thread was faster. */
		if (atomic_compare_exchange_strong_explicit(current, &m, n, memory_order_acq_rel, memory_order_acquire)) {
			if (m)
				push(&slab->spent, m);
			return slab_block_at(n, 0);
		}
		/* It must not go back to the depot before a grace period (L2): the reclaimer brings it there. */
		atomic_store_explicit(&n->taken, 0, memory_order_relaxed);
		push(&slab->spent, n);
	}
}

/* What an array of free blocks takes. */
#define MAGAZINE_BYTES (sizeof(struct magazine) + MAGAZINE_CELLS * sizeof(void *))

static struct magazine *new_magazine(struct slab *slab)
{
	struct magazine *m = malloc(MAGAZINE_BYTES);

	if (!m)
		return NULL;
	atomic_fetch_add_explicit(&slab->bytes, MAGAZINE_BYTES, memory_order_relaxed); /* a statistic */
	atomic_init(&m->next, NULL);
	m->capacity = MAGAZINE_CELLS;
	return m;
}

static void free_magazine(struct slab *slab, struct magazine *m)
{
	free(m);
	atomic_fetch_sub_explicit(&slab->bytes, MAGAZINE_BYTES, memory_order_relaxed); /* a statistic */
}

static struct magazine *pop_kept(struct slab_freer *freer)
{
	struct magazine *m = freer->empty;

	freer->empty = atomic_load_explicit(&m->next, memory_order_relaxed); /* the freer's own list */
	freer->empties--;
	return m;
}

/* One of those that the reclaimer has left to helpers. */
static struct magazine *pop_empty(struct slab *slab)
{
	struct magazine *m = pop(&slab->empty);

	/* relaxed, all: hints of how many are wanted */
	if (m)
		atomic_fetch_sub_explicit(&slab->empties, 1, memory_order_relaxed);
	else if (!atomic_load_explicit(&slab->missed, memory_order_relaxed))
		atomic_store_explicit(&slab->missed, true, memory_order_relaxed);
	return m;
}

/* Of an array: a helper's, or not more than a run of the class, for a freer holds back at most that many free blocks. */
static uint32_t array_capacity(const struct slab_class *class, bool helps)
{
	uint32_t blocks = helps ? HELPED_BYTES / class->block_size : class->run_blocks;

	return blocks < MAGAZINE_CELLS ? blocks : MAGAZINE_CELLS;
}

/* An array of free blocks for a class; NULL if there is none to be had. */
static struct magazine *empty_magazine(struct slab *slab, struct slab_freer *freer, unsigned c)
{
	struct magazine *m;

	if (freer->helps)
		m = pop_empty(slab);
	else
		m = freer->empty ? pop_kept(freer) : new_magazine(slab);
	if (!m)
		return NULL;
	/* relaxed: nobody uses it, but he who is parked in pop_empty() may look at it still (L2) */
	atomic_store_explicit(&m->next, NULL, memory_order_relaxed);
	atomic_init(&m->taken, 0);
	m->count = 0;
	m->class = c;
	m->capacity = array_capacity(&slab->class[c], freer->helps);
	m->run = NULL;
	return m;
}

/* A magazine that nobody else holds and that is used up. The reclaimer. */
static void keep_empty(struct slab *slab, struct slab_freer *freer, struct magazine *m)
{
	/* relaxed: only the reclaimer makes it more */
	if (freer->empties < EMPTIES_KEPT) {
		atomic_store_explicit(&m->next, freer->empty, memory_order_relaxed); /* the freer's own list */
		freer->empty = m;
		freer->empties++;
	} else if (atomic_load_explicit(&slab->empties, memory_order_relaxed) < slab->stock) {
		atomic_fetch_add_explicit(&slab->empties, 1, memory_order_relaxed);
		push(&slab->empty, m);
	} else {
		free_magazine(slab, m);
	}
}

/* What the helpers found did not suffice. */
static void raise_stock(struct slab *slab)
{
	/* relaxed: a hint of how large the slab is */
	uint64_t most = atomic_load_explicit(&slab->bytes, memory_order_relaxed) / STOCK_SHARE / MAGAZINE_BYTES;

	slab->stock = slab->stock ? slab->stock * 2 : STOCK_MIN;
	if (slab->stock > most)
		slab->stock = most > STOCK_MIN ? (uint32_t)most : STOCK_MIN;
}

/* As many as there shall be. The reclaimer. */
static void leave_empties(struct slab *slab, struct slab_freer *freer)
{
	/* relaxed, all: hints; only the reclaimer makes `empties` more */
	if (atomic_load_explicit(&slab->missed, memory_order_relaxed)) {
		atomic_store_explicit(&slab->missed, false, memory_order_relaxed);
		raise_stock(slab);
	}
	while (atomic_load_explicit(&slab->empties, memory_order_relaxed) < slab->stock) {
		struct magazine *m = freer->empty ? pop_kept(freer) : new_magazine(slab);

		if (!m)
			return;
		atomic_fetch_add_explicit(&slab->empties, 1, memory_order_relaxed);
		push(&slab->empty, m);
	}
}

static void push_discarded(struct slab_class *class, void *p)
{
	struct discarded *block = p;

	block->next = atomic_load_explicit(&class->discarded, memory_order_relaxed);
	/* [DISCARD release] publishes the link; pairs with [DISCARD acquire] in slab_revive(), which takes the whole
	 * stack. */
	while (!atomic_compare_exchange_weak_explicit(&class->discarded, &block->next, block, memory_order_release,
						      memory_order_relaxed));
}

void slab_free(struct slab *slab, struct slab_freer *freer, void *p, size_t size)
{
	unsigned c = class_of(size);
	struct magazine **filling = &freer->filling[c];

	if (!*filling)
		*filling = empty_magazine(slab, freer, c);
	if (!*filling) {
		push_discarded(&slab->class[c], p); /* no array to be had: it waits until the reclaimer's next turn */
		return;
	}
	(*filling)->cells[(*filling)->count++] = p;
	if ((*filling)->count == (*filling)->capacity) {
		push(&slab->class[c].depot, *filling);
		*filling = NULL;
	}
}

void slab_flush(struct slab *slab, struct slab_freer *freer)
{
	for (unsigned c = 0; c < SLAB_CLASSES; c++)
		if (freer->filling[c]) {
			push(&slab->class[c].depot, freer->filling[c]);
			freer->filling[c] = NULL;
		}
	while (freer->empty)
		free_magazine(slab, pop_kept(freer));
}

void slab_discard(struct slab *slab, void *p, size_t size)
{
	push_discarded(&slab->class[class_of(size)], p);
}

bool slab_has_spent(const struct slab *slab)
{
	/* relaxed: looked at again at the next turn */
	return atomic_load_explicit(&((struct slab *)slab)->spent, memory_order_relaxed) != NULL;
}

void slab_rest(struct slab *slab)
{
	/* [DEPOT acquire] takes the whole stack. */
	slab->resting = atomic_exchange_explicit(&slab->spent, NULL, memory_order_acquire);
}

void slab_revive(struct slab *slab, struct slab_freer *freer)
{
	while (slab->resting) {
		struct magazine *m = slab->resting;

		/* relaxed: since the grace period nobody else holds `m` */
		slab->resting = atomic_load_explicit(&m->next, memory_order_relaxed);
		if (atomic_load_explicit(&m->taken, memory_order_relaxed) < m->count)
			push(&slab->class[m->class].depot, m); /* it lost the race for a stripe, whole */
		else if (m->capacity)
			keep_empty(slab, freer, m);
	}
}

/* One that was discarded, or NULL. */
static struct discarded *recover(struct slab_class *class)
{
	struct discarded *block = class->recovered;

	/* relaxed: looked at again at the next turn */
	if (!block && atomic_load_explicit(&class->discarded, memory_order_relaxed))
		/* [DISCARD acquire] pairs with push_discarded(). */
		block = atomic_exchange_explicit(&class->discarded, NULL, memory_order_acquire);
	class->recovered = block ? block->next : NULL;
	return block;
}

bool slab_recover(struct slab *slab, struct slab_freer *freer, unsigned blocks)
{
	leave_empties(slab, freer);
	for (unsigned c = 0; c < SLAB_CLASSES; c++) {
		struct slab_class *class = &slab->class[c];
		struct discarded *block = NULL;

		while (blocks && (block = recover(class))) {
			slab_free(slab, freer, block, class->block_size);
			blocks--;
		}
		/* Writers have nothing left but fresh memory: they get what there is. relaxed: a hint. */
		if (freer->filling[c] && !atomic_load_explicit(&class->depot, memory_order_relaxed)) {
			push(&class->depot, freer->filling[c]);
			freer->filling[c] = NULL;
		}
	}
	return blocks == 0;
}
