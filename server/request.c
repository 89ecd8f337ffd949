/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request is answered, or refused. Its way through the library is http.c's. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>

void request_refuse(struct request *request, unsigned status, const char *reason)
{
	if (request->refusal)
		return;
	request->refusal = status;
	request->reason = reason;
	upload_end(&request->upload);
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

void request_answer_text(struct request *request, unsigned status, const char *text)
{
	char line[160];
	int size = text ? snprintf(line, sizeof line, "%s\n", text) : 0;
	struct MHD_Response *response = MHD_create_response_from_buffer((size_t)size, line, MHD_RESPMEM_MUST_COPY);
	bool done = response != NULL;

	if (done && text)
		done = add(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	if (done && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		done = add(response, MHD_HTTP_HEADER_ALLOW, request->allowed);
	if (done && (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_INSUFFICIENT_STORAGE))
		done = add(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (!done && response) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, status, response);
}

void request_answer_bytes(struct request *request, unsigned status, const char *type, void *bytes, size_t size)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(bytes);
	} else if (!add(response, MHD_HTTP_HEADER_CONTENT_TYPE, type)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, status, response);
}
