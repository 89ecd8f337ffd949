/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch_json.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 16u

static json_t *variant(const json_t *object, const char *name, const char *suffix)
{
	char full[NAME_SIZE];

	snprintf(full, sizeof full, "%s%s", name, suffix);
	return json_object_get(object, full);
}

static enum batch_found copy_text(const json_t *text, size_t head, struct batch_bytes *bytes)
{
	size_t size = json_string_length(text);

	bytes->size = size;
	bytes->data = (const unsigned char *)json_string_value(text);
	if (head == 0)
		return BATCH_PRESENT;
	bytes->owned = malloc(head + size);
	if (!bytes->owned)
		return BATCH_BAD;
	memcpy(bytes->owned + head, bytes->data, size);
	bytes->data = bytes->owned;
	return BATCH_PRESENT;
}

static enum batch_found decode(const json_t *text, size_t head, struct batch_bytes *bytes)
{
	size_t room = json_string_length(text) / 4 * 3 + 3;

	bytes->owned = malloc(head + room);
	if (!bytes->owned ||
	    sodium_base642bin(bytes->owned + head, room, json_string_value(text), json_string_length(text), NULL,
			      &bytes->size, NULL, sodium_base64_VARIANT_ORIGINAL)) {
		free(bytes->owned);
		bytes->owned = NULL;
		return BATCH_BAD;
	}
	bytes->data = bytes->owned;
	return BATCH_PRESENT;
}

enum batch_found batch_bytes_read(const json_t *object, const char *name, size_t head, struct batch_bytes *bytes)
{
	const json_t *text = variant(object, name, ""), *coded = variant(object, name, "64");

	*bytes = (struct batch_bytes){ 0 };
	if (!text && !coded)
		return BATCH_ABSENT;
	if ((text && coded) || !json_is_string(text ? text : coded))
		return BATCH_BAD;
	return text ? copy_text(text, head, bytes) : decode(coded, head, bytes);
}

static bool set_coded(json_t *object, const char *name, const void *data, size_t size)
{
	size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
	char full[NAME_SIZE], *coded = malloc(room);
	bool done;

	if (!coded)
		return false;
	sodium_bin2base64(coded, room, data, size, sodium_base64_VARIANT_ORIGINAL);
	snprintf(full, sizeof full, "%s64", name);
	done = json_object_set_new_nocheck(object, full, json_string_nocheck(coded)) == 0;
	free(coded);
	return done;
}

bool batch_bytes_write(json_t *object, const char *name, const void *data, size_t size, bool base64)
{
	/* Refuses what is not UTF-8. */
	json_t *text = base64 ? NULL : json_stringn(data, size);

	if (!text)
		return set_coded(object, name, data, size);
	return json_object_set_new_nocheck(object, name, text) == 0;
}

size_t batch_values(const void *text, size_t size)
{
	const unsigned char *bytes = text;
	size_t values = 1;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '{' || bytes[i] == '[' || bytes[i] == ',') {
			values++;
		} else if (bytes[i] == '"') {
			for (i++; i < size && bytes[i] != '"'; i++)
				i += bytes[i] == '\\';
		}
	}
	return values;
}

/* Bytes that JSON's escape of this one adds. */
static size_t escape_cost(unsigned char byte)
{
	if (byte == '"' || byte == '\\' || (byte >= '\b' && byte <= '\r' && byte != '\v'))
		return 1;
	return byte < 0x20 ? 5 : 0;
}

size_t batch_bytes_cost(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	size_t escapes = 0;

	for (size_t i = 0; i < size; i++)
		escapes += escape_cost(bytes[i]);
	return size + (escapes > size / 3 ? escapes : size / 3) + 64;
}
