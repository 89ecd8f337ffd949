/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena.h"
#include "report.h"
#include "schedule.h"
#include "subject.h"
#include "toys/snapshot.h"

#include <errno.h>

#define RETIRED_MAX 64u

static struct {
	void *p;
	struct schedule_grace grace;
} retired[RETIRED_MAX];
static unsigned retired_count;
static size_t block_size;

static void *alloc(size_t size)
{
	block_size = size;
	return arena_take(NULL, size, 16);
}

static void free_block(void *p)
{
	arena_give_back(NULL, p, block_size);
}

/* A failed attempt retires what another retires too: the toy's bug, not this list's. */
static void retire(void *p)
{
	for (unsigned i = 0; i < retired_count; i++)
		if (retired[i].p == p)
			report_failure("%s was retired twice", arena_name(p));
	if (retired_count == RETIRED_MAX)
		report_failure("too much retired");
	retired[retired_count].p = p;
	schedule_grace_begin(&retired[retired_count++].grace);
}

static void create(unsigned variant, uint64_t seed)
{
	(void)seed;
	retired_count = 0;
	schedule_no_quiet();
	toy_create((enum toy_bug)variant, (struct toy_memory){ alloc, free_block, retire });
}

static void collect(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < retired_count; i++)
		if (schedule_grace_ended(&retired[i].grace))
			free_block(retired[i].p);
		else
			retired[kept++] = retired[i];
	retired_count = kept;
}

static void apply(struct event *event, uint64_t expected)
{
	(void)expected;
	schedule_section_enter();
	if (event->verb == VERB_FIND) {
		event->found = toy_find(event->key, &event->version);
	} else {
		bool was_present =
			toy_store(event->key, event->verb == VERB_DELETE ? 0 : event->value, &event->version);

		event->rc = event->verb == VERB_DELETE && !was_present ? -ENOENT : 0;
	}
	schedule_section_leave();
}

static void check(const unsigned value[KEYS_MAX], bool quiet)
{
	(void)value;
	(void)quiet;
}

static void destroy(void)
{
	collect();
	toy_destroy();
}

const struct subject subject_toy = { NULL, create, apply, collect, check, NULL, destroy, .survives_faults = false };
