/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOYS_SNAPSHOT_H
#define TOYS_SNAPSHOT_H

#include "../history.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum toy_bug {
	TOY_CORRECT,
	TOY_LOST_UPDATE, /* store instead of compare-and-swap */
	TOY_FREE_EARLY, /* no grace period */
	TOY_RETIRE_EARLY, /* before the unlinking */
	TOY_IN_PLACE, /* changes what is published */
	TOY_LOCK, /* a spinlock: a parked owner stops all */
	TOY_WEAK, /* takes a weak exchange for a strong one */
	TOY_LEAK, /* retires nothing */
};

struct toy_memory {
	void *(*alloc)(size_t size);
	void (*free)(void *p);
	void (*retire)(void *p);
};

void toy_create(enum toy_bug with, struct toy_memory from);
void toy_destroy(void);
unsigned toy_find(unsigned key, uint64_t *version);
/* value 0 removes. Whether the key was present. */
bool toy_store(unsigned key, unsigned value, uint64_t *version);

#endif
