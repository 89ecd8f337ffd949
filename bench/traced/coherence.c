/* SPDX-License-Identifier: BSD-2-Clause */
#include "coherence.h"

#include "random.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's threads, and whoever works on a map before and after. */
#define OTHERS 0u
/* Room for the lines that are touched, and as much again. */
#define LINES (UINT64_C(1) << 22)

struct cached_line {
	uint64_t number; /* its address in lines; 0: free */
	uint32_t holders; /* cores that have it as it is now, a bit each */
	bool written; /* since the counting began */
};

static struct {
	atomic_flag lock; /* guards what follows */
	_Atomic bool counting; /* relaxed: a hint without the lock */
	struct cached_line *lines;
	const struct rcumap *map;
	const char *buckets;
	size_t buckets_size;
	struct coherence_counts counts;
} model = { .lock = ATOMIC_FLAG_INIT };

static _Thread_local unsigned core = OTHERS;

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&model.lock, memory_order_acquire))
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&model.lock, memory_order_release);
}

void coherence_be(unsigned own)
{
	core = own;
}

static struct cached_line *find(uint64_t number)
{
	for (uint64_t i = rng_mix(number);; i++) {
		struct cached_line *line = &model.lines[i % LINES];

		if (!line->number)
			line->number = number;
		if (line->number == number)
			return line;
	}
}

static bool is_of_stripes(size_t offset)
{
	static const struct {
		size_t from, size;
	} striped[] = {
		{ offsetof(struct rcumap, stripe), sizeof model.map->stripe },
		{ offsetof(struct rcumap, memory.slab.stripe), sizeof model.map->memory.slab.stripe },
		{ offsetof(struct rcumap, memory.stripe), sizeof model.map->memory.stripe },
		{ offsetof(struct rcumap, retire.log.stripe), sizeof model.map->retire.log.stripe },
		{ offsetof(struct rcumap, retire.share), sizeof model.map->retire.share },
		{ offsetof(struct rcumap, expiry.log.stripe), sizeof model.map->expiry.log.stripe },
		{ offsetof(struct rcumap, eviction.share), sizeof model.map->eviction.share },
	};

	for (unsigned i = 0; i < sizeof striped / sizeof *striped; i++)
		if (offset >= striped[i].from && offset < striped[i].from + striped[i].size)
			return true;
	return false;
}

static void count_move(uint64_t number)
{
	const uintptr_t address = number * COHERENCE_LINE, map = (uintptr_t)model.map, buckets = (uintptr_t)model.buckets;

	if (address >= buckets && address < buckets + model.buckets_size) {
		model.counts.moves[PART_BUCKETS]++;
	} else if (address < map || address >= map + sizeof *model.map) {
		model.counts.moves[PART_ELSEWHERE]++;
	} else if (is_of_stripes(address - map)) {
		model.counts.moves[PART_STRIPES]++;
	} else {
		model.counts.moves[PART_SHARED]++;
		model.counts.at[(address - map) / COHERENCE_LINE]++;
	}
}

static void access_line(uint64_t number, bool store)
{
	struct cached_line *line = find(number);
	const uint32_t me = UINT32_C(1) << core;

	if (core != OTHERS && (store ? line->holders & ~me : line->written && !(line->holders & me)))
		count_move(number);
	line->holders = store ? me : line->holders | me;
	line->written |= store;
}

static bool is_counting(void)
{
	return atomic_load_explicit(&model.counting, memory_order_relaxed);
}

void coherence_access(const volatile void *address, size_t size, bool store)
{
	const uint64_t first = (uintptr_t)address / COHERENCE_LINE, last = ((uintptr_t)address + size - 1) / COHERENCE_LINE;

	if (!is_counting())
		return;
	lock();
	for (uint64_t number = first; is_counting() && number <= last; number++)
		access_line(number, store);
	unlock();
}

void coherence_start(const struct rcumap *map)
{
	const struct table *table = tables_current(&map->tables);

	lock();
	free(model.lines);
	model.lines = calloc(LINES, sizeof *model.lines);
	if (!model.lines) {
		fprintf(stderr, "no memory for the model\n");
		exit(2);
	}
	memset(&model.counts, 0, sizeof model.counts);
	model.map = map;
	model.buckets = (const char *)table->lines;
	model.buckets_size = table_buckets(table) * sizeof(struct line);
	atomic_store_explicit(&model.counting, true, memory_order_relaxed);
	unlock();
}

const struct coherence_counts *coherence_stop(void)
{
	lock();
	atomic_store_explicit(&model.counting, false, memory_order_relaxed);
	unlock();
	return &model.counts;
}
