/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libmicrohttpd 0.9.75 lets through, and is refused here:
 *
 * - white space before the colon (it refuses that when it is told to be lenient, not when it is told to be strict);
 * - Content-Length twice, also with equal values: it takes the first;
 * - Content-Length with Transfer-Encoding: it takes the latter;
 * - transfer codings other than chunked: it reads until the connection ends;
 * - a header that goes on in the next line: it appends that line to the header's *name*. Told by the value, which then does
 *   not stand behind the name any more;
 * - control characters in values.
 *
 * It cannot be told from here: a zero byte in a value ends it.
 */
#include "headers.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static void refuse(struct headers *headers, unsigned status, const char *error)
{
	if (headers->status)
		return;
	headers->status = status;
	headers->error = error;
}

static void refuse_framing(struct headers *headers, unsigned status, const char *error)
{
	refuse(headers, status, error);
	headers->unframed = true;
}

/* The characters of a token: RFC 9110, 5.6.2. */
static bool is_token(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return size > 0;
}

static bool is_field_value(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Name, colon, blanks and value stand in the library's buffer as they came: with zero bytes for the colon. */
static bool stand_together(const char *name, size_t name_size, const char *value)
{
	const char *p = name + name_size + 1;

	while (p < value && (*p == ' ' || *p == '\t'))
		p++;
	return p == value;
}

/* Single: a second one is refused, for the two could be understood in two ways. */
static const struct known {
	const char *name;
	size_t size, offset;
	bool framing;
} known[] = {
#define KNOWN(text, field, framing)                                             \
	{                                                                       \
		text, sizeof text - 1, offsetof(struct headers, field), framing \
	}
	KNOWN("Host", host, false),
	KNOWN("Content-Length", content_length, true),
	KNOWN("Transfer-Encoding", transfer_encoding, true),
	KNOWN("Content-Type", content_type, false),
	KNOWN("If-Match", if_match, false),
	KNOWN("If-None-Match", if_none_match, false),
	KNOWN("Range", range, false),
	KNOWN("If-Range", if_range, false),
	KNOWN("Cache-Control", cache_control, false),
	KNOWN("Expect", expect, false),
#undef KNOWN
};

static enum MHD_Result visit(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
			     size_t value_size)
{
	struct headers *headers = cls;

	(void)kind;
	if (!is_token(name, name_size))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "a header's name is none");
	else if (!value || !stand_together(name, name_size, value))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "a header that goes on in the next line");
	else if (!is_field_value(value, value_size))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "a control character in a header");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const char **field = (const char **)((char *)headers + known[i].offset);

		if (known[i].size != name_size || strncasecmp(known[i].name, name, name_size))
			continue;
		if (*field && known[i].framing)
			refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "Content-Length or Transfer-Encoding twice");
		else if (*field)
			refuse(headers, MHD_HTTP_BAD_REQUEST, "a header twice that may stand there once");
		*field = value;
		break;
	}
	return MHD_YES;
}

static void judge_framing(struct headers *headers, const char *version)
{
	if (headers->transfer_encoding) {
		headers->chunked = true;
		if (headers->content_length)
			refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "Content-Length with Transfer-Encoding");
		else if (strcasecmp(headers->transfer_encoding, "chunked"))
			refuse_framing(headers, MHD_HTTP_NOT_IMPLEMENTED, "a transfer coding other than chunked");
		else if (strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
			refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "Transfer-Encoding in HTTP/1.0");
	} else if (headers->content_length) {
		headers->has_length = true;
		/* The library has refused what is not digits, or more than 64 bits hold. */
		for (const char *p = headers->content_length; *p >= '0' && *p <= '9'; p++)
			headers->length = headers->length * 10 + (uint64_t)(*p - '0');
	}
}

void headers_read(struct headers *headers, struct MHD_Connection *connection, const char *version)
{
	*headers = (struct headers){ 0 };
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, visit, headers);
	judge_framing(headers, version);
	if (!headers->expect)
		return;
	if (strcasecmp(headers->expect, "100-continue"))
		refuse(headers, MHD_HTTP_EXPECTATION_FAILED, "Expect is 100-continue, or absent");
	else
		headers->waits = true;
}
