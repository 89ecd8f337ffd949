/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol/load: when a table grows, shrinks, or refuses. */
#include "protocol/load.h"

#include "fixture.h"
#include "protocol/table.h"

static void each_bucket_has_a_line(void)
{
	unsigned wrong = 0;

	for (unsigned size = 0; size <= SIZE_LAST; size++)
		wrong += load_slots(size) != LINE_SLOTS * size_buckets(size);
	is_int(wrong, 0, "each bucket has the slots of one line, up to the largest table");
}

/* The smallest number of entries for which `says` holds, which holds for all above, or up to which it holds. */
static uint64_t border(bool (*says)(uint64_t, unsigned), unsigned size)
{
	uint64_t low = 0, high = UINT64_C(1) << 48;
	bool at_zero = says(0, size);

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (says(middle, size) == at_zero)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void borders_are_where_they_are_said_to_be(void)
{
	unsigned grow_wrong = 0, shrink_wrong = 0, sparse_wrong = 0;

	for (unsigned size = SIZE_FIRST; size <= SIZE_LAST; size++) {
		uint64_t slots = load_slots(size);

		grow_wrong += border(load_must_grow, size) != slots * 5 / 6 + 1;
		shrink_wrong += border(load_may_shrink, size) != (slots + 9) / 10;
		sparse_wrong += border(load_is_sparse, size) != (slots + 3) / 4;
	}
	is_int(grow_wrong, 0, "a table of any size grows above 5/6 of its slots");
	is_int(shrink_wrong, 0, "shrinks below 1/10");
	is_int(sparse_wrong, 0, "is sparse below 1/4");
	ok(!load_must_grow(0, SIZE_FIRST) && load_may_shrink(0, SIZE_FIRST + 1), "an empty table never grows");
}

static void resizing_does_not_swing(void)
{
	unsigned swings = 0, sparse = 0;

	for (unsigned size = SIZE_FIRST; size < SIZE_LAST; size++) {
		/* As full as a table can be when it has just been left. */
		uint64_t shrinks_at = border(load_may_shrink, size + 1) - 1, grows_at = border(load_must_grow, size);

		swings += load_must_grow(shrinks_at, size) || load_may_shrink(grows_at, size + 1);
		sparse += load_is_sparse(grows_at, size + 1);
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
	each_bucket_has_a_line();
	borders_are_where_they_are_said_to_be();
	resizing_does_not_swing();
	chains_are_ordered();
	return tap_done();
}
