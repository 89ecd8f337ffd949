/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A writer who stops between reserving a cell of a log and filling it: what others have put into the same block comes out all
 * the same, if the consumer wants it, and once. So it is with hints: nothing lives longer because somebody sleeps.
 */
#include "clock_fixture.h"
#include "map/expiry.h"
#include "reclaim/log.h"

/* ------------------------------------------------------------------------------------------------ the log */

static struct log the_log;
static struct memory memory;
static struct slab_freer freer;

static log_cell *reserve(void)
{
	log_cell *cell = NULL;

	if (log_reserve(&the_log, &memory, &cell) < 0)
		bail("no cell");
	return cell;
}

/* Read all that can be taken; the sum of the words. What is empty is freed: no reader is about. */
static uint64_t hear(void)
{
	struct log_batch batch;
	uint64_t sum = 0;

	log_take_partly(&the_log, &batch);
	while (batch.blocks) {
		struct log_block *block = batch.blocks;
		bool unfilled = false;

		batch.blocks = block->next;
		for (uint64_t i = 0; i < block->used; i++) {
			uint64_t word = log_peek(block, i, &unfilled);

			sum += word;
			if (word)
				log_cancel(&block->cell[i]);
		}
		if (unfilled)
			log_put_back(&the_log, block);
		else
			log_reclaim_block(&the_log, &memory, &freer, block);
	}
	return sum;
}

static void words_around_an_unfilled_cell(void)
{
	struct log_batch batch;
	log_cell *parked[2];

	log_fill(reserve(), 1);
	parked[0] = reserve();
	log_fill(reserve(), 2);
	parked[1] = reserve();
	is_int(hear(), 3, "what is before and behind an unfilled cell is heard");
	ok(log_pending(&the_log), "the block is still pending");
	is_int(hear(), 0, "but what was in it is not heard again");
	ok(log_take(&the_log, &batch) && !batch.blocks, "and whoever wants whole blocks does not get it");
	log_fill(parked[1], 10);
	is_int(hear(), 10, "one of the cells is filled, and heard");
	log_fill(parked[0], 20);
	log_fill(reserve(), 4);
	is_int(hear(), 24, "so is the other, and what was told in the next block");
	ok(!log_pending(&the_log), "nothing is pending then");
	is_int(log_blocks(&the_log), 0, "no block is left");
}

static void what_was_taken_is_adopted(void)
{
	struct log_batch batch;
	uint64_t sum = 0;
	bool unfilled = false;

	(void)reserve();
	log_fill(reserve(), 1);
	log_take_partly(&the_log, &batch);
	if (!batch.blocks)
		bail("a block with an unfilled cell was not taken");
	is_int(log_adopt_list(batch.blocks), 1, "after a fork a block that was taken is counted");
	for (uint64_t i = 0; i < batch.blocks->used; i++)
		sum += log_peek(batch.blocks, i, &unfilled);
	ok(!unfilled && sum == 1, "and waits for no writer that is gone");
	log_reclaim_list(&the_log, &memory, &freer, batch.blocks);
}

/* ------------------------------------------------------------------------------------------------ hints */

static struct fixture_clock the_clock;

/* As a writer who is stopped before he fills it, in a map whose reclaimer sleeps. It is the first cell of the caller's
 * stripe; his other hints follow. */
static log_cell *park_before_hint(struct rcumap *map)
{
	log_cell *cell = NULL;
	bool late;

	sleep_ns(300 * MS);
	if (expiry_reserve(map, &cell, &late) < 0)
		bail("no cell");
	return cell;
}

/* Less than a block of keys that live for an hour, told while a hint before them is not. */
static void others_expire_all_the_same(void)
{
	const uint64_t keys = LOG_CELLS - 1;
	struct rcumap *map = fixture_clock_map(&the_clock, 1000 * MS);
	log_cell *cell;

	rcumap_read_lock(map);
	cell = park_before_hint(map);
	for (uint64_t i = 0; i < keys; i++)
		fixture_put_ttl(map, i, 0, HOUR_MS);
	ok(fixture_eventually_hints_are(map, keys), "%s: the hints that follow are filed", fixture_name());
	sleep_ns(600 * MS); /* the block is looked at again */
	is_int(fixture_stats(map).hints, keys, "%s: once each", fixture_name());
	fixture_clock_advance(&the_clock, 2 * HOUR_MS);
	ok(fixture_eventually_counts(map, 0), "%s: what they remind of expires", fixture_name());

	fixture_put_text(map, "key", "value", HOUR_MS);
	log_cancel(cell);
	rcumap_read_unlock(map);
	ok(fixture_eventually_hints_are(map, 1), "%s: then the cell is cancelled, and the next hint filed", fixture_name());
	fixture_clock_advance(&the_clock, 2 * HOUR_MS);
	ok(fixture_eventually_counts(map, 0), "%s: it comes in time", fixture_name());
	rcumap_barrier(map);
	is_int(fixture_stats(map).reclaimed, keys + 1, "%s: all is given back", fixture_name());
	fixture_destroy(map);
}

/* The parked hint itself comes when it is filled: its entry is there already. */
static void the_late_hint_is_heard(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, 1000 * MS);
	log_cell *cell;

	rcumap_read_lock(map);
	cell = park_before_hint(map);
	fixture_put_ttl(map, 1, 0, HOUR_MS);
	ok(fixture_eventually_hints_are(map, 1), "%s: a hint overtakes another", fixture_name());
	log_fill(cell, 1 | UINT64_C(1) << 40); /* of no entry */
	rcumap_read_unlock(map);
	fixture_clock_advance(&the_clock, 2 * HOUR_MS);
	ok(fixture_eventually_counts(map, 0) && fixture_eventually_hints_are(map, 0), "%s: both are heard", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	others_expire_all_the_same();
	the_late_hint_is_heard();
}

int main(void)
{
	struct rcumap_allocator none = { 0 };

	memory_init(&memory, &none);
	words_around_an_unfilled_cell();
	what_was_taken_is_adopted();
	memory_fini(&memory);
	fixture_each_flavor(test);
	return tap_done();
}
