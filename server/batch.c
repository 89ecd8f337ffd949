/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch.h"

#include "batch_json.h"
#include "item.h"
#include "lifetime.h"
#include "remove.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the result of an operation takes, at most, but for a value. */
#define RESULT_SIZE 128u

/* A batch that is being worked through. */
struct batch {
	struct data *data;
	struct request *request;
	size_t answered, limit; /* bytes that the answer has, about; and may have */
	bool full;		/* a store found no room */
};

void batch_begin(struct data *data, struct request *request)
{
	const struct headers *headers = &request->headers;

	if (!headers->has_length && !headers->chunked)
		request_refuse(request, MHD_HTTP_LENGTH_REQUIRED, "neither Content-Length nor Transfer-Encoding");
	else if (headers->length > data->config->max_batch)
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "the batch is larger than --max-batch");
	else if (upload_begin(&request->upload, &data->budget, 0, headers->length, data->config->max_batch))
		request_refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, "too many bodies are coming in just now");
}

/* ---------------------------------------------------------------------------------------------- one operation */

static json_t *result_of(unsigned status, const char *error)
{
	return error ? json_pack("{s:i, s:s}", "status", (int)status, "error", error) :
		       json_pack("{s:i}", "status", (int)status);
}

static json_t *verdict_result(enum conditional verdict)
{
	if (verdict == CONDITIONAL_MALFORMED)
		return result_of(MHD_HTTP_BAD_REQUEST, "if_match or if_none_match is no list of tags");
	return result_of(MHD_HTTP_PRECONDITION_FAILED, NULL);
}

static json_t *refusal_result(int error)
{
	const char *text;
	unsigned status = data_refusal(error, &text);

	return result_of(status, text);
}

static void tell_etag(const struct batch *batch, json_t *result, uint64_t version)
{
	char etag[ETAG_SIZE];

	etag_write(batch->data->cache, version, etag);
	if (*etag)
		json_object_set_new(result, "etag", json_string(etag));
}

static const char answers_wait[] = "too many bodies are coming in, or answers going out, just now";

/* An answer is kept until its receiver has read it: the budget of bodies counts it, too. */
static bool take_for_answer(struct request *request, size_t n)
{
	if (!upload_budget_take(request->answer_budget, n))
		return false;
	request->answer_size += n;
	return true;
}

/* What is found is copied into the answer, inside the section: nothing here waits for anyone. */
static json_t *found_result(struct batch *batch, const struct rcumap_entry *entry, bool base64)
{
	struct cache *cache = batch->data->cache;
	uint64_t ttl_ms = rcumap_entry_ttl(cache->map, entry);
	struct item item;
	json_t *result;
	size_t cost;

	item_read(entry, &item);
	cost = batch_bytes_cost(item.body, item.size) + item.type_size;
	if (cost > batch->limit - batch->answered)
		return result_of(MHD_HTTP_CONTENT_TOO_LARGE, "the answer would be larger than --max-batch");
	if (!take_for_answer(batch->request, cost))
		return result_of(MHD_HTTP_INSUFFICIENT_STORAGE, answers_wait);
	batch->answered += cost;
	result = json_pack("{s:i, s:s#, s:i}", "status", MHD_HTTP_OK, "type", item.type, (int)item.type_size, "age",
			   (int)(cache_seconds(cache) - item.stored_s));
	if (!result || !batch_bytes_write(result, "value", item.body, item.size, base64)) {
		json_decref(result);
		return NULL;
	}
	tell_etag(batch, result, rcumap_entry_version(entry));
	if (ttl_ms != RCUMAP_TTL_NEVER)
		json_object_set_new(result, "ttl", json_real((double)ttl_ms / 1000));
	return result;
}

static json_t *run_get(struct batch *batch, const json_t *operation, const struct batch_bytes *key)
{
	const struct rcumap_entry *entry;
	json_t *result;

	rcumap_read_lock_bp();
	entry = rcumap_find(batch->data->cache->map, key->data, key->size);
	result = entry ? found_result(batch, entry, json_is_true(json_object_get(operation, "base64"))) :
			 result_of(MHD_HTTP_NOT_FOUND, NULL);
	rcumap_read_unlock_bp();
	metrics_add(entry ? COUNTER_HIT : COUNTER_MISS, 1);
	return result;
}

