/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file batch_json.h
 * Bytes in JSON: as text under a name, or in base64 under that name with "64" after it.
 */
#ifndef RCUMAPD_BATCH_JSON_H
#define RCUMAPD_BATCH_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Bytes of an operation: of the document, or decoded. */
struct batch_bytes {
	const unsigned char *data;
	size_t size;
	unsigned char *owned; /* to be freed */
};

enum batch_found { BATCH_ABSENT, BATCH_PRESENT, BATCH_BAD /* both, no string, no base64, no memory */ };

/** Read `name` or `name64` of an object; the bytes stand `head` bytes after *data if `head` is not 0 (then they are a copy). */
enum batch_found batch_bytes_read(const json_t *object, const char *name, size_t head, struct batch_bytes *bytes);

/** Set `name` to text, or `name64` to base64 if it is not UTF-8, or if `base64`. False: no memory. */
bool batch_bytes_write(json_t *object, const char *name, const void *data, size_t size, bool base64);

/** How many values a document has, at most, whether or not it is JSON; strings count little. What json_loadb() makes of
 * {}, or of 0, takes up to a hundred times as many bytes. */
size_t batch_values(const void *text, size_t size);

/** How many bytes batch_bytes_write() adds to the document, at most, and what stands around them, about. */
size_t batch_bytes_cost(const void *data, size_t size);

#endif
