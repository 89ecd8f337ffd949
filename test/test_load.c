/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/load: when a table grows, shrinks, or refuses. */
#include "protocol/load.h"

#include "fixture.h"
#include "protocol/table.h"

static void slots_double_with_each_bit(void)
{
	unsigned wrong = 0;

	is_int(load_slots(0), LINE_SLOTS, "one bucket has the slots of one line");
	for (unsigned bits = 1; bits <= TABLE_BITS_MAX; bits++)
		wrong += load_slots(bits) != 2 * load_slots(bits - 1);
	is_int(wrong, 0, "each bit doubles them, up to the largest table");
}

/* The smallest number of entries for which `says` holds, which holds for all above, or up to which it holds. */
static uint64_t border(bool (*says)(uint64_t, unsigned), unsigned bits)
{
	uint64_t low = 0, high = UINT64_C(1) << 48;
	bool at_zero = says(0, bits);

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (says(middle, bits) == at_zero)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void borders_are_where_they_are_said_to_be(void)
{
	unsigned grow_wrong = 0, shrink_wrong = 0, sparse_wrong = 0;

	for (unsigned bits = TABLE_BITS_MIN; bits <= TABLE_BITS_MAX; bits++) {
		uint64_t slots = load_slots(bits);

		grow_wrong += border(load_must_grow, bits) != slots * 4 / 5 + 1;
		shrink_wrong += border(load_may_shrink, bits) != (slots + 9) / 10;
		sparse_wrong += border(load_is_sparse, bits) != (slots + 3) / 4;
	}
	is_int(grow_wrong, 0, "a table of any size grows above 4/5 of its slots");
	is_int(shrink_wrong, 0, "shrinks below 1/10");
	is_int(sparse_wrong, 0, "is sparse below 1/4");
	ok(!load_must_grow(0, TABLE_BITS_MIN) && load_may_shrink(0, TABLE_BITS_MIN + 1), "an empty table never grows");
}

static void resizing_does_not_swing(void)
{
	unsigned swings = 0, sparse = 0;

	for (unsigned bits = TABLE_BITS_MIN; bits < TABLE_BITS_MAX; bits++) {
		/* As full as a table can be when it has just been left. */
		uint64_t shrinks_at = border(load_may_shrink, bits + 1) - 1, grows_at = border(load_must_grow, bits);

		swings += load_must_grow(shrinks_at, bits) || load_may_shrink(grows_at, bits + 1);
		sparse += load_is_sparse(grows_at, bits + 1);
	}
	is_int(swings, 0, "what has just shrunk need not grow, what has just grown may not shrink");
	is_int(sparse, 0, "nor is it sparse");
}

static void chains_are_ordered(void)
{
	ok(LOAD_CHAIN_LATE < LOAD_CHAIN_LONG, "an insert looks for a late reclaimer before it blames the hash");
	ok(LOAD_CHAIN_LONG < LOAD_CHAIN_MAX, "and blames the hash before it gives up");
	ok(LOAD_CHAIN_MAX * LINE_SLOTS <= CTL_POSITION_MAX + 1, "every slot of the longest chain has a position");
}

int main(void)
{
	slots_double_with_each_bit();
	borders_are_where_they_are_said_to_be();
	resizing_does_not_swing();
	chains_are_ordered();
	return tap_done();
}
