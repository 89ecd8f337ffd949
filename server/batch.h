/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file batch.h
 * Many operations in one request, done and answered in order, each by itself: a batch is not a transaction.
 *
 *     POST /batch
 *     {"operations": [{"op": "put", "key": "a", "value": "1", "ttl": 60, "type": "text/plain"},
 *                     {"op": "get", "key64": "AA=="},
 *                     {"op": "delete", "key": "b", "if_match": "\"...\""}]}
 *
 *     {"results": [{"status": 201, "etag": "..."},
 *                  {"status": 200, "value64": "...", "etag": "...", "type": "...", "age": 3, "ttl": 1.5},
 *                  {"status": 404}]}
 *
 * key64 and value64 are base64, for bytes that are no text; an answer has `value` where it is UTF-8, else `value64`, and
 * always the latter where the operation says "base64": true. Statuses are those of single requests.
 */
#ifndef RCUMAPD_BATCH_H
#define RCUMAPD_BATCH_H

#include "data.h"

#define BATCH_PATH "/batch"
#define BATCH_OPERATIONS_MAX 10000u
/* Of JSON, in a batch: an operation has at most ten, and is one. */
#define BATCH_VALUES_MAX (12 * BATCH_OPERATIONS_MAX)

void batch_begin(struct data *data, struct request *request);
void batch_answer(struct data *data, struct request *request);

#endif
