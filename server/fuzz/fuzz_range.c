/* SPDX-License-Identifier: BSD-2-Clause */
/* Range: a part lies within the value, and is the same when it is asked for in so many words. */
#include "fuzz.h"

#include "../range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char grammar[] = "^[bB][yY][tT][eE][sS]=([0-9]+-[0-9]*|-[0-9]+)$";

static void check(const char *text, size_t size)
{
	size_t offset = 0, length = 0, offset_again = 0, length_again = 0;
	enum range range = range_read(text, size, &offset, &length);
	char words[64];

	must(range == RANGE_ALL || fuzz_matches(text, grammar), "a range that is heeded is one");
	if (range != RANGE_PART)
		return;
	must(length > 0 && offset < size && length <= size - offset, "a part lies within");
	snprintf(words, sizeof words, "bytes=%zu-%zu", offset, offset + length - 1);
	must(range_read(words, size, &offset_again, &length_again) == RANGE_PART, "a part can be asked for");
	must(offset == offset_again && length == length_again, "a part is a part");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const size_t sizes[] = { 0, 1, 2, 9, 10, 1000, SIZE_MAX / 2 };
	char *text = fuzz_text(bytes, size);

	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
		check(text, sizes[i]);
	free(text);
	return 0;
}
