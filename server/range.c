/* SPDX-License-Identifier: BSD-2-Clause */
#include "range.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Digits; too large a number is the largest. */
static bool read_position(const char **text, uint64_t *position)
{
	const char *p = *text;

	*position = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(*position, 10u, position) ||
		    __builtin_add_overflow(*position, (uint64_t)(*p - '0'), position))
			*position = UINT64_MAX / 16; /* beyond any value, and room for one more digit */
	if (p == *text)
		return false;
	*text = p;
	return true;
}

enum range range_read(const char *text, size_t size, size_t *offset, size_t *length)
{
	static const char unit[] = "bytes=";
	uint64_t first = 0, last = UINT64_MAX;
	bool has_first, has_last;

	if (!text || strncasecmp(text, unit, sizeof unit - 1))
		return RANGE_ALL;
	text += sizeof unit - 1;
	has_first = read_position(&text, &first);
	if (*text++ != '-')
		return RANGE_ALL;
	has_last = read_position(&text, &last);
	if (*text || (!has_first && !has_last) || (has_first && has_last && last < first))
		return RANGE_ALL;
	if (!has_first) {
		/* The last so many. */
		if (last == 0 || size == 0)
			return RANGE_UNSATISFIABLE;
		*length = last < size ? (size_t)last : size;
		*offset = size - *length;
		return RANGE_PART;
	}
	if (first >= size)
		return RANGE_UNSATISFIABLE;
	*offset = (size_t)first;
	*length = (has_last && last < size ? (size_t)last + 1 : size) - *offset;
	return RANGE_PART;
}
