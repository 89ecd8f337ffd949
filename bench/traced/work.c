/* SPDX-License-Identifier: BSD-2-Clause */
#include "work.h"

#include "random.h"

#include "layout/line.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Pages are known by regions, a bit each. */
#define REGION_PAGES 512u
#define REGIONS (1u << 16)

struct region {
	uint64_t number; /* its address in regions; 0: free */
	uint64_t touched[REGION_PAGES / 64];
};

static struct {
	atomic_flag lock; /* guards the regions */
	_Atomic bool on; /* relaxed: set before any thread that is counted begins */
	unsigned used;
	struct region *regions;
} pages = { .lock = ATOMIC_FLAG_INIT };

static _Thread_local struct work own;

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&pages.lock, memory_order_acquire))
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&pages.lock, memory_order_release);
}

static bool is_on(void)
{
	return atomic_load_explicit(&pages.on, memory_order_relaxed);
}

void work_start(void)
{
	pages.regions = calloc(REGIONS, sizeof *pages.regions);
	if (!pages.regions) {
		fprintf(stderr, "no memory for pages\n");
		exit(2);
	}
	atomic_store_explicit(&pages.on, true, memory_order_relaxed);
}

void work_begin(void)
{
	own = (struct work){ 0, 0 };
}

struct work work_end(void)
{
	return own;
}

static struct region *find(uint64_t number)
{
	for (uint64_t i = rng_mix(number);; i++) {
		struct region *region = &pages.regions[i % REGIONS];

		if (!region->number) {
			if (++pages.used == REGIONS) {
				fprintf(stderr, "more memory than there is room for\n");
				exit(2);
			}
			region->number = number;
		}
		if (region->number == number)
			return region;
	}
}

/* True if it was not there. */
static bool set_bit(uint64_t page)
{
	struct region *region = find(page / REGION_PAGES);
	uint64_t *word = &region->touched[page % REGION_PAGES / 64], bit = UINT64_C(1) << page % 64;
	bool fresh = !(*word & bit);

	*word |= bit;
	return fresh;
}

void work_access(const volatile void *address, size_t size)
{
	const uint64_t first = (uintptr_t)address / WORK_PAGE, last = ((uintptr_t)address + size - 1) / WORK_PAGE;

	if (!is_on())
		return;
	lock();
	for (uint64_t page = first; page <= last; page++)
		own.fresh_pages += set_bit(page);
	unlock();
}

/* A bucket is migrated by the compare-and-swap that says so in the first word of its line. */
void work_exchanged(const volatile void *address, size_t size, uint64_t value)
{
	if (size == sizeof value && value == CTL_MIGRATED && (uintptr_t)address % sizeof(struct line) == offsetof(struct line, ctl))
		own.migrated_buckets++;
}

void work_unmapped(const void *address, size_t size)
{
	if (!is_on())
		return;
	lock();
	for (uint64_t page = (uintptr_t)address / WORK_PAGE; page < ((uintptr_t)address + size) / WORK_PAGE; page++)
		find(page / REGION_PAGES)->touched[page % REGION_PAGES / 64] &= ~(UINT64_C(1) << page % 64);
	unlock();
}
