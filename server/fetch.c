/* SPDX-License-Identifier: BSD-2-Clause */
#include "fetch.h"

#include "conditional.h"
#include "item.h"
#include "range.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an answer is made of: an entry that is held, or, when it is held by too many already, a copy. */
struct found {
	const struct rcumap_entry *entry; /* NULL for a copy */
	void *copy;
	struct item item;
	uint64_t version, ttl_ms;
};

/* What is given back once an answer is sent. */
struct held {
	struct rcumap *map;
	const struct rcumap_entry *entry;
};

static void release_held(void *cls)
{
	struct held *held = cls;

	rcumap_release(held->map, held->entry);
	free(held);
}

/* In the section in which the entry was found. */
static int keep(struct rcumap *map, const struct rcumap_entry *entry, struct found *found)
{
	int result = rcumap_hold(map, entry);

	found->version = rcumap_entry_version(entry);
	found->ttl_ms = rcumap_entry_ttl(map, entry);
	item_read(entry, &found->item);
	if (result == 0) {
		found->entry = entry;
		return 0;
	}
	if (result != -EOVERFLOW)
		return result;
	/* The type goes before the body. */
	found->copy = malloc(found->item.type_size + found->item.size + 1);
	if (!found->copy)
		return -ENOMEM;
	memcpy(found->copy, found->item.type, found->item.type_size);
	memcpy((char *)found->copy + found->item.type_size, found->item.body, found->item.size);
	found->item.type = found->copy;
	found->item.body = (char *)found->copy + found->item.type_size;
	return 0;
}

/* 0, -ENOENT, or an error. *verdict is told with 0 and -ENOENT. */
static int find(struct data *data, const struct request *request, struct found *found, enum conditional *verdict)
{
	const struct rcumap_entry *entry;
	int result = -ENOENT;

	*found = (struct found){ 0 };
	rcumap_read_lock_bp();
	entry = rcumap_find(data->cache->map, request->target.key, request->target.key_size);
	*verdict = conditional_judge(data->cache, request->headers.if_match, request->headers.if_none_match, entry);
	if (entry)
		result = keep(data->cache->map, entry, found);
	rcumap_read_unlock_bp();
	metrics_add(entry ? COUNTER_HIT : COUNTER_MISS, 1);
	return result;
}

static void drop(struct data *data, struct found *found)
{
	if (found->entry)
		rcumap_release(data->cache->map, found->entry);
	free(found->copy);
}

/* Takes over what was found, whatever it returns. */
static struct MHD_Response *response_of(struct data *data, struct found *found, size_t offset, size_t length)
{
	struct MHD_Response *response = NULL;
	const char *body = (const char *)found->item.body + offset;
	struct held *held;

	if (found->copy) {
		response = MHD_create_response_from_buffer(length, (void *)body, MHD_RESPMEM_MUST_COPY);
		drop(data, found);
		return response;
	}
	held = malloc(sizeof *held);
	if (held) {
		*held = (struct held){ data->cache->map, found->entry };
		response = MHD_create_response_from_buffer_with_free_callback_cls(length, (void *)body, release_held,
										  held);
	}
	if (!response) {
		free(held);
		drop(data, found);
	}
	return response;
}

struct header_text {
	char etag[ETAG_SIZE], type[ITEM_TYPE_SIZE_MAX + 1], age[16], control[48], ttl[32], range[80];
};

static uint32_t age_of(const struct data *data, const struct item *item)
{
	uint32_t now = cache_seconds(data->cache);

	return now > item->stored_s ? now - item->stored_s : 0;
}

/* Returns where the text ends. */
static char *write_number(char *to, uint64_t number)
{
	char digits[20];
	unsigned size = 0;

	do
		digits[size++] = (char)('0' + number % 10);
	while (number /= 10);
	while (size > 0)
		*to++ = digits[--size];
	*to = '\0';
	return to;
}

/* All that is told of what was found, as text, while it is still ours. Without printf(): that was a tenth of the
 * instructions that a GET takes here. */
