/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All memory of one map, and the count of it: small blocks from the slab, larger ones from malloc, tables from the
 * kernel; or everything from the user's allocator. In a map with max_bytes no block is from the slab, where blocks stay what
 * they once were: a budget says what there may be (memory/budget.h).
 *
 * Three kinds of giving back:
 *   memory_free()     nobody can reach the block any more; through the calling thread's freer
 *   memory_discard()  the block was never published; any thread
 *   memory_free_lines() a table's array; any thread
 */
#ifndef RCUMAP_MEMORY_H
#define RCUMAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rcumap.h>

#include "memory/budget.h"
#include "memory/outside.h"
#include "memory/slab.h"

struct memory {
	struct outside outside;
	struct slab slab;
	struct {
		_Alignas(64) _Atomic int64_t bytes; /* of blocks not in the slab; one stripe alone may be negative */
	} stripe[STRIPE_COUNT];
	_Atomic uint64_t line_bytes; /* of tables' arrays */
	struct budget budget;
};

/* `memory` is zeroed. */
void memory_init(struct memory *memory, const struct rcumap_allocator *user);
void memory_fini(struct memory *memory);

/* Before the first block: there will be a budget. As budget_init(). */
void memory_limit(struct memory *memory, uint64_t max_bytes, size_t map_bytes, size_t record_header,
		  unsigned record_cells_max);

/* Set *p to a block of `size` bytes (> 0), aligned to `align` (64, 16 or less), of unknown content; 0, -ENOMEM, -EFAULT
 * (the user's allocator returned an address that cannot be used), or -ENOSPC (the budget has no room). Inside a read
 * section, if it needs one. */
int memory_alloc_for(struct memory *memory, enum memory_use use, size_t size, size_t align, void **p);
void memory_free_for(struct memory *memory, enum memory_use use, struct slab_freer *freer, void *p, size_t size);
void memory_discard_for(struct memory *memory, enum memory_use use, void *p, size_t size);

/* Are blocks of this size taken inside a read section (slab.h)? */
bool memory_needs_section(const struct memory *memory, size_t size);

static inline int memory_alloc(struct memory *memory, size_t size, size_t align, void **p)
{
	return memory_alloc_for(memory, MEMORY_STRUCTURE, size, align, p);
}

static inline void memory_free(struct memory *memory, struct slab_freer *freer, void *p, size_t size)
{
	memory_free_for(memory, MEMORY_STRUCTURE, freer, p, size);
}

static inline void memory_discard(struct memory *memory, void *p, size_t size)
{
	memory_discard_for(memory, MEMORY_STRUCTURE, p, size);
}

/* With a budget: what an entry of so many bytes counts at most; what this one does. */
size_t memory_entry_bound(const struct memory *memory, size_t size);
size_t memory_entry_bytes(const struct memory *memory, const void *p, size_t size);

/* At the end of the map, as memory_free(), but a block of the slab may be left to memory_fini(). */
void memory_abandon(struct memory *memory, void *p, size_t size);
/* Is there any block that memory_fini() would leave behind? Alone with the map. */
bool memory_has_large(const struct memory *memory);

/* A block for the map itself, before and after there is a `struct memory` to count it. As memory_alloc(). */
int memory_alloc_root(const struct rcumap_allocator *user, size_t size, size_t align, void **p);
void memory_free_root(const struct rcumap_allocator *user, void *p, size_t size);

/* An array of zeroed lines, 64-byte aligned. As memory_alloc(), with or without a section. */
int memory_alloc_lines(struct memory *memory, size_t size, void **p);
void memory_free_lines(struct memory *memory, void *p, size_t size);

/* Is an array of `size` bytes mapped by itself, so that its pages come when they are touched? Of such a one the first `touched` bytes have
 * been: touch the next ones, so that whoever uses them does not wait for the kernel to clear them. Returns how many: two megabytes at
 * most, which take 100 us or, on some machines, 1 ms. */
bool memory_lines_are_mapped(const struct memory *memory, size_t size);
size_t memory_touch_lines(void *p, size_t size, size_t touched);

/* Could there be an array of `size` bytes at all? Touches nothing; a user's allocator is not asked. */
bool memory_could_hold_lines(const struct memory *memory, size_t size);

/* Bytes held now. Wait-free. */
uint64_t memory_bytes(const struct memory *memory);

#endif
