/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of the structure under test. Nothing is reused within a run, freed blocks are poisoned, and every byte knows
 * whether it may be touched, so a use after free, a use before allocation and an overrun by one byte are seen at
 * the access, whatever the address was used for since.
 */
#ifndef EXPLORER_ARENA_H
#define EXPLORER_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forget all blocks. */
void arena_reset(void);

/* Let the nth allocation from now fail (1 is the next one); 0: none. */
void arena_fail_at(unsigned nth);

/* As rcumap_allocator wants them. */
void *arena_take(void *ctx, size_t size, size_t align);
void arena_give_back(void *ctx, void *p, size_t size);

/* End the run if any byte in [p, p + size) lies in the arena and is not in a live block. pc: who touches it, for the report. */
void arena_check(const volatile void *p, size_t size, bool store, const void *pc);

/* Is p in a block that may be freed during the run: any but the pinned one? */
bool arena_is_mortal(const volatile void *p);
/* The block at p stays to the end of the run. */
void arena_pin(const void *p);

/* Blocks not given back. */
unsigned arena_live_blocks(void);
/* One of them, as arena_name() says it. */
const char *arena_first_live(void);

/* "block 3 (64 bytes) + 8", or the plain address. The result is overwritten by the fourth next call. */
const char *arena_name(const volatile void *p);

#endif
