/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file json.h
 * Writes one JSON document, as it comes. A name is NULL in a list and at the top.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdbool.h>
#include <stdio.h>

struct json {
	FILE *file;
	unsigned depth;
	bool first; /* in the object or list that is open */
};

/** Begin the document, an object. `file` is the caller's. */
void json_start(struct json *j, FILE *file);
void json_finish(struct json *j);

void json_object(struct json *j, const char *name);
void json_object_end(struct json *j);
void json_list(struct json *j, const char *name);
void json_list_end(struct json *j);

/** null, if it is no number or infinite: JSON has neither. */
void json_number(struct json *j, const char *name, double value);
void json_text(struct json *j, const char *name, const char *value);
void json_bool(struct json *j, const char *name, bool value);

#endif
