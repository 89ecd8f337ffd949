/* SPDX-License-Identifier: BSD-2-Clause */
#include "bound.h"

#include "format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

double bound_margin(const struct bound *b)
{
	if (b->unit == BOUND_COUNT)
		return 0;
	return b->at_least ? b->value / b->limit : b->limit / b->value;
}

bool bound_holds(const struct bound *b)
{
	return b->at_least ? b->value >= b->limit : b->value <= b->limit;
}

/* ------------------------------------------------------------------------------------ for people */

static struct formatted with(const char *format, double value)
{
	struct formatted f;

	snprintf(f.text, sizeof f.text, format, value);
	return f;
}

static struct formatted text_of(const struct bound *b, double value)
{
	switch (b->unit) {
	case BOUND_NS:
		return format_ns(value);
	case BOUND_BYTES:
		return value < 1e4 ? with("%.1f B", value) : format_bytes(value);
	case BOUND_TIMES:
		return value < 9.995 ? with("%.2f x", value) : format_times(value);
	case BOUND_COUNT:
		return format_count((uint64_t)value);
	default:
		return value < 1 ? with("1/%.1f", 1 / value) : with("%.1f", value);
	}
}

void bound_print_head(void)
{
	printf("  %-60s%12s%22s%12s\n", "", "measured", "bound", "margin");
}

void bound_print(const struct bound *b)
{
	double margin = bound_margin(b);

	printf("  %-60s%12s%12s%10s%12s  %s\n", b->what, text_of(b, b->value).text, b->at_least ? "at least" : "at most",
	       text_of(b, b->limit).text, margin > 0 ? with("%.2f x", margin).text : "", bound_holds(b) ? "holds" : "MISSED");
}

/* ------------------------------------------------------------------------------------ for programs */

void bounds_write_json(struct json *j, const char *name, const struct bound *bounds, unsigned n)
{
	json_list(j, name);
	for (unsigned i = 0; i < n; i++) {
		json_object(j, NULL);
		json_text(j, "what", bounds[i].what);
		json_number(j, "value", bounds[i].value);
		json_text(j, "must_be", bounds[i].at_least ? "at least" : "at most");
		json_number(j, "limit", bounds[i].limit);
		json_text(j, "value_text", text_of(&bounds[i], bounds[i].value).text);
		json_text(j, "limit_text", text_of(&bounds[i], bounds[i].limit).text);
		json_bool(j, "holds", bound_holds(&bounds[i]));
		json_object_end(j);
	}
	json_list_end(j);
}

/* ------------------------------------------------------------------------------------ a list */

void bound_list_add(struct bound_list *list, const struct bound *bound, const char *what, ...)
{
	struct bound *b = &list->bound[list->n];
	va_list args;

	if (list->n == BOUND_LIST_MAX) {
		fprintf(stderr, "more than %u bounds\n", BOUND_LIST_MAX);
		exit(2);
	}
	va_start(args, what);
	vsnprintf(list->what[list->n], BOUND_LIST_WHAT, what, args);
	va_end(args);
	*b = *bound;
	b->what = list->what[list->n++];
}

bool bound_list_print(const struct bound_list *list)
{
	unsigned held = 0;

	bound_print_head();
	for (unsigned i = 0; i < list->n; i++) {
		bound_print(&list->bound[i]);
		held += bound_holds(&list->bound[i]);
	}
	printf("\n  %u of %u hold.\n", held, list->n);
	return held == list->n;
}
