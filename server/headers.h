/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file headers.h
 * One pass over a request's headers: refuses what the HTTP library lets through and should not (see headers.c), picks out
 * what is used.
 */
#ifndef RCUMAPD_HEADERS_H
#define RCUMAPD_HEADERS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/** Values are the library's, until the request is completed; NULL if the header is absent. */
struct headers {
	const char *host, *content_length, *transfer_encoding, *content_type, *if_match, *if_none_match, *range,
		*if_range, *cache_control, *expect, *origin;
	bool has_length;
	uint64_t length; /* of the body, if has_length; else it is chunked, or there is none */
	bool chunked;
	bool waits;	   /* with its body, for an answer to Expect */
	unsigned status;   /* what is wrong: 400, 417, 501; 0 if nothing is */
	const char *error; /* ... in words */
	bool unframed;	   /* where this request ends is not certain: the connection must be closed */
};

/** `method` and `version` as the library gives them to the handler of its first call. */
void headers_read(struct headers *headers, struct MHD_Connection *connection, const char *method, const char *version);

#define HEADERS_FOREIGN "sent by a page of another site"

/** Did a browser send it on behalf of a page of another site? It says so with what is not GET or HEAD: its Origin is not our
 * Host. */
bool headers_foreign(const struct headers *headers);

#endif
