/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/tags: every slot that has the tag, and no other word of the line. */
#include "layout/tags.h"

#include "fixture.h"

/* A line of which the slots in `with` have the tag, and all else differs from it in one bit at least, or is as hard to tell apart. */
static void fill(struct line *line, struct rng *rng, uint64_t tag, unsigned with)
{
	const uint64_t below = (UINT64_C(1) << 48) - 1;

	/* Those have it where a slot has its own, and must not be taken for one. */
	atomic_init(&line->ctl, tag | (rng_u64(rng) & below));
	atomic_init(&line->link, tag | (rng_u64(rng) & below));
	for (unsigned i = 0; i < LINE_SLOTS; i++) {
		uint64_t word = tag | (rng_u64(rng) & below);

		if (!(with >> i & 1))
			word ^= UINT64_C(1) << (48 + rng_below(rng, 16));
		/* And the tag wherever it does not count. */
		if (rng_below(rng, 2))
			word = (word & ~below) | tag >> 48 | tag >> 32 | tag >> 16;
		atomic_init(&line->slot[i], word);
	}
}

static unsigned slots_of(tags_mask mask)
{
	unsigned slots = 0;

	for (; mask; mask &= mask - 1)
		slots |= 1u << tags_first(mask);
	return slots;
}

static void all_sets_of_slots(uint64_t tag, struct rng *rng)
{
	unsigned wrong = 0;

	for (unsigned with = 0; with < 1u << LINE_SLOTS; with++)
		for (unsigned turn = 0; turn < 50; turn++) {
			struct line line;

			fill(&line, rng, tag << 48, with);
			wrong += slots_of(tags_match(&line, tag << 48)) != with;
		}
	is_int(wrong, 0, "tag %04x: any slots that have it, and they alone", (unsigned)tag);
}

static void slots_in_order(void)
{
	tags_mask all = 0;
	unsigned wrong = 0;

	for (unsigned i = 0; i < LINE_SLOTS; i++)
		all |= TAGS_BIT(i);
	for (unsigned i = 0; i < LINE_SLOTS; i++, all &= all - 1)
		wrong += tags_first(all) != i;
	is_int(wrong, 0, "they come in their order");
	is_int(all, 0, "and end");
}

int main(int argc, char **argv)
{
	static const uint64_t tags[] = { 0, 1, 0x00ff, 0x0100, 0x5555, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff };
	struct rng rng;

	rng_init(&rng, fixture_seed(argc, argv));
	for (unsigned t = 0; t < sizeof tags / sizeof tags[0]; t++)
		all_sets_of_slots(tags[t], &rng);
	slots_in_order();
	return tap_done();
}
