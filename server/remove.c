/* SPDX-License-Identifier: BSD-2-Clause */
#include "remove.h"

#include <errno.h>

struct removal {
	const struct cache *cache;
	const char *if_match, *if_none_match;
	enum conditional verdict;
	bool existed;
};

static int decide(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct removal *removal = ctx;

	(void)value;
	removal->existed = old != NULL;
	removal->verdict = conditional_judge(removal->cache, removal->if_match, removal->if_none_match, old);
	return removal->verdict == CONDITIONAL_GO_ON ? RCUMAP_REMOVE : RCUMAP_KEEP;
}

int remove_run(struct cache *cache, const void *key, size_t key_size, const char *if_match, const char *if_none_match,
	       enum conditional *verdict)
{
	struct removal removal = { cache, if_match, if_none_match, CONDITIONAL_GO_ON, true };
	int result;

	if (!if_match && !if_none_match) {
		result = rcumap_delete(cache->map, key, key_size);
	} else {
		result = rcumap_update(cache->map, key, key_size, decide, &removal, NULL);
		if (result == 0 && !removal.existed)
			result = -ENOENT;
	}
	*verdict = removal.verdict;
	if (result == 0 && removal.verdict == CONDITIONAL_GO_ON)
		metrics_add(COUNTER_REMOVED, 1);
	return result;
}

void remove_answer(struct data *data, struct request *request)
{
	enum conditional verdict;
	const char *text;
	int result = remove_run(data->cache, request->target.key, request->target.key_size, request->headers.if_match,
				request->headers.if_none_match, &verdict);

	if (result && result != -ENOENT) {
		unsigned status = data_refusal(result, &text);

		request_answer_text(request, status, text);
	} else if (verdict == CONDITIONAL_MALFORMED) {
		request_answer_text(request, MHD_HTTP_BAD_REQUEST, "If-Match or If-None-Match is no list of tags");
	} else if (verdict != CONDITIONAL_GO_ON) {
		request_answer_text(request, MHD_HTTP_PRECONDITION_FAILED, "the precondition does not hold");
	} else if (result == -ENOENT) {
		request_answer_text(request, MHD_HTTP_NOT_FOUND, "no such key");
	} else {
		request_answer_text(request, MHD_HTTP_NO_CONTENT, NULL);
	}
}
