/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file http.h
 * libmicrohttpd, and what a request goes through with it. A site (data, admin) decides about a request twice: once its
 * headers are there, and once its body is, too. This file owns connections, requests, what is refused before a site sees it,
 * and the end of all of it.
 */
#ifndef RCUMAPD_HTTP_H
#define RCUMAPD_HTTP_H

#include "headers.h"
#include "metrics.h"
#include "target.h"
#include "upload.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http;

struct request {
	struct http *http;
	struct MHD_Connection *connection;
	struct target target;
	struct headers headers;
	struct upload upload;
	/* What its answer takes of a budget, until it is sent: its site's, given back by http.c. */
	struct upload_budget *answer_budget;
	size_t answer_size;
	uint64_t began_ns;  /* CLOCK_MONOTONIC: when its first line was there */
	uint64_t discarded; /* bytes of body that nobody wants */
	uint64_t ttl_ms;    /* the data site's: of what is to be stored */
	enum verb verb;
	unsigned refusal; /* the status that it will be answered with, and why: see request_refuse() */
	const char *reason;
	const char *allowed; /* the methods of its target, for 405 */
	unsigned status;     /* as answered, 0 before */
	bool begun, answered;
};

/** What is served. */
struct http_site {
	/** The headers are there, no body yet. Either refuses (request_refuse()), or says what becomes of a body by
	 * upload_begin(), or does nothing: then a body is thrown away. Answers nothing. */
	void (*begin)(void *ctx, struct request *request);
	/** All is there, nothing was refused: answers, by one of the request_answer functions. */
	void (*finish)(void *ctx, struct request *request);
	void *ctx;
	bool counted; /* in metrics */
};

struct http_settings {
	struct http_site site;
	unsigned threads, max_connections, idle_timeout_s;
	uint64_t request_timeout_ms; /* see http_end_overdue() */
	size_t max_target; /* bytes of a request's target; longer ones are answered 414 */
};

/** NULL: no memory, no thread, no descriptor; the log says more. Takes no connections by itself: see http_add(). */
struct http *http_start(const struct http_settings *settings);

/** A connection that was accepted: its owner from now on. Beyond max_connections it is answered 503, and closed. Any thread. */
void http_add(struct http *http, int fd);

/** From now on every answer closes its connection. Any thread. */
void http_drain(struct http *http);

/** Close connections that are between requests; how many are left. After http_drain(), when nobody calls http_add() any
 * more. */
unsigned http_close_idle(struct http *http);

/** Have connections whose other side has closed looked at once more: for one thread, every second or so. */
void http_remind(struct http *http);

/**
 * Break off requests that have taken more than request_timeout_ms, from their first line until their answer is sent, and
 * connections on which nothing came to be a first line, though bytes came, for idle_timeout_s and that. The library's own
 * timeout begins anew with each byte. For one thread, every second or so.
 */
void http_end_overdue(struct http *http);

unsigned http_connections(const struct http *http);

/** End all, also what is under way. No thread calls http_add() any more. */
void http_stop(struct http *http);

/** Answer with this status, and a line of text that stays, when the request's body is through, or at once if it must be. The
 * first refusal counts. */
void request_refuse(struct request *request, unsigned status, const char *reason);

/** Answer. Takes over `response`; NULL (no memory for it) answers by closing the connection. */
void request_answer(struct request *request, unsigned status, struct MHD_Response *response);

/** Answer with a line of text, at most 150 bytes, without its newline; NULL for no body. */
void request_answer_text(struct request *request, unsigned status, const char *text);

/** Answer with `size` bytes of malloc's, taken over, of that content type. */
void request_answer_bytes(struct request *request, unsigned status, const char *type, void *bytes, size_t size);

#endif
