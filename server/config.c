/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "host_memory.h"
#include "quantity.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <rcumap.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum kind { TEXT, COUNT, BYTES, SPAN, LEVEL, FORMAT };

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define DAY_MS (UINT64_C(86400) * 1000)

static const struct option_row {
	const char *name, *argument;
	enum kind kind;
	size_t offset;
	const char *preset;
	uint64_t least, most; /* of numbers */
	bool or_zero;	      /* 0, too, though it is less than `least` */
	const char *help;
} rows[] = {
#define AT(field) offsetof(struct config, field)
	{ "address", "IP", TEXT, AT(address), "127.0.0.1", 0, 0, false, "listen there; empty: not by TCP" },
	{ "port", "N", COUNT, AT(port), "8080", 0, 65535, false, "0: any that is free, which the log tells" },
	{ "unix", "PATH", TEXT, AT(unix_path), "", 0, 0, false, "listen on a unix socket, too" },
	{ "admin-address", "IP", TEXT, AT(admin_address), "127.0.0.1", 0, 0, false,
	  "health, metrics, statistics, flush; empty: none" },
	{ "admin-port", "N", COUNT, AT(admin_port), "8081", 0, 65535, false, "0: any that is free" },
	{ "threads", "N", COUNT, AT(threads), "0", 1, 1024, true, "that serve requests; 0: one per processor" },
	{ "max-connections", "N", COUNT, AT(max_connections), "4096", 1, 1000000, false,
	  "at a time; further ones are answered 503" },
	{ "idle-timeout", "TIME", SPAN, AT(idle_timeout_ms), "60s", 1000, DAY_MS, false,
	  "a connection that is silent for so long is closed" },
	{ "request-timeout", "TIME", SPAN, AT(request_timeout_ms), "5m", 1000, DAY_MS, false,
	  "a request that takes longer, with its answer, is broken off" },
	{ "max-memory", "SIZE", BYTES, AT(max_memory), "50%", RCUMAP_MAX_BYTES_MIN, RCUMAP_MAX_BYTES_MAX, true,
	  "of the map; % of what machine and control groups allow; 0: no limit" },
	{ "max-entries", "N", COUNT, AT(max_entries), "0", RCUMAP_MAX_ENTRIES_MIN, RCUMAP_CAPACITY_MAX, true,
	  "in the map; 0: no limit" },
	{ "upload-memory", "SIZE", BYTES, AT(upload_memory), "64M", 64 * KIB, RCUMAP_MAX_BYTES_MAX, false,
	  "for bodies coming in, batches' answers going out; beyond: 507" },
	{ "max-key", "SIZE", BYTES, AT(max_key), "1K", 1, RCUMAP_KEY_SIZE_MAX, false, "longer keys: 414" },
	{ "max-value", "SIZE", BYTES, AT(max_value), "1M", 0, UINT64_C(1) << 30, false, "larger values: 413" },
	{ "max-batch", "SIZE", BYTES, AT(max_batch), "8M", KIB, UINT64_C(1) << 30, false,
	  "of a batch, and of its answer; larger: 413" },
	{ "default-ttl", "TIME", SPAN, AT(default_ttl_ms), "never", 1, UINT64_MAX, false,
	  "the life of what is stored without one" },
	{ "drain-delay", "TIME", SPAN, AT(drain_delay_ms), "0", 0, DAY_MS, false,
	  "after SIGTERM: serve on for so long, while /healthz says 503" },
	{ "drain-timeout", "TIME", SPAN, AT(drain_timeout_ms), "10s", 0, DAY_MS, false,
	  "then wait so long, at most, for requests under way" },
	{ "log-level", "LEVEL", LEVEL, AT(log_level), "info", 0, 0, false, "error, warn, info, debug (each request)" },
	{ "log-format", "FORMAT", FORMAT, AT(log_format), "text", 0, 0, false, "text, json" },
	{ "log-file", "PATH", TEXT, AT(log_file), "", 0, 0, false, "opened anew at SIGHUP; empty: stderr" },
#undef AT
};

#define ROWS (sizeof rows / sizeof *rows)

static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };
static const char *const format_names[] = { "text", "json", NULL };

static void complain(const char *where, const char *name, const char *text, const char *what)
{
	fprintf(stderr, "rcumapd: %s%s: '%s' %s\n", where, name, text, what);
}

