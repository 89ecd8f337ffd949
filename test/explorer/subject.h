/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A structure that can be explored: the map, or a toy with a planted bug that shows that the explorer finds it.
 *
 * All its memory comes from the arena. All functions but begin_thread() and apply() run outside the schedule, one at a time, between the
 * threads' steps.
 */
#ifndef EXPLORER_SUBJECT_H
#define EXPLORER_SUBJECT_H

#include "history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subject {
	/* Once for each thread, in order, before all runs; NULL: nothing. For what the code keeps per thread, so that no run
	 * depends on which thread came first in another. */
	void (*begin_thread)(void);
	/* A fresh one. variant: the scenario's; seed: decides where keys lie. */
	void (*create)(unsigned variant, uint64_t seed);
	/* Do one call as the running thread, with its own read section, and write its outcome into the event. `expected` is the
	 * version that event->expected stands for. */
	void (*apply)(struct event *event, uint64_t expected);
	/* A chance to reclaim: what was retired, and has had its grace period. */
	void (*collect)(void);
	/* Report a failure if anything is wrong with the structure, which holds exactly the values value[k] (0: absent).
	 * quiet: every call has returned. */
	void (*check)(const unsigned value[KEYS_MAX], bool quiet);
	/* Once every call has returned: remove what has expired, and report a failure if any of it is left. False: nothing is
	 * left that will expire, and nothing that reminds of it. NULL: nothing ever expires. */
	bool (*expire)(void);
	/* Give everything back. */
	void (*destroy)(void);
	/* Its calls return -ENOMEM when an allocation fails. */
	bool survives_faults;
	/* With so many keys and threads, may a call remove other keys than its own? 0: never, or evicts is NULL; 1: one that
	 * stores under an absent key, a key at one moment; 2: one that stores anything, at two. */
	unsigned (*evicts)(unsigned keys, unsigned threads);
	/* May such a call be refused with -ENOSPC while so many other threads have something in their hands? */
	bool (*refuses)(unsigned others);
	/* Is there anything under the key, for one who leaves no trace of having looked? With a limit. */
	bool (*holds)(unsigned key);
};

/*
 * Of the map's variant, besides the size of its first table: keys a and b have the same hash; there are so many entries at
 * most, 1 to 15; entries have so many times 32 bytes at first, 1 to 255, and garbage as many more, 0 to 127; so many overflow
 * lines are set aside, 0 to 7.
 */
#define MAP_SAME_HASH 0x100u
#define MAP_LINES(lines) ((lines) << 9)
#define MAP_LIMIT(entries) ((entries) << 12)
#define MAP_BYTES(blocks) ((blocks) << 16)
#define MAP_GARBAGE(blocks) ((blocks) << 24)
#define MAP_LINES_OF(variant) ((variant) >> 9 & 7)
#define MAP_LIMIT_OF(variant) ((variant) >> 12 & 15)
#define MAP_BYTES_OF(variant) (((variant) >> 16 & 255) * 32)
#define MAP_GARBAGE_OF(variant) (((variant) >> 24 & 127) * 32)

extern const struct subject subject_map, subject_slab, subject_quota, subject_toy;

/* The bytes of keys and values that subjects store, so that a torn or mistaken one is seen. */
#define CONTENT_SIZE_MAX 40u
struct content {
	size_t size;
	unsigned char bytes[CONTENT_SIZE_MAX];
};
void content_of_key(struct content *content, unsigned key);
void content_of_value(struct content *content, unsigned key, unsigned value);
/* The value that the bytes say; a failure if they say it wrongly, or of another key. */
unsigned content_value(unsigned key, const void *bytes, size_t size);

#endif
