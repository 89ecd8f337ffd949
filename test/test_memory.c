/* SPDX-License-Identifier: BSD-2-Clause */
/* memory/memory: where each kind of block comes from, what is counted, and what an unusable address does. */
#include "memory/memory.h"

#include "checked_allocator.h"
#include "fault/default_allocator.h"
#include "fixture.h"

#define LARGE (SLAB_BLOCK_MAX + 1)

static struct memory *memory_new(const struct rcumap_allocator *user)
{
	struct rcumap_allocator none;
	struct memory *memory = aligned_alloc(64, (sizeof *memory + 63) & ~(size_t)63);

	memset(&none, 0, sizeof none);
	memset(memory, 0, sizeof *memory);
	memory_init(memory, user ? user : &none);
	return memory;
}

static void memory_delete(struct memory *memory, struct slab_freer *freer)
{
	slab_flush(&memory->slab, freer);
	memory_fini(memory);
	free(memory);
}

/* Is it aligned, and may all of it be written? */
static bool is_block(void *p, size_t size, size_t align)
{
	if (!p || (uintptr_t)p % align != 0)
		return false;
	memset(p, 0x77, size);
	return true;
}

static bool is_zero(const void *p, size_t size)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* ------------------------------------------------------------------ the built-in allocator */

static void small_blocks_are_the_slabs(void)
{
	struct memory *memory = memory_new(NULL);
	struct slab_freer freer = { 0 };
	void *p = NULL, *q = NULL;

	is_int(memory_bytes(memory), 0, "nothing is held at first");
	is_int(memory_alloc(memory, 64, 64, &p), 0, "a small block");
	ok(is_block(p, 64, 64), "aligned as asked");
	is_int(memory_bytes(memory), memory->slab.bytes, "the slab holds it");
	ok(!memory_has_large(memory), "no block is outside the slab");
	is_int(memory_alloc(memory, SLAB_BLOCK_MAX, 16, &q), 0, "the largest small one");
	ok(is_block(q, SLAB_BLOCK_MAX, 16) && !memory_has_large(memory), "is the slab's, too");
	memory_free(memory, &freer, p, 64);
	memory_discard(memory, q, SLAB_BLOCK_MAX);
	memory_delete(memory, &freer);
}

static void large_blocks_are_counted(void)
{
	struct memory *memory = memory_new(NULL);
	struct slab_freer freer = { 0 };
	void *p[3] = { NULL, NULL, NULL };

	is_int(memory_alloc(memory, LARGE, 16, &p[0]), 0, "a block too large for the slab");
	is_int(memory_alloc(memory, 100000, 64, &p[1]), 0, "another, aligned to a line");
	is_int(memory_alloc(memory, 200000, 16, &p[2]), 0, "and another");
	ok(is_block(p[0], LARGE, 16) && is_block(p[1], 100000, 64) && is_block(p[2], 200000, 16), "aligned as asked");
	ok(memory_has_large(memory), "they are outside the slab");
	ok(memory_bytes(memory) >= LARGE + 300000 && memory_bytes(memory) < LARGE + 300000 + 100, "and counted");
	memory_free(memory, &freer, p[0], LARGE);
	memory_discard(memory, p[1], 100000);
	ok(memory_has_large(memory), "one is left");
	memory_abandon(memory, p[2], 200000);
	ok(!memory_has_large(memory), "then none, however they were given back");
	is_int(memory_bytes(memory), 0, "and nothing is held");
	memory_delete(memory, &freer);
}

static void arrays_are_zeroed_and_counted(void)
{
	static const size_t sizes[] = { 32, 64, 1024, 65536 - 64, 65536, 65536 + 64, 1 << 20, 4 << 20 };
	struct memory *memory = memory_new(NULL);
	struct slab_freer freer = { 0 };
	unsigned wrong = 0, miscounted = 0;

	for (unsigned turn = 0; turn < 3; turn++)
		for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			size_t size = sizes[i];
			void *p = NULL;

			wrong += memory_alloc_lines(memory, size, &p) != 0 || !is_zero(p, size) ||
				 !is_block(p, size, 64);
			miscounted += memory_bytes(memory) < size || memory_bytes(memory) >= size + 4096;
			if (p)
				memory_free_lines(memory, p, size);
			miscounted += memory_bytes(memory) != 0;
		}
	is_int(wrong, 0, "arrays of lines are aligned and zeroed, also where there was one before");
	is_int(miscounted, 0, "and counted, in whole pages");
	memory_delete(memory, &freer);
}

static void without_memory(void)
{
	static const size_t sizes[] = { 64, LARGE, 1 << 20 };
	struct memory *memory = memory_new(NULL);
	struct slab_freer freer = { 0 };
	unsigned wrong = 0, written = 0;

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		void *p = memory;

		default_allocator_arm(1);
		wrong += memory_alloc(memory, sizes[i], 16, &p) != -ENOMEM || !default_allocator_disarm();
		default_allocator_arm(1);
		wrong += memory_alloc_lines(memory, sizes[i], &p) != -ENOMEM || !default_allocator_disarm();
		written += p != memory;
	}
	is_int(wrong, 0, "no memory is said");
	is_int(written, 0, "and nothing else");
	is_int(memory_bytes(memory), 0, "nor counted");
	memory_delete(memory, &freer);
}

