/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON of a batch, against a map that stays. Every operation is answered, with one of the statuses of single requests. */
#include "fuzz.h"

#include "../batch.h"
#include "../batch_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* request.c and http.c are not linked: an answer ends here. */
static unsigned answered;
static size_t results;

void request_refuse(struct request *request, unsigned status, const char *reason)
{
	(void)request, (void)status, (void)reason;
	must(false, "nothing is refused here");
}

void request_answer(struct request *request, unsigned status, struct MHD_Response *response)
{
	(void)request, (void)status, (void)response;
	must(false, "nothing else is answered here");
}

void request_answer_text(struct request *request, unsigned status, const char *text)
{
	(void)request;
	must(text && strlen(text) <= 150, "a line");
	must(status == 400 || status == 413, "what may be wrong with a whole batch");
	answered = status;
}

static void check_result(const json_t *result)
{
	json_int_t status = json_integer_value(json_object_get(result, "status"));
	bool text = json_is_string(json_object_get(result, "value"));
	bool base64 = json_is_string(json_object_get(result, "value64"));

	must(status == 200 || status == 201 || status == 204 || status == 400 || status == 404 || status == 412 ||
		     status == 413 || status == 414 || status == 507,
	     "a status");
	must((status == 200) == (text != base64), "a value where one was found");
	must(status != 200 || json_integer_value(json_object_get(result, "age")) >= 0, "an age");
	must(status != 400 || json_is_string(json_object_get(result, "error")), "what was wrong");
}

void request_answer_bytes(struct request *request, unsigned status, const char *type, void *bytes, size_t size)
{
	json_t *answer = json_loadb(bytes, size, JSON_ALLOW_NUL, NULL), *array = json_object_get(answer, "results"),
	       *result;
	size_t i;

	(void)request;
	must(json_is_array(array), "an answer is JSON");
	must(status == 200 && strcmp(type, "application/json") == 0, "and says so");
	json_array_foreach(array, i, result) check_result(result);
	answered = status;
	results = i;
	json_decref(answer);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct data *data = fuzz_data();
	struct request request = { .verb = VERB_BATCH };
	json_t *document = json_loadb((const char *)bytes, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	const json_t *operations = json_object_get(document, "operations");
	size_t asked = json_array_size(operations), values = batch_values(bytes, size);

	if (upload_begin(&request.upload, &data->budget, 0, size, data->config->max_batch) == 0 &&
	    (size == 0 || upload_append(&request.upload, bytes, size) == 0)) {
		answered = 0;
		batch_answer(data, &request);
		must(answered == (values > BATCH_VALUES_MAX    ? 413 :
				  !json_is_array(operations)   ? 400 :
				  asked > BATCH_OPERATIONS_MAX ? 413 :
								 200),
		     "status");
		must(asked < values, "every operation is a value");
		must(answered != 200 || results == asked, "every operation is answered");
	}
	json_decref(document);
	if (request.answer_budget)
		upload_budget_give(request.answer_budget, request.answer_size);
	must(atomic_load_explicit(&data->budget.used, memory_order_relaxed) == 0, "nothing stays of the body, or the answer");
	return 0;
}
