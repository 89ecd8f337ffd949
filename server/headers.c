/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libmicrohttpd 0.9.75 lets through, and is refused here:
 *
 * - white space before the colon (it refuses that when it is told to be lenient, not when it is told to be strict), and
 *   whatever else is no name;
 * - Content-Length twice, also with equal values: it takes the first;
 * - Content-Length with Transfer-Encoding: it takes the latter;
 * - transfer codings other than chunked: it reads until the connection ends;
 * - control characters in values;
 * - a zero byte in a value: it ends the value there;
 * - a header that goes on in the next line: it appends that line to the header's *name*;
 * - lines that end with LF alone.
 *
 * The last three are told by where things stand. The library leaves a request's head in its buffer as it came, and puts zero
 * bytes for what separates. So from the version to the end of the head there must be, without a gap: version, two bytes, and
 * for each header name, one byte, blanks, value, two bytes; and two bytes more.
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

/* The characters of a token: RFC 9110, 5.6.2. A set instead of strchr(): each byte of each header's name is looked up. */
static bool is_token(const char *text, size_t size)
{
#define BIT(c) (UINT64_C(1) << ((c) & 63))
	static const uint64_t delimiters[2] = {
		BIT('"') | BIT('(') | BIT(')') | BIT(',') | BIT('/') | BIT(':') | BIT(';') | BIT('<') | BIT('=') |
			BIT('>') | BIT('?'),
		BIT('@') | BIT('[') | BIT('\\') | BIT(']') | BIT('{') | BIT('}')
	};
#undef BIT

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || delimiters[c >> 6] >> (c & 63) & 1)
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

/* What walks through the head. */
struct walk {
	struct headers *headers;
	const char *next; /* where the next header must begin */
};

/* Does this header stand where it must? */
static bool stands_next(struct walk *walk, const char *name, size_t name_size, const char *value, size_t value_size)
{
	const char *p = name + name_size + 1;

	if (name != walk->next || !value)
		return false;
	while (p < value && (*p == ' ' || *p == '\t'))
		p++;
	walk->next = value + value_size + 2;
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
	KNOWN("Origin", origin, false),
#undef KNOWN
};

static const char torn[] = "a header on two lines, with a zero byte, or without CRLF";

static enum MHD_Result visit(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
			     size_t value_size)
{
	struct walk *walk = cls;
	struct headers *headers = walk->headers;

	(void)kind;
	if (!is_token(name, name_size))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, "a header's name is none");
	else if (!stands_next(walk, name, name_size, value, value_size))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, torn);
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

static size_t head_size(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info ? info->header_size : 0;
}

void headers_read(struct headers *headers, struct MHD_Connection *connection, const char *method, const char *version)
{
	struct walk walk = { headers, version + strlen(version) + 2 };

	*headers = (struct headers){ 0 };
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, visit, &walk);
	if (walk.next + 2 != method + head_size(connection))
		refuse_framing(headers, MHD_HTTP_BAD_REQUEST, torn);
	judge_framing(headers, version);
	headers->waits = headers->expect != NULL;
	if (headers->waits && strcasecmp(headers->expect, "100-continue"))
		refuse(headers, MHD_HTTP_EXPECTATION_FAILED, "Expect is 100-continue, or absent");
}

bool headers_foreign(const struct headers *headers)
{
	const char *host = headers->origin ? strstr(headers->origin, "://") : NULL;

	if (!headers->origin)
		return false;
	return !host || !headers->host || strcasecmp(host + 3, headers->host) != 0;
}