static void describe(struct data *data, const struct found *found, struct header_text *text)
{
	uint32_t age = age_of(data, &found->item);
	unsigned ms = (unsigned)(found->ttl_ms % 1000);
	char *p;

	etag_write(data->cache, found->version, text->etag);
	memcpy(text->type, found->item.type, found->item.type_size);
	text->type[found->item.type_size] = '\0';
	write_number(text->age, age);
	*text->range = *text->control = *text->ttl = '\0';
	if (found->ttl_ms == RCUMAP_TTL_NEVER)
		return;
	/* Caches in between subtract Age from max-age: what is left is the life that is left. */
	write_number(stpcpy(text->control, "max-age="), age + found->ttl_ms / 1000);
	p = stpcpy(write_number(text->ttl, found->ttl_ms / 1000), ".");
	p = stpcpy(p, &"00"[ms >= 100 ? 2 : ms >= 10 ? 1 : 0]);
	write_number(p, ms);
}

static bool add_headers(struct MHD_Response *response, const struct header_text *text)
{
	const struct {
		const char *name, *value;
	} headers[] = { { MHD_HTTP_HEADER_ETAG, text->etag }, { MHD_HTTP_HEADER_CONTENT_TYPE, text->type },
			{ MHD_HTTP_HEADER_AGE, text->age },   { MHD_HTTP_HEADER_CACHE_CONTROL, text->control },
			{ "Rcumap-TTL", text->ttl },	      { MHD_HTTP_HEADER_CONTENT_RANGE, text->range } };

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (*headers[i].value && MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_NO)
			return false;
	return true;
}

static void answer_unsatisfiable(struct data *data, struct request *request, struct found *found,
				 struct header_text *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	snprintf(text->range, sizeof text->range, "bytes */%zu", found->item.size);
	drop(data, found);
	if (response && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, text->range) == MHD_NO) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, response);
}

static void answer_found(struct data *data, struct request *request, struct found *found, bool changed)
{
	struct header_text text;
	struct MHD_Response *response;
	size_t offset = 0, length = found->item.size;
	unsigned status = changed ? MHD_HTTP_OK : MHD_HTTP_NOT_MODIFIED;

	describe(data, found, &text);
	if (status == MHD_HTTP_OK && request->verb == VERB_GET &&
	    conditional_if_range(request->headers.if_range, text.etag)) {
		size_t size = found->item.size;

		switch (range_read(request->headers.range, size, &offset, &length)) {
		case RANGE_ALL:
			break;
		case RANGE_PART:
			status = MHD_HTTP_PARTIAL_CONTENT;
			snprintf(text.range, sizeof text.range, "bytes %zu-%zu/%zu", offset, offset + length - 1, size);
			break;
		case RANGE_UNSATISFIABLE:
			answer_unsatisfiable(data, request, found, &text);
			return;
		}
	}
	response = response_of(data, found, offset, length);
	if (response && !add_headers(response, &text)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	if (changed && request->verb == VERB_GET)
		metrics_add(COUNTER_BYTES_OUT, length);
	request_answer(request, status, response);
}

void fetch_answer(struct data *data, struct request *request)
{
	enum conditional verdict;
	struct found found;
	int result = find(data, request, &found, &verdict);

	if (result && result != -ENOENT) {
		request_answer_text(request, MHD_HTTP_INSUFFICIENT_STORAGE, "no memory to send it from");
		return;
	}
	switch (verdict) {
	case CONDITIONAL_MALFORMED:
		drop(data, &found);
		request_answer_text(request, MHD_HTTP_BAD_REQUEST, "If-Match or If-None-Match is no list of tags");
		return;
	case CONDITIONAL_FAILED:
		drop(data, &found);
		request_answer_text(request, MHD_HTTP_PRECONDITION_FAILED, "the precondition does not hold");
		return;
	default:
		break;
	}
	if (result == -ENOENT)
		request_answer_text(request, MHD_HTTP_NOT_FOUND, "no such key");
	else
		answer_found(data, request, &found, verdict == CONDITIONAL_GO_ON);
}
