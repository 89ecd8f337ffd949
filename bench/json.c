/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <math.h>

static void quote(struct json *j, const char *text)
{
	fputc('"', j->file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(j->file, "\\%c", c);
		else if (c < 0x20)
			fprintf(j->file, "\\u%04x", c);
		else
			fputc(c, j->file);
	}
	fputc('"', j->file);
}

static void begin(struct json *j, const char *name)
{
	fprintf(j->file, "%s\n%*s", j->first ? "" : ",", (int)j->depth * 2, "");
	j->first = false;
	if (name) {
		quote(j, name);
		fputs(": ", j->file);
	}
}

static void open_bracket(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	fputc(bracket, j->file);
	j->depth++;
	j->first = true;
}

static void close_bracket(struct json *j, char bracket)
{
	j->depth--;
	fprintf(j->file, "\n%*s%c", (int)j->depth * 2, "", bracket);
	j->first = false;
}

void json_start(struct json *j, FILE *file)
{
	*j = (struct json){ .file = file, .depth = 1, .first = true };
	fputc('{', file);
}

void json_finish(struct json *j)
{
	fputs("\n}\n", j->file);
}

void json_object(struct json *j, const char *name)
{
	open_bracket(j, name, '{');
}

void json_object_end(struct json *j)
{
	close_bracket(j, '}');
}

void json_list(struct json *j, const char *name)
{
	open_bracket(j, name, '[');
}

void json_list_end(struct json *j)
{
	close_bracket(j, ']');
}

void json_number(struct json *j, const char *name, double value)
{
	begin(j, name);
	if (isfinite(value))
		fprintf(j->file, "%.15g", value);
	else
		fputs("null", j->file);
}

void json_text(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	quote(j, value);
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	fputs(value ? "true" : "false", j->file);
}