/* A number of seconds, or the same as text. False: it is none. */
static bool read_ttl(const json_t *operation, uint64_t *ttl_ms)
{
	const json_t *ttl = json_object_get(operation, "ttl");
	double seconds;

	*ttl_ms = RCUMAP_TTL_DEFAULT;
	if (!ttl || json_is_null(ttl))
		return true;
	if (json_is_string(ttl))
		return lifetime_parse(json_string_value(ttl), json_string_length(ttl), ttl_ms) == 0;
	if (!json_is_number(ttl))
		return false;
	seconds = json_number_value(ttl);
	if (!(seconds >= 0) || seconds > (double)RCUMAP_TTL_MAX / 1000)
		return false;
	*ttl_ms = (uint64_t)(seconds * 1000);
	if ((double)*ttl_ms < seconds * 1000)
		++*ttl_ms;
	return true;
}

static json_t *run_put(struct batch *batch, const json_t *operation, const struct batch_bytes *key)
{
	const struct config *config = batch->data->config;
	struct store store = { .key = key->data,
			       .key_size = key->size,
			       .type = json_string_value(json_object_get(operation, "type")),
			       .if_match = json_string_value(json_object_get(operation, "if_match")),
			       .if_none_match = json_string_value(json_object_get(operation, "if_none_match")) };
	struct batch_bytes value;
	json_t *result;
	size_t head;
	int error;

	if (store.type && !store_type_valid(store.type))
		return result_of(MHD_HTTP_BAD_REQUEST, "the type is longer than 255 bytes, or not ASCII");
	if (!read_ttl(operation, &store.ttl_ms))
		return result_of(MHD_HTTP_BAD_REQUEST, "'ttl' is not a number of seconds, 0 or more");
	/* It waited for room. Were each of ten thousand to do that, the thread's other connections would wait for them all. */
	if (batch->full)
		return refusal_result(-ENOSPC);
	head = item_head_size(store.type);
	if (batch_bytes_read(operation, "value", head, &value) != BATCH_PRESENT)
		return result_of(MHD_HTTP_BAD_REQUEST, "'value' or 'value64' must be there, one of them, and a string");
	if (value.size > config->max_value) {
		free(value.owned);
		return result_of(MHD_HTTP_CONTENT_TOO_LARGE, "the value is larger than --max-value");
	}
	store.value = value.owned;
	store.value_size = head + value.size;
	error = store_run(batch->data->cache, &store);
	free(value.owned);
	batch->full = error == -ENOSPC || error == -ENOMEM;
	if (error)
		return refusal_result(error);
	if (store.verdict != CONDITIONAL_GO_ON)
		return verdict_result(store.verdict);
	result = result_of(store.existed ? MHD_HTTP_NO_CONTENT : MHD_HTTP_CREATED, NULL);
	tell_etag(batch, result, store.version);
	return result;
}

static json_t *run_delete(struct batch *batch, const json_t *operation, const struct batch_bytes *key)
{
	enum conditional verdict;
	int error = remove_run(batch->data->cache, key->data, key->size,
			       json_string_value(json_object_get(operation, "if_match")),
			       json_string_value(json_object_get(operation, "if_none_match")), &verdict);

	if (error && error != -ENOENT)
		return refusal_result(error);
	if (verdict != CONDITIONAL_GO_ON)
		return verdict_result(verdict);
	return result_of(error ? MHD_HTTP_NOT_FOUND : MHD_HTTP_NO_CONTENT, NULL);
}

/* Names that nobody reads are mistakes: a lost "ttl" would live forever. */
static bool names_known(const json_t *operation)
{
	static const char *const names[] = { "op",  "key",  "key64",  "value",	  "value64",
					     "ttl", "type", "base64", "if_match", "if_none_match" };
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)operation, name, value)
	{
		bool known = false;

		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			known |= strcmp(names[i], name) == 0;
		if (!known)
			return false;
	}
	return true;
}

static bool is_text_or_absent(const json_t *operation, const char *name)
{
	const json_t *value = json_object_get(operation, name);

	return !value || (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value));
}

