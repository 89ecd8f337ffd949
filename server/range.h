/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file range.h
 * A part of a value: RFC 9110, 14. One range; several, other units and what cannot be parsed are ignored, as the RFC allows.
 */
#ifndef RCUMAPD_RANGE_H
#define RCUMAPD_RANGE_H

#include <stddef.h>

enum range { RANGE_ALL, RANGE_PART, RANGE_UNSATISFIABLE };

/** `text`: the header's value, NULL if absent. With RANGE_PART: the part of `size` bytes that is asked for. */
enum range range_read(const char *text, size_t size, size_t *offset, size_t *length);

#endif