static int pick(const char *const *names, const char *text, uint64_t *out)
{
	for (uint64_t i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

static int number_parse(const struct option_row *row, const char *text, uint64_t *number)
{
	uint64_t least = row->or_zero ? 0 : row->least;
	int result;

	switch (row->kind) {
	case COUNT:
		result = quantity_count(text, least, row->most, number);
		break;
	case BYTES:
		result = quantity_bytes(text, host_memory_bytes(), least, row->most, number);
		break;
	case SPAN:
		result = quantity_span(text, least, row->most, number);
		break;
	case LEVEL:
		return pick(level_names, text, number);
	default:
		return pick(format_names, text, number);
	}
	if (result == 0 && *number != 0 && *number < row->least)
		result = -ERANGE;
	return result;
}

static const char *kind_says(const struct option_row *row, int error)
{
	static char text[128];

	if (error == -ERANGE && row->kind == SPAN)
		return "is out of range";
	if (error == -ERANGE) {
		snprintf(text, sizeof text, "is out of range: %s%llu to %llu", row->or_zero ? "0, or " : "",
			 (unsigned long long)row->least, (unsigned long long)row->most);
		return text;
	}
	switch (row->kind) {
	case COUNT:
		return "is no number";
	case BYTES:
		return "is no size, such as 64M, 1.5G or 25%";
	case SPAN:
		return "is no time, such as 1.5, 300ms, 10m or never";
	case LEVEL:
		return "is none of error, warn, info, debug";
	default:
		return "is none of text, json";
	}
}

/* `where` says who asked for it, as the beginning of a complaint: "--", "RCUMAPD...", "file:3: ". */
static int set(struct config *config, const struct option_row *row, const char *where, const char *text)
{
	char *field = (char *)config + row->offset;
	uint64_t number;
	int result;

	if (row->kind == TEXT) {
		char *copy = strdup(text);

		if (!copy) {
			complain(where, row->name, text, "finds no memory");
			return -ENOMEM;
		}
		free(*(char **)field);
		*(char **)field = copy;
		return 0;
	}
	result = number_parse(row, text, &number);
	if (result) {
		complain(where, row->name, text, kind_says(row, result));
		return result;
	}
	*(uint64_t *)field = number;
	return 0;
}

static const struct option_row *row_named(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static int read_presets(struct config *config)
{
	int result = 0;

	for (size_t i = 0; i < ROWS && result == 0; i++)
		result = set(config, &rows[i], "preset ", rows[i].preset);
	return result;
}

static char *trimmed(char *text)
{
	size_t size;

	while (isspace((unsigned char)*text))
		text++;
	size = strlen(text);
	while (size > 0 && isspace((unsigned char)text[size - 1]))
		text[--size] = '\0';
	return text;
}

/* One line of the file, `where` being "path:line: ". */
static int read_line(struct config *config, const char *where, char *line)
{
	const struct option_row *row;
	char *name, *value;

	if (*trimmed(line) == '#' || *trimmed(line) == '\0')
		return 0;
	value = strchr(line, '=');
	if (!value) {
		complain(where, "", trimmed(line), "is not of the form 'name = value'");
		return -EINVAL;
	}
	*value++ = '\0';
	name = trimmed(line);
	row = row_named(name);
	if (!row) {
		complain(where, "", name, "is no option; --help lists them");
		return -EINVAL;
	}
	return set(config, row, where, trimmed(value));
}

static int read_file(struct config *config, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *where = NULL;
	size_t room = 0, number = 0;
	int result = 0;

	if (!file) {
		complain("--", "config", path, strerror(errno));
		return -EINVAL;
	}
	while (result == 0 && getline(&line, &room, file) >= 0) {
		if (asprintf(&where, "%s:%zu: ", path, ++number) < 0) {
			result = -ENOMEM;
			break;
		}
		result = read_line(config, where, line);
		free(where);
	}
	if (result == 0 && ferror(file)) {
		complain("--", "config", path, "cannot be read");
		result = -EIO;
	}
	free(line);
	fclose(file);
	return result;
}

static int read_environment(struct config *config)
{
	static const char prefix[] = "RCUMAPD_";

	for (char **variable = environ; *variable; variable++) {
		char name[64];
		const char *value = strchr(*variable, '=');
		size_t size;
		const struct option_row *row;

		if (strncmp(*variable, prefix, sizeof prefix - 1) || !value)
			continue;
		size = (size_t)(value - *variable) - (sizeof prefix - 1);
		if (size >= sizeof name)
			size = sizeof name - 1;
		for (size_t i = 0; i < size; i++) {
			char c = (*variable)[sizeof prefix - 1 + i];

			name[i] = c == '_' ? '-' : (char)tolower((unsigned char)c);
		}
		name[size] = '\0';
		if (strcmp(name, "config") == 0)
			continue;
		row = row_named(name);
		if (!row) {
			complain("environment: ", "", *variable, "is no option; --help lists them");
			return -EINVAL;
		}
		if (set(config, row, "environment: ", value + 1))
			return -EINVAL;
	}
	return 0;
}

static void print_help(void)
{
	printf("usage: rcumapd [OPTION]...\n"
	       "A caching service: HTTP in front of librcumap.\n\n");
	for (size_t i = 0; i < ROWS; i++) {
		char left[40];

		snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].argument);
		printf("  %-24s %s%s%s%s\n", left, rows[i].help, *rows[i].preset ? " [" : "", rows[i].preset,
		       *rows[i].preset ? "]" : "");
	}
	printf("  %-24s %s\n", "--config PATH", "read options from a file: 'name = value' lines, # for comments");
	printf("  %-24s %s\n", "--check-config", "say whether all of it is well, and end");
	printf("  %-24s %s\n", "--version", "print the version, and end");
	printf("  %-24s %s\n", "--help", "print this, and end");
	printf("\nSIZE: bytes, or with K, M, G, T, %%. TIME: seconds, or with ms, s, m, h, d.\n"
	       "Each option can be set as RCUMAPD_NAME in the environment, too, with _ for -. The command line wins "
	       "over the\n"
	       "environment, the environment over the file.\n");
}

/* What no row sees alone. */
static int check_together(const struct config *config)
{
	if (!*config->address && !*config->unix_path) {
		fprintf(stderr, "rcumapd: neither --address nor --unix: nobody could reach it\n");
		return -EINVAL;
	}
	if (config->default_ttl_ms != UINT64_MAX && config->default_ttl_ms > RCUMAP_TTL_MAX) {
		fprintf(stderr, "rcumapd: --default-ttl: longer than %llu days\n",
			(unsigned long long)(RCUMAP_TTL_MAX / DAY_MS));
		return -ERANGE;
	}
	if (config->upload_memory < config->max_value || config->upload_memory < config->max_batch) {
		fprintf(stderr, "rcumapd: --upload-memory: less than one body of --max-value or --max-batch takes\n");
		return -ERANGE;
	}
	return 0;
}

enum { OPTION_CONFIG = 1000, OPTION_CHECK, OPTION_VERSION, OPTION_HELP };

enum config_result config_read(struct config *config, int argc, char **argv)
{
	const char *path = getenv("RCUMAPD_CONFIG"), *given[ROWS] = { NULL };
	struct option options[ROWS + 5] = { 0 };
	bool check = false;
	int option;

	*config = (struct config){ 0 };
	for (size_t i = 0; i < ROWS; i++)
		options[i] = (struct option){ rows[i].name, required_argument, NULL, (int)i };
	options[ROWS] = (struct option){ "config", required_argument, NULL, OPTION_CONFIG };
	options[ROWS + 1] = (struct option){ "check-config", no_argument, NULL, OPTION_CHECK };
	options[ROWS + 2] = (struct option){ "version", no_argument, NULL, OPTION_VERSION };
	options[ROWS + 3] = (struct option){ "help", no_argument, NULL, OPTION_HELP };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			path = optarg;
			break;
		case OPTION_CHECK:
			check = true;
			break;
		case OPTION_VERSION:
			printf("rcumapd %d.%d.%d\n", RCUMAP_VERSION_MAJOR, RCUMAP_VERSION_MINOR, RCUMAP_VERSION_PATCH);
			return CONFIG_DONE;
		case OPTION_HELP:
			print_help();
			return CONFIG_DONE;
		case '?':
			return CONFIG_BAD; /* getopt_long has said it */
		default:
			given[option] = optarg;
		}
	}
	if (optind < argc) {
		complain("", "argument", argv[optind], "is none that it takes; --help lists the options");
		return CONFIG_BAD;
	}
	if (read_presets(config) || (path && *path && read_file(config, path)) || read_environment(config))
		return CONFIG_BAD;
	for (size_t i = 0; i < ROWS; i++)
		if (given[i] && set(config, &rows[i], "--", given[i]))
			return CONFIG_BAD;
	if (check_together(config))
		return CONFIG_BAD;
	if (check)
		printf("rcumapd: the configuration is well\n");
	return check ? CONFIG_DONE : CONFIG_RUN;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kind == TEXT)
			free(*(char **)((char *)config + rows[i].offset));
}
