/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumapd: what belongs together is put together here, and taken apart. */
#include "admin.h"
#include "cache.h"
#include "config.h"
#include "data.h"
#include "http.h"
#include "lifecycle.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors besides those of connections. */
#define OTHER_FDS 256u
#define ADMIN_CONNECTIONS 64u
#define ADMIN_TARGET 1024u
#define ADMIN_TIMEOUT_S 60u

struct server {
	struct config config;
	struct cache cache;
	struct data data;
	struct admin admin;
	struct listeners data_listeners, admin_listeners;
	struct http *data_http, *admin_http;
	struct acceptor *data_acceptor, *admin_acceptor;
};

static unsigned thread_count(const struct config *config)
{
	cpu_set_t set;

	if (config->threads)
		return (unsigned)config->threads;
	return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

/* 0, or -1 with a line on stderr. */
static int raise_descriptors(const struct config *config)
{
	rlim_t needed = config->max_connections + OTHER_FDS + 4 * thread_count(config);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
		return 0;
	if (limit.rlim_max < needed) {
		fprintf(stderr,
			"rcumapd: --max-connections: %llu take %llu descriptors, the limit is %llu (ulimit -n)\n",
			(unsigned long long)config->max_connections, (unsigned long long)needed,
			(unsigned long long)limit.rlim_max);
		return -1;
	}
	limit.rlim_cur = needed;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Sockets that systemd passed stand for those of the configuration. */
static int open_listeners(struct server *server)
{
	const struct config *config = &server->config;
	int inherited = listen_inherited(&server->data_listeners, &server->admin_listeners);

	if (inherited < 0)
		return inherited;
	if (server->data_listeners.count == 0) {
		if (*config->address && listen_tcp(&server->data_listeners, config->address, (uint16_t)config->port))
			return -1;
		if (*config->unix_path && listen_unix(&server->data_listeners, config->unix_path))
			return -1;
	}
	if (server->admin_listeners.count == 0 && *config->admin_address &&
	    listen_tcp(&server->admin_listeners, config->admin_address, (uint16_t)config->admin_port))
		return -1;
	return 0;
}

static int start_data(struct server *server)
{
	const struct config *config = &server->config;
	struct http_settings settings = { .threads = thread_count(config),
					  .max_connections = (unsigned)config->max_connections,
					  .idle_timeout_s = (unsigned)(config->idle_timeout_ms / 1000),
					  .request_timeout_ms = config->request_timeout_ms,
					  .max_target = 3 * config->max_key + 256 };

	server->data = (struct data){ .cache = &server->cache,
				      .config = config,
				      .budget = { .limit = config->upload_memory } };
	settings.site = data_site(&server->data);
	server->data_http = http_start(&settings);
	return server->data_http ? 0 : -1;
}

static int start_admin(struct server *server)
{
	struct http_settings settings = {
		.threads = 1,
		.max_connections = ADMIN_CONNECTIONS,
		.idle_timeout_s = ADMIN_TIMEOUT_S,
		.request_timeout_ms = 1000 * ADMIN_TIMEOUT_S,
		.max_target = ADMIN_TARGET
	};

	server->admin.cache = &server->cache;
	server->admin.config = &server->config;
	server->admin.data = server->data_http;
	settings.site = admin_site(&server->admin);
	server->admin_http = http_start(&settings);
	return server->admin_http ? 0 : -1;
}

static int start_acceptors(struct server *server)
{
	server->data_acceptor = acceptor_start(&server->data_listeners, server->data_http);
	if (server->data_acceptor)
		server->admin_acceptor = acceptor_start(&server->admin_listeners, server->admin_http);
	if (server->admin_acceptor)
		return 0;
	if (server->data_acceptor)
		acceptor_stop(server->data_acceptor);
	return -1;
}

static int serve(struct server *server)
{
	if (start_data(server) || start_admin(server) || start_acceptors(server)) {
		log_line(LOG_LEVEL_ERROR, "the server cannot start: no memory, threads or descriptors");
		return 1;
	}
	listen_tell(&server->data_listeners);
	listen_tell(&server->admin_listeners);
	server->admin.http = server->admin_http;
	lifecycle_run(&server->config, server->data_http, server->data_acceptor, &server->data_listeners,
		      &server->admin);
	acceptor_stop(server->admin_acceptor);
	return 0;
}

static int run(struct server *server)
{
	int result;

	server->data_listeners.name = "data";
	server->admin_listeners.name = "admin";
	result = open_listeners(server);
	if (result == 0) {
		result = cache_open(&server->cache, &server->config);
		if (result)
			log_line(LOG_LEVEL_ERROR, "the map cannot be created: %s", strerror(-result));
	}
	if (result == 0) {
		result = serve(server);
		/* The admin site tells of the data site's connections: it ends first. */
		if (server->admin_http)
			http_stop(server->admin_http);
		if (server->data_http)
			http_stop(server->data_http);
		cache_close(&server->cache);
	}
	listen_close(&server->data_listeners);
	listen_close(&server->admin_listeners);
	return result ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct server server;
	enum config_result wanted = config_read(&server.config, argc, argv);
	int result = 2;

	if (wanted == CONFIG_DONE)
		result = 0;
	if (wanted == CONFIG_RUN && raise_descriptors(&server.config) == 0) {
		int error = log_open((enum log_level)server.config.log_level, (enum log_format)server.config.log_format,
				     server.config.log_file);

		lifecycle_block_signals();
		if (error)
			fprintf(stderr, "rcumapd: --log-file: '%s' %s\n", server.config.log_file, strerror(-error));
		else
			result = run(&server);
	}
	metrics_close();
	config_free(&server.config);
	return result;
}
