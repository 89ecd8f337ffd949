/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file quantity.h
 * Numbers as people write them: counts, sizes with K, M, G, T or %, spans of time. Whoever parses one says in `what` why it
 * is none: a phrase that goes after the name of what was to be set.
 */
#ifndef RCUMAPD_QUANTITY_H
#define RCUMAPD_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/* Each returns 0 and the number, or -EINVAL (not one) or -ERANGE (one, but outside `least` to `most`). */

/** Decimal digits. */
int quantity_count(const char *text, uint64_t least, uint64_t most, uint64_t *count);

/** Bytes: digits, perhaps with a fraction, perhaps K, M, G or T (powers of 1024), or a percentage of `whole`. */
int quantity_bytes(const char *text, uint64_t whole, uint64_t least, uint64_t most, uint64_t *bytes);

/** Milliseconds: seconds, perhaps with a fraction, perhaps with ms, s, m, h or d; "never" is UINT64_MAX. */
int quantity_span(const char *text, uint64_t least, uint64_t most, uint64_t *ms);

/**
 * Seconds with an optional fraction, `size` bytes of text that nothing terminates, as milliseconds, rounded up: what is
 * more than nothing does not become nothing. Digits, with at most one point; no sign, no exponent, no blanks.
 */
int quantity_seconds(const char *text, size_t size, uint64_t *ms);

#endif
