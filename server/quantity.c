/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantity.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* A decimal fraction is kept as so many billionths. */
#define BILLION UINT64_C(1000000000)

struct decimal {
	uint64_t whole, billionths;
	const char *end; /* the first byte that does not belong to it */
};

/* -EINVAL: no number; -ERANGE: too large a one. Digits beyond the ninth count as one more in the ninth: rounded up. */
static int decimal_parse(const char *text, const char *limit, struct decimal *number)
{
	const char *p = text;
	uint64_t scale = BILLION / 10;
	int digits = 0, more = 0;

	*number = (struct decimal){ 0 };
	for (; p < limit && *p >= '0' && *p <= '9'; p++, digits++)
		if (__builtin_mul_overflow(number->whole, 10u, &number->whole) ||
		    __builtin_add_overflow(number->whole, (uint64_t)(*p - '0'), &number->whole))
			return -ERANGE;
	if (p < limit && *p == '.') {
		for (p++; p < limit && *p >= '0' && *p <= '9'; p++, digits++, scale /= 10) {
			number->billionths += (uint64_t)(*p - '0') * scale;
			more |= scale == 0 && *p != '0';
		}
		number->billionths += (uint64_t)more;
	}
	number->end = p;
	return digits ? 0 : -EINVAL;
}

/* `number` times `unit`, rounded up; unit below 2^60. */
static int decimal_scale(const struct decimal *number, uint64_t unit, uint64_t *product)
{
	unsigned __int128 whole = (unsigned __int128)number->whole * unit;
	unsigned __int128 rest = ((unsigned __int128)number->billionths * unit + BILLION - 1) / BILLION;

	if (whole + rest > UINT64_MAX)
		return -ERANGE;
	*product = (uint64_t)(whole + rest);
	return 0;
}

static int within(uint64_t least, uint64_t most, uint64_t number, uint64_t *out)
{
	if (number < least || number > most)
		return -ERANGE;
	*out = number;
	return 0;
}

int quantity_count(const char *text, uint64_t least, uint64_t most, uint64_t *count)
{
	const char *limit = text + strlen(text);
	struct decimal number;
	int result;

	if (strchr(text, '.'))
		return -EINVAL;
	result = decimal_parse(text, limit, &number);
	if (result == 0 && number.end != limit)
		result = -EINVAL;
	return result ? result : within(least, most, number.whole, count);
}

int quantity_bytes(const char *text, uint64_t whole, uint64_t least, uint64_t most, uint64_t *bytes)
{
	static const char units[] = "KkMmGgTt";
	const char *limit = text + strlen(text);
	struct decimal number;
	uint64_t unit = 1, product;
	int result = decimal_parse(text, limit, &number);

	if (result)
		return result;
	if (strcmp(number.end, "%") == 0) {
		/* Of a hundredth: the sizes of machines lose nothing that counts. */
		unit = whole / 100;
	} else if (*number.end) {
		const char *letter = strchr(units, *number.end);

		if (!letter || (number.end[1] && strcasecmp(number.end + 1, "iB") && strcasecmp(number.end + 1, "B")))
			return -EINVAL;
		unit <<= 10 * ((letter - units) / 2 + 1);
	} else if (number.billionths) {
		return -EINVAL;
	}
	result = decimal_scale(&number, unit, &product);
	return result ? result : within(least, most, product, bytes);
}

int quantity_span(const char *text, uint64_t least, uint64_t most, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "", 1000 },	  { "ms", 1 },		{ "s", 1000 },
		      { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 86400 * 1000 } };
	struct decimal number;
	uint64_t product;
	int result;

	if (strcmp(text, "never") == 0)
		return within(least, most, UINT64_MAX, ms);
	result = decimal_parse(text, text + strlen(text), &number);
	if (result)
		return result;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(number.end, units[i].name) == 0) {
			result = decimal_scale(&number, units[i].ms, &product);
			return result ? result : within(least, most, product, ms);
		}
	return -EINVAL;
}

int quantity_seconds(const char *text, size_t size, uint64_t *ms)
{
	struct decimal number;
	int result = decimal_parse(text, text + size, &number);

	if (result == 0 && number.end != text + size)
		result = -EINVAL;
	return result ? result : decimal_scale(&number, 1000, ms);
}
