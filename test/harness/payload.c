/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload.h"

#include "random.h"

#include <assert.h>
#include <string.h>

struct header {
	uint64_t key, number, check;
};

_Static_assert(sizeof(struct header) == PAYLOAD_SIZE_MIN, "payload.h draws it");

static uint64_t checksum(uint64_t key, uint64_t number, size_t size)
{
	return rng_mix(rng_mix(rng_mix(key + 1) ^ number) + size);
}

/* Word i of the body: an odd multiple, so that no two words of one body are equal, nor a shifted body the same. */
static uint64_t body_word(uint64_t check, size_t i)
{
	return check ^ (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

void payload_fill(void *value, size_t size, uint64_t key, uint64_t number)
{
	struct header h = { key, number, checksum(key, number, size) };
	unsigned char *p = value;
	size_t at = sizeof h, i = 0;

	assert(size >= PAYLOAD_SIZE_MIN);
	memcpy(p, &h, sizeof h);
	for (; at < size; at += 8, i++) {
		uint64_t word = body_word(h.check, i);

		memcpy(p + at, &word, size - at < 8 ? size - at : 8);
	}
}

enum payload_verdict payload_verify(const void *value, size_t size, uint64_t key, uint64_t *number)
{
	const unsigned char *p = value;
	struct header h;
	size_t at = sizeof h, i = 0;

	if (size < PAYLOAD_SIZE_MIN)
		return PAYLOAD_TORN;
	memcpy(&h, p, sizeof h);
	if (h.check != checksum(h.key, h.number, size))
		return PAYLOAD_TORN;
	for (; at < size; at += 8, i++) {
		uint64_t word = body_word(h.check, i);

		if (memcmp(p + at, &word, size - at < 8 ? size - at : 8) != 0)
			return PAYLOAD_TORN;
	}
	if (number)
		*number = h.number;
	return h.key == key ? PAYLOAD_OK : PAYLOAD_WRONG_KEY;
}

const char *payload_verdict_name(enum payload_verdict verdict)
{
	static const char *const names[] = { "ok", "torn", "of another key" };

	return names[verdict];
}
