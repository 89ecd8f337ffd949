/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE ((size_t)16 << 20)
#define BLOCKS_MAX 8192u
#define POISON 0xdd
#define GAP 16u

enum byte_state { UNUSED, LIVE, FREED };

struct block {
	char *p;
	size_t size;
	bool live;
};

static char *memory; /* at a fixed address, so that a replay sees the same pointers */
static unsigned char *states; /* enum byte_state for each byte of `memory` */
static size_t used;
static struct block blocks[BLOCKS_MAX];
static const struct block *pinned;
static unsigned block_count, live_blocks, fail_at;

static void map_memory(void)
{
	memory = mmap((void *)0x100000000000, ARENA_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	states = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || states == MAP_FAILED) {
		perror("explorer: arena");
		exit(2);
	}
}

/* As memset(), which is checked: see runtime.c. */
static void fill(void *p, unsigned char byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile unsigned char *)p)[i] = byte;
}

void arena_reset(void)
{
	if (memory == NULL)
		map_memory();
	fill(states, UNUSED, used);
	used = 0;
	block_count = 0;
	pinned = NULL;
	live_blocks = 0;
	fail_at = 0;
}

void arena_fail_at(unsigned nth)
{
	fail_at = nth;
}

void *arena_take(void *ctx, size_t size, size_t align)
{
	size_t at = (used + GAP + align - 1) & ~(align - 1);

	(void)ctx;
	if (size == 0 || align == 0 || (align & (align - 1)) != 0 || align > 4096)
		report_failure("allocator called with size %zu, align %zu", size, align);
	if (fail_at != 0 && --fail_at == 0)
		return NULL;
	if (at + size + GAP > ARENA_SIZE || block_count == BLOCKS_MAX)
		report_failure("%zu bytes in %u blocks allocated in one run: out of arena", used, block_count);
	fill(memory + at, POISON ^ 0xff, size); /* not zero: nobody may rely on fresh memory */
	fill(states + at, LIVE, size);
	used = at + size;
	blocks[block_count++] = (struct block){ .p = memory + at, .size = size, .live = true };
	live_blocks++;
	return memory + at;
}

static bool in_arena(const volatile void *p)
{
	return (uintptr_t)p - (uintptr_t)memory < ARENA_SIZE;
}

/* The last block that starts at or before p; NULL if none. Blocks are in order of address. */
static struct block *block_of(const volatile void *p)
{
	unsigned low = 0, high = block_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if ((uintptr_t)blocks[middle].p <= (uintptr_t)p)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &blocks[low - 1];
}

void arena_give_back(void *ctx, void *p, size_t size)
{
	struct block *block = in_arena(p) ? block_of(p) : NULL;

	(void)ctx;
	if (block == NULL || block->p != (char *)p)
		report_failure("free of %p, which was never allocated", p);
	if (!block->live)
		report_failure("double free of %s", arena_name(p));
	if (block->size != size)
		report_failure("free of %s with size %zu", arena_name(p), size);
	block->live = false;
	live_blocks--;
	fill(p, POISON, size);
	fill(states + ((char *)p - memory), FREED, size);
}

bool arena_is_mortal(const volatile void *p)
{
	return in_arena(p) && (pinned == NULL || (uintptr_t)p - (uintptr_t)pinned->p >= pinned->size);
}

void arena_pin(const void *p)
{
	pinned = block_of(p);
}

void arena_check(const volatile void *p, size_t size, bool store, const void *pc)
{
	size_t at = (uintptr_t)p - (uintptr_t)memory;

	if (at >= ARENA_SIZE)
		return;
	for (size_t i = 0; i < size; i++)
		if (states[at + i] != LIVE)
			report_failure("%s %s: %zu bytes at %s, from %s",
				       states[at + i] == FREED ? "use after free:" : "access outside any block:",
				       store ? "store" : "load", size, arena_name(p), report_place(pc));
}

unsigned arena_live_blocks(void)
{
	return live_blocks;
}

const char *arena_first_live(void)
{
	for (unsigned i = 0; i < block_count; i++)
		if (blocks[i].live)
			return arena_name(blocks[i].p);
	return "none";
}

const char *arena_name(const volatile void *p)
{
	static char names[4][64];
	static unsigned next;
	char *name = names[next++ % 4];
	struct block *block = in_arena(p) ? block_of(p) : NULL;

	if (block == NULL)
		snprintf(name, sizeof names[0], "%p", (const void *)(uintptr_t)p);
	else
		snprintf(name, sizeof names[0], "block %u (%zu bytes%s) + %zu", (unsigned)(block - blocks), block->size,
			 block->live ? "" : ", freed", (size_t)((uintptr_t)p - (uintptr_t)block->p));
	return name;
}
