/* SPDX-License-Identifier: BSD-2-Clause */
#include "target.h"

#include "lifetime.h"

#include <string.h>
#include <strings.h>

static void read_parameter(struct target *target, const char *text, size_t size)
{
	static const char ttl[] = "ttl=";

	if (size == 0)
		return;
	if (size < sizeof ttl - 1 || memcmp(text, ttl, sizeof ttl - 1)) {
		target->error = "unknown query parameter: there is 'ttl'";
		return;
	}
	if (target->has_ttl) {
		target->error = "more than one 'ttl'";
		return;
	}
	target->has_ttl = true;
	if (lifetime_parse(text + sizeof ttl - 1, size - (sizeof ttl - 1), &target->ttl_ms))
		target->error = "'ttl' is not a number of seconds, 0 or more";
}

void target_begin(struct target *target, char *text)
{
	const char *p = strchr(text, '?');

	*target = (struct target){ .begin = text, .raw_size = strlen(text) };
	while (p && !target->error) {
		const char *end;

		p++;
		end = strchr(p, '&');
		read_parameter(target, p, end ? (size_t)(end - p) : strlen(p));
		p = end;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Never grows. Bytes above 0x7f that should have been escaped are taken as they are. */
static const char *decode_key(char *key, size_t *size)
{
	const char *from = key;
	char *to = key;

	while (*from) {
		unsigned char c = (unsigned char)*from;

		if (c == '%') {
			int high = hex_digit(from[1]);
			int low = high < 0 ? -1 : hex_digit(from[2]);

			if (low < 0)
				return "'%' without two hexadecimal digits";
			*to++ = (char)(high << 4 | low);
			from += 3;
			continue;
		}
		if (c <= 0x20 || c == 0x7f || c == '#')
			return "a byte in the key that must be percent-encoded";
		*to++ = *from++;
	}
	*size = (size_t)(to - key);
	*to = '\0';
	return NULL;
}

/* The path of an absolute URI, as a proxy sends it. */
static char *path_of(char *text)
{
	static const char scheme[] = "http://";

	if (strncasecmp(text, scheme, sizeof scheme - 1) == 0) {
		char *slash = strchr(text + sizeof scheme - 1, '/');

		return slash ? slash : text;
	}
	return text;
}

void target_decode(struct target *target, char *text)
{
	static const char prefix[] = TARGET_KEY_PREFIX;
	char *path = path_of(text);
	const char *error;

	target->path = path;
	if (strncmp(path, prefix, sizeof prefix - 1))
		return;
	target->key = path + sizeof prefix - 1;
	error = decode_key(path + sizeof prefix - 1, &target->key_size);
	if (error && !target->error)
		target->error = error;
}
