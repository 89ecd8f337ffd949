/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include "batch.h"
#include "fetch.h"
#include "remove.h"
#include "store.h"

#include <errno.h>
#include <string.h>

static const char value_methods[] = "GET, HEAD, PUT, POST, DELETE, OPTIONS";
static const char batch_methods[] = "POST, OPTIONS";

static bool is_batch(const struct request *request)
{
	return strcmp(request->target.path, BATCH_PATH) == 0;
}

/* A page may have a browser POST what it likes to any address, also to one that only its user reaches. */
static bool is_foreign_write(const struct request *request)
{
	bool reads = request->verb == VERB_GET || request->verb == VERB_HEAD || request->verb == VERB_OPTIONS;

	return !reads && headers_foreign(&request->headers);
}

static void begin_value(struct data *data, struct request *request)
{
	request->allowed = value_methods;
	if (request->verb == VERB_OTHER)
		request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "no such method here");
	else if (is_foreign_write(request))
		request_refuse(request, MHD_HTTP_FORBIDDEN, HEADERS_FOREIGN);
	else if (request->target.key_size == 0)
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "an empty key");
	else if (request->target.key_size > data->config->max_key)
		request_refuse(request, MHD_HTTP_URI_TOO_LONG, "the key is too long");
	else if (request->verb == VERB_PUT || request->verb == VERB_POST)
		store_begin(data, request);
	else if (request->target.has_ttl)
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "'ttl' is for PUT and POST");
}

static void begin_batch(struct data *data, struct request *request)
{
	request->allowed = batch_methods;
	if (request->verb == VERB_OPTIONS)
		return;
	if (request->verb != VERB_POST)
		request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "batches are sent by POST");
	else if (is_foreign_write(request))
		request_refuse(request, MHD_HTTP_FORBIDDEN, HEADERS_FOREIGN);
	else if (request->target.has_ttl)
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "in a batch 'ttl' stands in each operation");
	else
		batch_begin(data, request);
	request->verb = VERB_BATCH;
}

static void begin(void *ctx, struct request *request)
{
	if (request->target.key)
		begin_value(ctx, request);
	else if (is_batch(request))
		begin_batch(ctx, request);
	else if (request->verb != VERB_OPTIONS || strcmp(request->target.path, "*"))
		request_refuse(request, MHD_HTTP_NOT_FOUND, "there is " TARGET_KEY_PREFIX "KEY, and " BATCH_PATH);
	else
		request->allowed = value_methods;
}

static void answer_options(struct request *request)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (response && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allowed) == MHD_NO) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, MHD_HTTP_NO_CONTENT, response);
}

static void finish(void *ctx, struct request *request)
{
	switch (request->verb) {
	case VERB_GET:
	case VERB_HEAD:
		fetch_answer(ctx, request);
		return;
	case VERB_PUT:
	case VERB_POST:
		store_answer(ctx, request);
		return;
	case VERB_DELETE:
		remove_answer(ctx, request);
		return;
	case VERB_BATCH:
		batch_answer(ctx, request);
		return;
	default:
		answer_options(request);
	}
}

struct http_site data_site(struct data *data)
{
	return (struct http_site){ .begin = begin, .finish = finish, .ctx = data, .counted = true };
}

unsigned data_refusal(int error, const char **text)
{
	metrics_add(COUNTER_REFUSED, 1);
	switch (error) {
	case -EFBIG:
		*text = "the value is larger than the cache";
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case -ENOSPC:
	case -ENOMEM:
		*text = "no memory for it just now";
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	case -EOVERFLOW:
		*text = "too many keys share its hash";
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	default:
		*text = "the map refused it";
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}