/* One thread allocates, another frees: one stripe's count is below zero, the sum is not. */
struct handover {
	struct memory *memory;
	void *blocks[100];
};

static void *allocate(void *arg)
{
	struct handover *h = arg;

	for (unsigned i = 0; i < 100; i++)
		if (memory_alloc(h->memory, 10000, 16, &h->blocks[i]) != 0)
			h->blocks[i] = NULL;
	return NULL;
}

static void threads_are_summed_up(void)
{
	struct handover h = { .memory = memory_new(NULL) };
	struct slab_freer freer = { 0 };
	pthread_t thread;

	(void)stripe_index(); /* before the other thread's */
	pthread_create(&thread, NULL, allocate, &h);
	pthread_join(thread, NULL);
	ok(memory_bytes(h.memory) >= 1000000, "what another thread allocated is counted");
	for (unsigned i = 0; i < 100; i++)
		memory_free(h.memory, &freer, h.blocks[i], 10000);
	is_int(memory_bytes(h.memory), 0, "until this one has given it back");
	ok(!memory_has_large(h.memory), "then there is none");
	memory_delete(h.memory, &freer);
}

/* ------------------------------------------------------------------ a user's allocator */

static void a_users_allocator_gets_everything(void)
{
	static const size_t sizes[] = { 1, 17, 64, 4096, LARGE, 65536, 1 << 20 };
	struct fault_allocator allocator;
	struct rcumap_allocator user = fault_allocator(&allocator);
	struct memory *memory;
	struct slab_freer freer = { 0 };
	unsigned wrong = 0, miscounted = 0;
	void *root = NULL;

	fault_init(&allocator);
	memory = memory_new(&user);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t size = sizes[i];
		void *p = NULL, *q = NULL, *r = NULL, *lines = NULL;

		wrong += memory_alloc(memory, size, 64, &p) != 0 || !is_block(p, size, 64);
		wrong += memory_alloc(memory, size, 16, &q) != 0 || !is_block(q, size, 16);
		wrong += memory_alloc(memory, size, 16, &r) != 0 || !is_block(r, size, 16);
		wrong += memory_alloc_lines(memory, size, &lines) != 0 || !is_zero(lines, size);
		wrong += atomic_load(&allocator.blocks) != 4;
		miscounted += memory_bytes(memory) != (uint64_t)atomic_load(&allocator.bytes);
		wrong += !memory_has_large(memory);
		memory_free(memory, &freer, p, size);
		memory_discard(memory, q, size);
		memory_abandon(memory, r, size); /* memory_fini() could not */
		memory_free_lines(memory, lines, size);
		miscounted += memory_bytes(memory) != 0 || atomic_load(&allocator.bytes) != 0;
	}
	is_int(wrong, 0, "blocks of every size and kind come from the user, aligned as he was asked");
	is_int(miscounted, 0, "what is counted is what he gave, to the byte");
	is_int(memory_alloc_root(&user, 1000, 128, &root), 0, "the map's own block, too");
	ok(is_block(root, 1000, 128), "aligned as asked");
	memory_free_root(&user, root, 1000);
	memory_delete(memory, &freer);
	ok(fault_settled(&allocator), "all is given back to him, with the right sizes");
}

static void unusable_addresses_are_refused(void)
{
	static const enum fault_kind kinds[] = { FAULT_NULL, FAULT_MISALIGNED, FAULT_HIGH };
	struct fault_allocator allocator;
	struct rcumap_allocator user = fault_allocator(&allocator);
	struct memory *memory;
	struct slab_freer freer = { 0 };

	fault_init(&allocator);
	memory = memory_new(&user);
	for (unsigned i = 0; i < 3; i++) {
		int want = kinds[i] == FAULT_NULL ? -ENOMEM : -EFAULT;
		void *p = memory;

		fault_arm(1, kinds[i]);
		is_int(memory_alloc(memory, 100, 16, &p), want, "a block: %s", strerror(-want));
		fault_arm(1, kinds[i]);
		is_int(memory_alloc_lines(memory, 64, &p), want, "an array: %s", strerror(-want));
		fault_arm(1, kinds[i]);
		is_int(memory_alloc_root(&user, 64, 64, &p), want, "the map's own block: %s", strerror(-want));
		fault_disarm();
		ok(p == memory, "nothing is written");
	}
	is_int(memory_bytes(memory), 0, "nothing is counted");
	memory_delete(memory, &freer);
	ok(fault_settled(&allocator), "what could not be used was given back");
}

int main(void)
{
	small_blocks_are_the_slabs();
	large_blocks_are_counted();
	arrays_are_zeroed_and_counted();
	without_memory();
	threads_are_summed_up();
	a_users_allocator_gets_everything();
	unusable_addresses_are_refused();
	return tap_done();
}
