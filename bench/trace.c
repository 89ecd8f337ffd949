/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define READ_BYTES (1u << 20)

/* Make room for `more` bytes behind `size`. */
static int reserve(unsigned char **bytes, size_t *capacity, size_t size, size_t more)
{
	unsigned char *larger;

	if (*capacity - size >= more)
		return 0;
	larger = realloc(*bytes, 2 * *capacity + more);
	if (!larger)
		return -ENOMEM;
	*bytes = larger;
	*capacity = 2 * *capacity + more;
	return 0;
}

/* All that is in `file`. *bytes is malloc'ed, on failure too. */
static int read_plain(FILE *file, unsigned char **bytes, size_t *size)
{
	size_t capacity = 0, n;

	do {
		if (reserve(bytes, &capacity, *size, READ_BYTES) != 0)
			return -ENOMEM;
		n = fread(*bytes + *size, 1, READ_BYTES, file);
		*size += n;
	} while (n > 0);
	return ferror(file) ? -EIO : 0;
}

/* The same, decompressed. */
static int decompress(ZSTD_DStream *stream, ZSTD_inBuffer in, unsigned char **bytes, size_t *size)
{
	size_t capacity = 0, rest;
	ZSTD_outBuffer out;

	do {
		if (reserve(bytes, &capacity, *size, READ_BYTES) != 0)
			return -ENOMEM;
		out = (ZSTD_outBuffer){ *bytes, capacity, *size };
		rest = ZSTD_decompressStream(stream, &out, &in);
		*size = out.pos;
		if (ZSTD_isError(rest))
			return -EINVAL;
	} while (in.pos < in.size || out.pos == out.size);
	return rest == 0 ? 0 : -EINVAL;
}

static int read_compressed(FILE *file, unsigned char **bytes, size_t *size)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	unsigned char *packed = NULL;
	size_t packed_size = 0;
	int error = stream ? read_plain(file, &packed, &packed_size) : -ENOMEM;

	if (error == 0)
		error = decompress(stream, (ZSTD_inBuffer){ packed, packed_size, 0 }, bytes, size);
	free(packed);
	ZSTD_freeDStream(stream);
	return error;
}

static int parse(struct trace *trace, unsigned char *bytes, size_t size)
{
	struct request *requests = (struct request *)bytes;

	if (size == 0 || size % sizeof *requests != 0)
		return -EINVAL;
	*trace = (struct trace){ .requests = requests, .count = size / sizeof *requests };
	for (uint64_t i = 0; i < trace->count; i++) {
		struct request *r = &requests[i];

		r->key = le32toh(r->key);
		r->size = le32toh(r->size);
		if (r->key >= trace->keys)
			trace->keys = r->key + 1;
		if (r->size > trace->size_max)
			trace->size_max = r->size;
	}
	return 0;
}

int trace_read(struct trace *trace, const char *path)
{
	size_t length = strlen(path), size = 0;
	bool compressed = length > 4 && strcmp(path + length - 4, ".zst") == 0;
	unsigned char *bytes = NULL;
	FILE *file = fopen(path, "re");
	int error;

	if (!file)
		return -errno;
	error = compressed ? read_compressed(file, &bytes, &size) : read_plain(file, &bytes, &size);
	fclose(file);
	if (error == 0)
		error = parse(trace, bytes, size);
	if (error)
		free(bytes);
	return error;
}

void trace_free(struct trace *trace)
{
	free(trace->requests);
	trace->requests = NULL;
}
