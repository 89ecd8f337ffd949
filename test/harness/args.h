/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file args.h
 * Command lines, declared: a table names each option, where its value goes, and what it means.
 *
 *     uint64_t seconds = 10, keys = 1000000;
 *     unsigned flavor = FLAVOR_BP;
 *     bool quiet = false;
 *     const struct arg args[] = {
 *             ARG_U64("seconds", &seconds, "how long to run"),
 *             ARG_U64("keys", &keys, "how many keys"),
 *             ARG_CHOICE("flavor", &flavor, flavor_names, "RCU flavor"),
 *             ARG_FLAG("quiet", &quiet, "print violations only"),
 *             ARG_END,
 *     };
 *     args_parse(args, "Hammers a map with readers and writers.", argc, argv);
 *
 * What a variable holds before is the option's default, and `--help` prints it. Numbers take a suffix K, M or G
 * (thousands, decimal). Both `--keys 1M` and `--keys=1M` work. A bad value is one line on stderr and status 2.
 */
#ifndef HARNESS_ARGS_H
#define HARNESS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum arg_type {
	ARG_TYPE_END,
	ARG_TYPE_U64,
	ARG_TYPE_DOUBLE,
	ARG_TYPE_CHOICE,
	ARG_TYPE_FLAG,
	ARG_TYPE_TEXT,
};

struct arg {
	enum arg_type type;
	const char *name; /* without dashes */
	union {
		uint64_t *u64;
		double *real;    /* not negative */
		unsigned *choice; /* index into `choices` */
		bool *flag;      /* set to true */
		const char **text; /* points into argv */
	} value;
	const char *const *choices; /* ends with NULL */
	const char *help;
};

#define ARG_U64(name_, value_, help_) { ARG_TYPE_U64, name_, { .u64 = value_ }, 0, help_ }
#define ARG_DOUBLE(name_, value_, help_) { ARG_TYPE_DOUBLE, name_, { .real = value_ }, 0, help_ }
#define ARG_CHOICE(name_, value_, choices_, help_) { ARG_TYPE_CHOICE, name_, { .choice = value_ }, choices_, help_ }
#define ARG_FLAG(name_, value_, help_) { ARG_TYPE_FLAG, name_, { .flag = value_ }, 0, help_ }
#define ARG_TEXT(name_, value_, help_) { ARG_TYPE_TEXT, name_, { .text = value_ }, 0, help_ }
#define ARG_END { ARG_TYPE_END, 0, { 0 }, 0, 0 }

/** Parse the command line into the variables; returns only if all is well. `--help` prints `about` and exits with 0. */
void args_parse(const struct arg *args, const char *about, int argc, char **argv);

#endif
