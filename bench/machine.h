/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file machine.h
 * Where and from what a figure was measured: no figure is worth anything without it.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "json.h"

#include <stdint.h>

struct machine {
	char cpu[80];	     /* the processor's name */
	char kernel[80];     /* "Linux 6.1.0-18-amd64 x86_64" */
	char huge_pages[16]; /* transparent ones: "always", "madvise", "never", or "unknown" */
	char date[32];	     /* when it was described: "2026-01-31 12:00 UTC" */
	char commit[24];     /* of the tree it runs in, with "+" if that has changes; "unknown" outside of git */
	const char *compiler, *flags; /* with which this was compiled */
	unsigned cores;
	uint64_t memory_bytes;
};

struct machine machine_describe(void);
/** As an object called "machine". */
void machine_write_json(struct json *j, const struct machine *m);

#endif
