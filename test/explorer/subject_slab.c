/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slab alone: blocks are allocated, discarded and given back under one stripe and one class of few blocks a run, so that
 * magazines are exhausted all the time. A key is a place for a block; the block says which value it is for, and is somebody
 * else's if it says another.
 *
 *     put      takes a block, and retires the one that was there
 *     add      takes a block, and discards it if there was one
 *     delete   retires, and helps to give back what is ready
 */
#include "memory/slab.h"

#include "report.h"
#include "schedule.h"
#include "subject.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define BLOCK_SIZE 1024u
#define BLOCKS_MAX 256u

static struct slab slab;
static struct slab_freer freer; /* the reclaimer's */
static uint64_t versions;
static unsigned *held[KEYS_MAX]; /* first word: the value */
static uint64_t held_version[KEYS_MAX];

struct list {
	void *p[BLOCKS_MAX];
	unsigned count;
};
static struct list out; /* of the slab */
static struct list retired, batch;
static struct list ready; /* of a batch that is over: left to helpers */
static struct schedule_grace batch_grace;
static bool batch_taken;

static void add_to(struct list *list, void *p)
{
	if (list->count == BLOCKS_MAX)
		report_failure("too many blocks");
	list->p[list->count++] = p;
}

static void remove_from(struct list *list, const void *p)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->p[i] == p) {
			list->p[i] = list->p[--list->count];
			return;
		}
	report_failure("block %p is given back, but is not out", p);
}

static unsigned *take(void)
{
	unsigned *block = slab_alloc(&slab, 0, BLOCK_SIZE);

	for (unsigned i = 0; i < out.count; i++)
		if (out.p[i] == block)
			report_failure("block %p is given out twice", (void *)block);
	if (block != NULL)
		add_to(&out, block);
	return block;
}

static void give_back(struct slab_freer *by, void *block)
{
	remove_from(&out, block);
	slab_free(&slab, by, block, BLOCK_SIZE);
}

/* Inside a section. */
static void help(void)
{
	struct slab_freer helper = { .helps = true };

	while (ready.count > 0)
		give_back(&helper, ready.p[--ready.count]);
	slab_flush(&slab, &helper);
}

/* A magazine or two of freed blocks in the depot, and `taken` blocks of another already gone. */
static void create(unsigned taken, uint64_t seed)
{
	unsigned *blocks[BLOCKS_MAX];
	const unsigned count = 30;

	(void)seed;
	memset(&slab, 0, sizeof slab);
	memset(&freer, 0, sizeof freer);
	memset(held, 0, sizeof held);
	memset(held_version, 0, sizeof held_version);
	versions = 0;
	out.count = retired.count = batch.count = ready.count = 0;
	batch_taken = false;
	schedule_no_quiet();
	slab_init(&slab);
	for (unsigned i = 0; i < count; i++)
		blocks[i] = take();
	for (unsigned i = 0; i < count; i++)
		give_back(&freer, blocks[i]);
	slab.stock = 2;
	slab_rest(&slab);
	slab_revive(&slab, &freer);
	(void)slab_recover(&slab, &freer, UINT_MAX);
	for (unsigned i = 0; i < taken; i++)
		(void)take();
}

static void begin_batch(void)
{
	batch = retired;
	retired.count = 0;
	slab_rest(&slab);
}

static void end_batch(void)
{
	while (ready.count > 0)
		give_back(&freer, ready.p[--ready.count]);
	while (batch.count > 2)
		give_back(&freer, batch.p[--batch.count]);
	ready = batch;
	batch.count = 0;
	slab_revive(&slab, &freer);
	(void)slab_recover(&slab, &freer, UINT_MAX);
}

static void collect(void)
{
	if (batch_taken && !schedule_grace_ended(&batch_grace))
		return;
	if (batch_taken)
		end_batch();
	batch_taken = retired.count > 0 || slab_has_spent(&slab);
	if (batch_taken) {
		begin_batch();
		schedule_grace_begin(&batch_grace);
	}
}

static int reclaim(void)
{
	begin_batch();
	schedule_grace_wait();
	end_batch();
	return 0;
}

static int store(struct event *event)
{
	unsigned *block = take();

	if (block == NULL)
		return -ENOMEM;
	*block = event->value;
	schedule_point();
	if (event->verb == VERB_ADD && held[event->key] != NULL) {
		remove_from(&out, block);
		slab_discard(&slab, block, BLOCK_SIZE);
		return -EEXIST;
	}
	if (held[event->key] != NULL)
		add_to(&retired, held[event->key]);
	held[event->key] = block;
	held_version[event->key] = event->version = ++versions;
	return 0;
}

static int remove_held(const struct event *event)
{
	if (held[event->key] == NULL)
		return -ENOENT;
	add_to(&retired, held[event->key]);
	held[event->key] = NULL;
	return 0;
}

static void apply(struct event *event, uint64_t expected)
{
	(void)expected;
	if (event->verb == VERB_RECLAIM) {
		event->rc = reclaim();
		return;
	}
	schedule_section_enter();
	switch (event->verb) {
	case VERB_FIND:
		event->found = held[event->key] != NULL ? *held[event->key] : 0;
		event->version = held_version[event->key];
		break;
	case VERB_DELETE:
		event->rc = remove_held(event);
		help();
		break;
	default:
		event->rc = store(event);
		break;
	}
	schedule_section_leave();
}

static void check(const unsigned value[KEYS_MAX], bool quiet)
{
	(void)value;
	/* Everything that the slab still has, and some fresh: none of it may be out already. */
	for (unsigned i = 0; quiet && i < 60; i++)
		(void)take();
}

static void destroy(void)
{
	slab_flush(&slab, &freer);
	slab_fini(&slab);
}

const struct subject subject_slab = { NULL, create, apply, collect, check, NULL, destroy, .survives_faults = false };
