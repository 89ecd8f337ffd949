/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, sizes, times: in the configuration, in `ttl`, in max-age. What is accepted matches its grammar, and is what
 * floating point makes of it. */
#include "fuzz.h"

#include "../lifetime.h"
#include "../quantity.h"

#include <errno.h>
#include <math.h>
#include <rcumap.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL "([0-9]+\\.?[0-9]*|\\.[0-9]+)"

static const char count_grammar[] = "^[0-9]+$";
static const char bytes_grammar[] = "^" DECIMAL "([kKmMgGtT]([iI]?[bB])?|%)?$";
static const char span_grammar[] = "^(" DECIMAL "(ms|s|m|h|d)?|never)$";
static const char seconds_grammar[] = "^" DECIMAL "$";
static const char max_age_grammar[] = "[mM][aA][xX]-[aA][gG][eE]";

/* Rounded up; long double has 64 bits of mantissa, the parser keeps nine digits of a fraction. */
static void check_product(const char *text, long double unit, uint64_t got)
{
	long double exact = strtold(text, NULL) * unit, slack = 1.0L + unit * 1.1e-9L + exact * 1e-18L;

	must((long double)got >= exact - slack && (long double)got <= exact + slack, "the number");
}

static void check_bytes(const char *text)
{
	static const uint64_t whole = UINT64_C(16000000100);
	uint64_t bytes = 0;
	int result = quantity_bytes(text, whole, 10, UINT64_C(1) << 60, &bytes);
	const char *unit = text + strspn(text, "0123456789.");
	static const char units[] = "kmgt";

	must(result || fuzz_matches(text, bytes_grammar), "a size that is accepted is one");
	if (result)
		return;
	must(bytes >= 10 && bytes <= UINT64_C(1) << 60, "a size within its bounds");
	if (*unit == '%')
		check_product(text, whole / 100, bytes);
	else
		check_product(text, *unit ? powl(1024, strchr(units, *unit | 0x20) - units + 1) : 1, bytes);
}

static void check_span(const char *text)
{
	uint64_t ms = 0;
	int result = quantity_span(text, 1, UINT64_MAX, &ms);
	const char *unit = text + strspn(text, "0123456789.");

	must(result || fuzz_matches(text, span_grammar), "a time that is accepted is one");
	if (result || *text == 'n')
		return;
	check_product(text,
		      strcmp(unit, "ms") == 0 ? 1 :
		      *unit == 'm'	      ? 60000 :
		      *unit == 'h'	      ? 3600000 :
		      *unit == 'd'	      ? 86400000 :
						1000,
		      ms);
}

static void check_seconds(const char *text)
{
	uint64_t ms = 0;
	int result = lifetime_parse(text, strlen(text), &ms);

	must(result == 0 || result == -EINVAL, "one way to refuse");
	if (result)
		return;
	must(fuzz_matches(text, seconds_grammar), "seconds that are accepted are some");
	must(ms <= RCUMAP_TTL_MAX, "a life that the map knows");
	must(ms > 0 || strtold(text, NULL) == 0, "what is more than nothing does not become nothing");
	check_product(text, 1000, ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size);
	uint64_t number = 0;
	int result = quantity_count(text, 0, 1000000, &number);

	must(result || fuzz_matches(text, count_grammar), "a count that is accepted is one");
	must(result || number == strtoull(text, NULL, 10), "a count is its number");
	check_bytes(text);
	check_span(text);
	check_seconds(text);
	result = lifetime_of_cache_control(text, &number);
	must(result == 0 || fuzz_matches(text, max_age_grammar), "no max-age where there is none");
	must(result != 1 || number <= RCUMAP_TTL_MAX, "a life that the map knows");
	free(text);
	return 0;
}
