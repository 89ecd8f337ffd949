/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file config.h
 * What rcumapd can be told. One table (config.c) drives the command line, the environment (RCUMAPD_MAX_MEMORY for
 * --max-memory), the configuration file (`max-memory = 2G`, # begins a comment) and --help. The command line wins over the
 * environment, that over the file.
 */
#ifndef RCUMAPD_CONFIG_H
#define RCUMAPD_CONFIG_H

#include "log.h"

#include <stdbool.h>
#include <stdint.h>

struct config {
	/* Where it listens. Strings are owned by the struct. */
	char *address;	 /* a numeric IPv4 or IPv6 address; "" for no TCP */
	uint64_t port;	 /* 0: any that is free */
	char *unix_path; /* "" for none */
	char *admin_address;
	uint64_t admin_port;
	/* How much of the machine it may have. */
	uint64_t threads; /* 0: one for each processor it may use */
	uint64_t max_connections;
	uint64_t idle_timeout_ms; /* whole seconds count */
	uint64_t request_timeout_ms;
	uint64_t max_memory;	  /* bytes for the map; 0: no limit */
	uint64_t max_entries;	  /* 0: no limit */
	uint64_t upload_memory;	  /* bytes for bodies that are coming in, and answers to batches, all together */
	/* What it accepts. */
	uint64_t max_key, max_value, max_batch; /* bytes */
	uint64_t default_ttl_ms;		/* UINT64_MAX: never */
	/* How it ends. */
	uint64_t drain_delay_ms, drain_timeout_ms;
	/* What it says. */
	uint64_t log_level, log_format;
	char *log_file; /* "" for stderr */
};

enum config_result {
	CONFIG_RUN,  /* go on */
	CONFIG_DONE, /* --help, --version, --check-config: all is said, end with status 0 */
	CONFIG_BAD   /* one line on stderr says what is wrong: end with status 2 */
};

enum config_result config_read(struct config *config, int argc, char **argv);

void config_free(struct config *config);

#endif
