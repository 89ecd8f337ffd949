/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file payload.h
 * Values that can tell whether they are whole and whose they are.
 *
 * A value holds its key's number, a version number, a checksum of both with its size, and a body that follows
 * from the checksum: every byte is determined. A mix of two values, freed memory that was written to, or a value
 * under a foreign key is told apart from a good one. Whether the version is one that may be seen is for the
 * caller to judge.
 *
 *      0        8        16       24                size
 *      | key    | number | check  | body ...        |
 */
#ifndef HARNESS_PAYLOAD_H
#define HARNESS_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

/** The smallest payload, in bytes. */
#define PAYLOAD_SIZE_MIN 24u

enum payload_verdict {
	PAYLOAD_OK,
	PAYLOAD_TORN,      /* not what any payload_fill() wrote */
	PAYLOAD_WRONG_KEY, /* whole, but of another key */
};

/** Fill `size` bytes, at least PAYLOAD_SIZE_MIN, at any alignment. */
void payload_fill(void *value, size_t size, uint64_t key, uint64_t number);

/**
 * Check `size` bytes found under `key`.
 *
 * @param[out] number   the number they were filled with, unless torn; may be NULL.
 */
enum payload_verdict payload_verify(const void *value, size_t size, uint64_t key, uint64_t *number);

/** "ok", "torn" or "of another key". */
const char *payload_verdict_name(enum payload_verdict verdict);

#endif