static json_t *run_keyed(struct batch *batch, const json_t *operation, const struct batch_bytes *key)
{
	const char *op = json_string_value(json_object_get(operation, "op"));

	if (key->size == 0)
		return result_of(MHD_HTTP_BAD_REQUEST, "an empty key");
	if (key->size > batch->data->config->max_key)
		return result_of(MHD_HTTP_URI_TOO_LONG, "the key is too long");
	if (op && strcmp(op, "get") == 0)
		return run_get(batch, operation, key);
	if (op && strcmp(op, "put") == 0)
		return run_put(batch, operation, key);
	if (op && strcmp(op, "delete") == 0)
		return run_delete(batch, operation, key);
	return result_of(MHD_HTTP_BAD_REQUEST, "'op' is none of get, put, delete");
}

static json_t *run(struct batch *batch, const json_t *operation)
{
	const json_t *base64 = json_object_get(operation, "base64");
	struct batch_bytes key;
	json_t *result;

	metrics_add(COUNTER_BATCH_ITEM, 1);
	if (!json_is_object(operation))
		return result_of(MHD_HTTP_BAD_REQUEST, "an operation is an object");
	if (!names_known(operation))
		return result_of(MHD_HTTP_BAD_REQUEST, "an unknown name in the operation");
	if (!is_text_or_absent(operation, "type") || !is_text_or_absent(operation, "if_match") ||
	    !is_text_or_absent(operation, "if_none_match"))
		return result_of(MHD_HTTP_BAD_REQUEST, "'type', 'if_match' and 'if_none_match' are strings");
	if (base64 && !json_is_boolean(base64))
		return result_of(MHD_HTTP_BAD_REQUEST, "'base64' is true or false");
	if (batch_bytes_read(operation, "key", 0, &key) != BATCH_PRESENT)
		return result_of(MHD_HTTP_BAD_REQUEST, "'key' or 'key64' must be there, one of them, and a string");
	result = run_keyed(batch, operation, &key);
	free(key.owned);
	return result;
}

/* ---------------------------------------------------------------------------------------------- the batch */

/* Room for answers without values, before anything is done. Where --max-batch is small they may be more than it. */
static bool reserve_answer(struct batch *batch, size_t operations)
{
	size_t size = operations * RESULT_SIZE;

	batch->request->answer_budget = &batch->data->budget;
	return take_for_answer(batch->request, size < batch->limit ? size : batch->limit);
}

static json_t *run_all(struct batch *batch, const json_t *operations)
{
	json_t *results = json_array(), *operation;
	size_t i;

	json_array_foreach(operations, i, operation)
	{
		/* The array takes it over, and fails with NULL. */
		if (json_array_append_new(results, run(batch, operation))) {
			json_decref(results);
			return NULL;
		}
	}
	return results;
}

static void answer_results(struct request *request, json_t *results)
{
	json_t *answer = results ? json_pack("{s:o}", "results", results) : NULL;
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	size_t size;

	json_decref(answer);
	if (!text) {
		request_answer_text(request, MHD_HTTP_INSUFFICIENT_STORAGE,
				    "no memory for the answer; operations may have been done");
		return;
	}
	size = strlen(text);
	metrics_add(COUNTER_BYTES_OUT, size);
	if (size < request->answer_size) {
		upload_budget_give(request->answer_budget, request->answer_size - size);
		request->answer_size = size;
	}
	request_answer_bytes(request, MHD_HTTP_OK, "application/json", text, size);
}

void batch_answer(struct data *data, struct request *request)
{
	struct batch batch = { .data = data, .request = request, .limit = data->config->max_batch };
	const struct upload *upload = &request->upload;
	const json_t *operations;
	json_t *document;

	if (batch_values(upload->bytes, upload->size) > BATCH_VALUES_MAX) {
		upload_end(&request->upload);
		request_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "more values than 10000 operations have");
		return;
	}
	document = json_loadb((const char *)upload->bytes, upload->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	operations = json_object_get(document, "operations");
	upload_end(&request->upload);
	if (!json_is_array(operations))
		request_answer_text(request, MHD_HTTP_BAD_REQUEST,
				    "a batch is JSON, {\"operations\": [{\"op\": \"get\", \"key\": \"...\"}, ...]}");
	else if (json_array_size(operations) > BATCH_OPERATIONS_MAX)
		request_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "more than 10000 operations");
	else if (!reserve_answer(&batch, json_array_size(operations)))
		request_answer_text(request, MHD_HTTP_INSUFFICIENT_STORAGE, answers_wait);
	else
		answer_results(request, run_all(&batch, operations));
	json_decref(document);
}
