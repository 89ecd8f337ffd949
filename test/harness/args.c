/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 32

static bool parse_u64(const char *text, uint64_t *value)
{
	static const char suffixes[] = "KMG";
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*text))
		return false; /* strtoull would take a sign */
	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end) {
		const char *s = strchr(suffixes, toupper((unsigned char)*end));

		if (!s || end[1])
			return false;
		for (; s >= suffixes; s--)
			if (__builtin_mul_overflow(n, 1000ull, &n))
				return false;
	}
	*value = n;
	return true;
}

static bool parse_double(const char *text, double *value)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || *end || !isfinite(x) || x < 0)
		return false;
	*value = x;
	return true;
}

static bool parse_choice(const char *text, const char *const *choices, unsigned *value)
{
	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(text, choices[i]) == 0) {
			*value = i;
			return true;
		}
	return false;
}

static bool parse(const struct arg *arg, const char *text)
{
	switch (arg->type) {
	case ARG_TYPE_U64:
		return parse_u64(text, arg->value.u64);
	case ARG_TYPE_DOUBLE:
		return parse_double(text, arg->value.real);
	case ARG_TYPE_CHOICE:
		return parse_choice(text, arg->choices, arg->value.choice);
	case ARG_TYPE_FLAG:
		*arg->value.flag = true;
		return true;
	case ARG_TYPE_TEXT:
		*arg->value.text = text;
		return true;
	case ARG_TYPE_END:
		break;
	}
	return false;
}

/* "N", "X", "a|b|c", "" or "TEXT": what the option takes. */
static void value_syntax(const struct arg *arg, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "%s",
		 arg->type == ARG_TYPE_U64    ? "N" :
		 arg->type == ARG_TYPE_DOUBLE ? "X" :
		 arg->type == ARG_TYPE_TEXT   ? "TEXT" :
						"");
	if (arg->type == ARG_TYPE_CHOICE)
		for (unsigned i = 0; arg->choices[i] && n < size; i++)
			n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "|" : "", arg->choices[i]);
}

static void print_help(const struct arg *args, const char *about, const char *program)
{
	printf("%s\n\nusage: %s [options]\n\n", about, program);
	for (const struct arg *a = args; a->type; a++) {
		char syntax[512], left[600];

		value_syntax(a, syntax, sizeof syntax);
		snprintf(left, sizeof left, "--%s %s", a->name, syntax);
		printf("  %-28s %s", left, a->help);
		if (a->type == ARG_TYPE_U64)
			printf(" (default %llu)", (unsigned long long)*a->value.u64);
		else if (a->type == ARG_TYPE_DOUBLE)
			printf(" (default %g)", *a->value.real);
		else if (a->type == ARG_TYPE_CHOICE)
			printf(" (default %s)", a->choices[*a->value.choice]);
		else if (a->type == ARG_TYPE_TEXT && *a->value.text)
			printf(" (default %s)", *a->value.text);
		putchar('\n');
	}
	printf("  %-28s %s\n", "--help", "print this");
}

static void refuse(const struct arg *arg, const char *text, const char *program)
{
	char syntax[512];

	value_syntax(arg, syntax, sizeof syntax);
	fprintf(stderr, "%s: --%s takes %s, not '%s'\n", program, arg->name, syntax, text);
	exit(2);
}

void args_parse(const struct arg *args, const char *about, int argc, char **argv)
{
	struct option longs[ARGS_MAX + 2] = { 0 };
	const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
	int n = 0, chosen, which = 0;

	for (; args[n].type && n < ARGS_MAX; n++)
		longs[n] = (struct option){ .name = args[n].name,
					    .has_arg = args[n].type != ARG_TYPE_FLAG,
					    .flag = &which,
					    .val = n };
	longs[n] = (struct option){ .name = "help", .flag = &which, .val = n };

	optind = 0; /* glibc's way to begin anew: a second call in one process parses its own words */
	while ((chosen = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (chosen != 0)
			exit(2); /* getopt has printed the line */
		if (which == n) {
			print_help(args, about, program);
			exit(0);
		}
		if (!parse(&args[which], optarg))
			refuse(&args[which], optarg, program);
	}
	if (optind < argc) {
		fprintf(stderr, "%s: '%s' is not an option, see --help\n", program, argv[optind]);
		exit(2);
	}
}
