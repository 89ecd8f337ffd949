/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file coherence.h
 * A model of coherent caches: a core for each thread that has said so, with a cache that forgets nothing; the library's own threads are
 * one more. A line moves when a core reads what another has written since, or writes what another has. Where it was in nobody's cache
 * when the counting began it does not: that would be a miss with one thread, too.
 */
#ifndef BENCH_TRACED_COHERENCE_H
#define BENCH_TRACED_COHERENCE_H

#include "map/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COHERENCE_LINE 64u
#define COHERENCE_CORES_MAX 32u

/** Lines that are counted apart. */
enum coherence_part {
	PART_BUCKETS, /* of the map's table, without overflow lines */
	PART_STRIPES, /* what each stripe of the map has for itself */
	PART_SHARED, /* all else of struct rcumap */
	PART_ELSEWHERE, /* entries, overflow lines, blocks of retired words, arrays of free blocks, tables' heads */
	PARTS,
};

struct coherence_counts {
	uint64_t moves[PARTS]; /* of lines to the caches of the threads that have said which core they are */
	uint64_t at[sizeof(struct rcumap) / COHERENCE_LINE + 2]; /* PART_SHARED: of each line of the struct */
};

/** The calling thread is this core, 1 to COHERENCE_CORES_MAX - 1. */
void coherence_be(unsigned core);
/** All caches are empty, and counting begins; of a map that does not grow meanwhile. Ends the program for want of memory. */
void coherence_start(const struct rcumap *map);
/** It ends: what was counted, until the next start. */
const struct coherence_counts *coherence_stop(void);

/** For the runtime: an access. Counts nothing before the start. */
void coherence_access(const volatile void *address, size_t size, bool store);

#endif
