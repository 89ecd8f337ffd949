/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file trace.h
 * An access trace in memory. The file format is in bench/traces/README.md.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <stdint.h>

struct request {
	uint32_t key, size;
};

struct trace {
	struct request *requests;
	uint64_t count;
	uint32_t keys;	   /* distinct ones: 0 to keys - 1 */
	uint32_t size_max; /* the largest size in it */
};

/**
 * Read a file, decompressing it if its name ends in .zst.
 *
 * @retval 0         read; trace_free() gives the memory back.
 * @retval -ENOENT   there is no such file.
 * @retval -EINVAL   empty, not whole records, or not what zstd wrote.
 * @retval -ENOMEM   no memory.
 * @return           another -errno if the file cannot be read.
 */
int trace_read(struct trace *trace, const char *path);
void trace_free(struct trace *trace);

#endif
