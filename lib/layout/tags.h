/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which slots of a line have a tag: all six compared at once.
 *
 * What is found is a guess: the line is not loaded as one, and where the compiler has SSE2 not even by C11's atomics, which know
 * no such load. Whoever follows it loads the slot's word (slot_load()) and looks at that alone, which may have another tag by
 * then. No slot is left out wrongly: while a key is there its entry stands in one slot of its bucket, and whatever replaces the word
 * there has the same tag, so the two bytes that are compared do not change; no load tears two bytes that are aligned. So a
 * slot that is left out lacked the key at the moment of the guess. The load is an asm statement: once, and neither before the
 * load of ctl that came before it nor after the loads that depend on it (x86 keeps loads in order).
 */
#ifndef RCUMAP_TAGS_H
#define RCUMAP_TAGS_H

#include "layout/line.h"

/* A bit in two for each slot; the lowest two are nobody's. */
typedef uint32_t tags_mask;

#define TAGS_BIT(slot) ((tags_mask)2 << 2 * ((slot) + 1))

static inline size_t tags_first(tags_mask mask)
{
	return (unsigned)__builtin_ctz(mask) / 2 - (size_t)1;
}

#if defined(__SSE2__) && LINE_SLOTS == 6 && !defined(RCUMAP_TSAN)

#include <emmintrin.h>

/* The upper halves of four words of the line, as eight pieces of two bytes: of each the second has the tag. */
static inline __m128i tags_load(const struct line *line, unsigned half)
{
	const __m128i *const words = (const __m128i *)(const void *)line + 2 * half;
	__m128i upper;

	__asm__ volatile("{movdqa %1, %0|movdqa %0, %1}" : "=x"(upper) : "m"(words[0]));
	__asm__ volatile("{shufps $0xdd, %1, %0|shufps %0, %1, 0xdd}" : "+x"(upper) : "m"(words[1]));
	return upper;
}

static inline tags_mask tags_match(const struct line *line, uint64_t tag)
{
	const __m128i wanted = _mm_set1_epi16((short)(tag >> 48));
	const __m128i first = _mm_cmpeq_epi16(tags_load(line, 0), wanted), second = _mm_cmpeq_epi16(tags_load(line, 1), wanted);

	/* A bit a piece; those of ctl, which comes first, and of the link, which comes last, are left out. */
	return (tags_mask)_mm_movemask_epi8(_mm_packs_epi16(first, second)) & 0x2aa8;
}

#else

static inline tags_mask tags_match(const struct line *line, uint64_t tag)
{
	tags_mask mask = 0;

	for (unsigned i = 0; i < LINE_SLOTS; i++)
		mask |= slot_has_tag(slot_load(line, i), tag) ? TAGS_BIT(i) : 0;
	return mask;
}

#endif

#endif
