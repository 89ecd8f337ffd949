/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include "item.h"
#include "lifetime.h"

#include <string.h>

/* Called again when another thread changed the key meanwhile: every result is set each time. */
static int decide(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct store *store = ((void **)ctx)[0];
	const struct cache *cache = ((void **)ctx)[1];

	store->existed = old != NULL;
	store->verdict = conditional_judge(cache, store->if_match, store->if_none_match, old);
	if (store->verdict != CONDITIONAL_GO_ON)
		return RCUMAP_KEEP;
	value->data = store->value;
	value->size = store->value_size;
	value->ttl_ms = store->ttl_ms;
	return 0;
}

int store_run(struct cache *cache, struct store *store)
{
	void *ctx[] = { store, cache };
	int result;

	item_write_head(store->value, store->type, cache_seconds(cache));
	result = rcumap_update(cache->map, store->key, store->key_size, decide, ctx, &store->version);
	if (result == 0 && store->verdict == CONDITIONAL_GO_ON)
		metrics_add(COUNTER_STORED, 1);
	return result;
}

bool store_type_valid(const char *type)
{
	size_t size = strlen(type);

	if (size > ITEM_TYPE_SIZE_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)type[i] < 0x20 || (unsigned char)type[i] >= 0x7f)
			return false;
	return true;
}

/* Sets request->ttl_ms; false if it was refused. */
static bool read_lifetime(struct request *request)
{
	const char *control = request->headers.cache_control;

	request->ttl_ms = RCUMAP_TTL_DEFAULT;
	if (request->target.has_ttl) {
		request->ttl_ms = request->target.ttl_ms;
	} else if (control && lifetime_of_cache_control(control, &request->ttl_ms) < 0) {
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "max-age is not a number of seconds, 0 or more");
		return false;
	}
	return true;
}

void store_begin(struct data *data, struct request *request)
{
	const struct headers *headers = &request->headers;
	const char *type = headers->content_type;

	if (!read_lifetime(request))
		return;
	if (type && !store_type_valid(type)) {
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "Content-Type is longer than 255 bytes, or not ASCII");
		return;
	}
	if (!headers->has_length && !headers->chunked) {
		request_refuse(request, MHD_HTTP_LENGTH_REQUIRED, "neither Content-Length nor Transfer-Encoding");
		return;
	}
	if (data->cache->max_bytes && headers->length > data->cache->max_bytes) {
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "the value is larger than the cache");
		return;
	}
	if (headers->length > data->config->max_value)
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "the value is larger than --max-value");
	else if (upload_begin(&request->upload, &data->budget, item_head_size(type), headers->length,
			      data->config->max_value))
		request_refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, "too many bodies are coming in just now");
}

static void answer_stored(struct data *data, struct request *request, const struct store *store)
{
	unsigned status = store->existed ? MHD_HTTP_NO_CONTENT : MHD_HTTP_CREATED;
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	char etag[ETAG_SIZE];

	etag_write(data->cache, store->version, etag);
	if (response && *etag && MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, etag) == MHD_NO) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, status, response);
}

void store_answer(struct data *data, struct request *request)
{
	struct store store = { .key = request->target.key,
			       .key_size = request->target.key_size,
			       .type = request->headers.content_type,
			       .ttl_ms = request->ttl_ms,
			       .if_match = request->headers.if_match,
			       .if_none_match = request->headers.if_none_match };
	const char *text;
	int result;

	if (upload_finish(&request->upload)) {
		request_answer_text(request, MHD_HTTP_INSUFFICIENT_STORAGE, "no memory for the body");
		return;
	}
	store.value = request->upload.bytes;
	store.value_size = request->upload.head + request->upload.size;
	result = store_run(data->cache, &store);
	upload_end(&request->upload);
	if (result) {
		unsigned status = data_refusal(result, &text);

		request_answer_text(request, status, text);
	} else if (store.verdict == CONDITIONAL_MALFORMED) {
		request_answer_text(request, MHD_HTTP_BAD_REQUEST, "If-Match or If-None-Match is no list of tags");
	} else if (store.verdict != CONDITIONAL_GO_ON) {
		request_answer_text(request, MHD_HTTP_PRECONDITION_FAILED, "the precondition does not hold");
	} else {
		answer_stored(data, request, &store);
	}
}
