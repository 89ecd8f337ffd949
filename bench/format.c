/* SPDX-License-Identifier: BSD-2-Clause */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three digits, whatever the size: 1.25, 12.5, 125. */
static struct formatted three_digits(double value, const char *unit)
{
	struct formatted f;
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(f.text, sizeof f.text, "%.*f %s", decimals, value, unit);
	return f;
}

struct formatted format_count(uint64_t n)
{
	struct formatted f = { "" };
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			f.text[at++] = ',';
		f.text[at++] = digits[i];
	}
	return f;
}

struct formatted format_ns(double ns)
{
	struct formatted f;

	if (ns >= 999.5)
		return ns < 999.5e3 ? three_digits(ns / 1e3, "us") :
		       ns < 999.5e6 ? three_digits(ns / 1e6, "ms") :
				      three_digits(ns / 1e9, "s");
	snprintf(f.text, sizeof f.text, "%.0f ns", ns);
	return f;
}

struct formatted format_bytes(double bytes)
{
	return bytes < 999.5e6 ? three_digits(bytes / 1e6, "MB") : three_digits(bytes / 1e9, "GB");
}

struct formatted format_rate(double per_second)
{
	return per_second < 999.5e3 ? three_digits(per_second / 1e3, "k/s") : three_digits(per_second / 1e6, "M/s");
}

struct formatted format_times(double times)
{
	struct formatted f;

	if (times < 99.5) {
		snprintf(f.text, sizeof f.text, "%.1f x", times);
	} else {
		f = format_count((uint64_t)(times + 0.5));
		strcat(f.text, " x");
	}
	return f;
}
