/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which bits of an address are always zero, so that a word may keep something else there: chosen here, for all words.
 *
 *     63     48 47              n              0
 *     | free   | address        | free, zeros  |
 *
 * Of x86-64 bit 47 is free, too: user space ends below it, and what five levels of page tables add is for those alone who ask mmap
 * for it by address. So the lowest three bits suffice, and a block need be aligned no better than the words in it. Elsewhere addresses
 * may have 48 bits (arm64), and a fourth low bit is taken instead. Whatever comes from outside is checked (memory/outside.c).
 */
#ifndef RCUMAP_ADDRESS_H
#define RCUMAP_ADDRESS_H

#include <assert.h>
#include <stdint.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define ADDRESS_BITS 47
#define ADDRESS_ALIGN 8u
/* The bit that is free wherever the lowest three and the top 16 are taken. */
#define ADDRESS_SPARE (UINT64_C(1) << 47)
#else
#define ADDRESS_BITS 48
#define ADDRESS_ALIGN 16u
#define ADDRESS_SPARE UINT64_C(8)
#endif

/* All that an address can have. */
#define ADDRESS_MASK (((UINT64_C(1) << ADDRESS_BITS) - 1) & ~(uint64_t)(ADDRESS_ALIGN - 1))

_Static_assert((ADDRESS_MASK & (ADDRESS_SPARE | 7)) == 0, "what is free is never an address's");
_Static_assert((ADDRESS_MASK | ADDRESS_SPARE | 7) == (UINT64_C(1) << 48) - 1, "all else below bit 48 may be");
_Static_assert((ADDRESS_ALIGN & (ADDRESS_ALIGN - 1)) == 0 && 64 % ADDRESS_ALIGN == 0, "a line is aligned well enough");

#endif
