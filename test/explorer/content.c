/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena.h"
#include "report.h"
#include "subject.h"

#include <string.h>

/* Sizes differ, so that entries of one key differ in size too. */
void content_of_key(struct content *content, unsigned key)
{
	content->size = 1 + key * 3;
	memset(content->bytes, 'a' + (int)key, content->size);
}

void content_of_value(struct content *content, unsigned key, unsigned value)
{
	content->size = 2 + value % 5 * 8;
	memset(content->bytes, (int)(key * 16 + value), content->size);
	content->bytes[0] = (unsigned char)value;
	content->bytes[1] = (unsigned char)key;
}

unsigned content_value(unsigned key, const void *bytes, size_t size)
{
	struct content expected;
	unsigned value;

	arena_check(bytes, size, false, __builtin_return_address(0));
	if (size < 2)
		report_failure("a value of %zu bytes was found, which nobody stored", size);
	value = *(const unsigned char *)bytes;
	content_of_value(&expected, key, value);
	if (size != expected.size || memcmp(bytes, expected.bytes, size) != 0)
		report_failure("the value found under key %c is torn, freed or another key's", 'a' + (int)key);
	return value;
}
