/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A toy map: one immutable array of pairs behind one pointer; who writes copies it and swaps the pointer. Correct, and seven
 * times wrong, each in one line: bugs that the explorer must find, or it proves nothing about the real map.
 */
#include "snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct pair {
	uint64_t version;
	unsigned value; /* 0: absent */
};

struct snapshot {
	struct pair pair[KEYS_MAX];
};

static _Atomic(struct snapshot *) current;
static _Atomic uint64_t versions;
static _Atomic unsigned lock;
static enum toy_bug bug;
static struct toy_memory memory;

void toy_create(enum toy_bug with, struct toy_memory from)
{
	struct snapshot *first;

	memory = from;
	bug = with;
	atomic_store(&versions, 0);
	atomic_store(&lock, 0);
	first = memory.alloc(sizeof *first);
	memset(first, 0, sizeof *first);
	atomic_store(&current, first);
}

void toy_destroy(void)
{
	memory.free(atomic_load(&current));
}

unsigned toy_find(unsigned key, uint64_t *version)
{
	const struct snapshot *snapshot = atomic_load(&current);
	unsigned value = snapshot->pair[key].value;

	*version = snapshot->pair[key].version;
	return value;
}

/* Swap `from` for `to`. */
static bool publish(struct snapshot *from, struct snapshot *to)
{
	struct snapshot *expected = from;

	if (bug == TOY_LOST_UPDATE) {
		atomic_store(&current, to); /* whatever it is meanwhile */
		return true;
	}
	if (bug == TOY_WEAK) {
		(void)atomic_compare_exchange_weak(&current, &expected, to); /* may fail for no reason */
		return true;
	}
	return atomic_compare_exchange_strong(&current, &expected, to);
}

static bool try_store(unsigned key, unsigned value, uint64_t version, bool *was_present)
{
	struct snapshot *from = atomic_load(&current), *to;

	*was_present = from->pair[key].value != 0;
	if (value == 0 && !*was_present)
		return true;
	if (bug == TOY_IN_PLACE && value == 0) {
		/* Readers that have the array see half of it: a write after publication. */
		from->pair[key].value = 255;
		atomic_load(&versions);
		from->pair[key].value = 0;
		return true;
	}
	to = memory.alloc(sizeof *to);
	*to = *from;
	to->pair[key] = (struct pair){ version, value };
	if (bug == TOY_RETIRE_EARLY)
		memory.retire(from);
	if (!publish(from, to)) {
		memory.free(to);
		return false;
	}
	if (bug == TOY_FREE_EARLY)
		memory.free(from);
	else if (bug != TOY_RETIRE_EARLY && bug != TOY_LEAK)
		memory.retire(from);
	return true;
}

bool toy_store(unsigned key, unsigned value, uint64_t *version)
{
	bool was_present;

	*version = atomic_fetch_add(&versions, 1) + 1;
	while (bug == TOY_LOCK && atomic_exchange(&lock, 1) != 0)
		;
	while (!try_store(key, value, *version, &was_present))
		;
	if (bug == TOY_LOCK)
		atomic_store(&lock, 0);
	return was_present;
}
