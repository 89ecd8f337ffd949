/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of libmicrohttpd 0.9.75 shapes this file:
 *
 * - An answer before the body has come closes the connection, one after it does not: so a request is answered at the end,
 *   unless its sender waits for 100 Continue, its body is large, or its end is uncertain.
 * - It calls back with the target before it looks into it, once for each part of the query, and last for the path: there
 *   the key is decoded, in its buffer.
 * - It takes no connections by itself here (http_add()): several listeners share one pool of threads that way, and who
 *   comes at the limit gets an answer.
 * - It reads less than there is room for and takes that for all there is, until epoll tells of more. But the end of a
 *   connection that came with the last bytes is told of just once, with them: http_remind() has it told again.
 *
 * Threads: a connection belongs to one thread of the pool. `busy` is what others may ask of it.
 */
#include "http.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bodies that nobody wants are read up to so many bytes, so that their sender gets to read the answer. */
#define DISCARD_MAX (UINT64_C(4) << 20)
/* What headers may take of a connection's memory, besides the target: 8 KB of both together, or 80 short headers, at the
 * default --max-key. The library zeroes that memory with each request: with 12288 a GET takes 2.7 % more cycles, but a PUT of
 * 100 KB 9 % fewer, for it reads bodies into it, too (perf stat under wrk). */
#define HEADERS_ROOM 5120u
/* More than what is counted here, for connections that are just being added or closed. */
#define SPARE_CONNECTIONS 64u
/* Connections that one poll(2) asks about. */
#define REMIND_AT_ONCE 256u
/* While draining: how long a new connection may take to ask for something. */
#define FIRST_REQUEST_NS UINT64_C(1000000000)

struct connection {
	struct connection *next, **link; /* in http->connections; under its lock */
	struct http *http;
	int fd;
	/* When the request under way began; between requests, when the last one ended, or all began. Relaxed. */
	_Atomic uint64_t since_ns;
	/* A request is under way. Its release shows `since_ns` to http_end_overdue(), which acquires: a request is never taken
	 * to have begun when the one before it ended. */
	atomic_bool busy;
	atomic_bool served; /* one has been answered; relaxed: it is asked again, until all connections are gone */
	struct request request;
};

struct http {
	struct http_site site;
	struct MHD_Daemon *daemon;
	unsigned max_connections;
	uint64_t idle_ns, request_ns; /* how long a connection may be silent, and a request take */
	atomic_bool draining;
	/* Connections, from before they are handed to the library until it has closed them; relaxed: a count. Were they
	 * counted once a thread of the library begins with them, a burst would pass the limit, and http_close_idle() overlook
	 * some. */
	_Atomic unsigned count;
	pthread_mutex_t lock; /* guards the list, and that no fd in it is closed meanwhile */
	struct connection *connections;
};

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* ---------------------------------------------------------------------------------------------- connections */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void connection_begin(struct http *http, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = calloc(1, sizeof *connection);

	*context = connection;
	if (!connection)
		return; /* its first request is refused, by closing it */
	connection->http = http;
	connection->fd = info->connect_fd;
	atomic_init(&connection->since_ns, now_ns());
	pthread_mutex_lock(&http->lock);
	connection->next = http->connections;
	connection->link = &http->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	http->connections = connection;
	pthread_mutex_unlock(&http->lock);
	if (http->site.counted)
		metrics_add(COUNTER_CONNECTION, 1);
}

static void connection_end(struct http *http, void **context)
{
	struct connection *connection = *context;

	*context = NULL;
	if (connection) {
		pthread_mutex_lock(&http->lock);
		*connection->link = connection->next;
		if (connection->next)
			connection->next->link = connection->link;
		pthread_mutex_unlock(&http->lock);
		free(connection);
	}
	atomic_fetch_sub_explicit(&http->count, 1, memory_order_relaxed);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begin(cls, mhd, context);
	else
		connection_end(cls, context);
}

/* ---------------------------------------------------------------------------------------------- requests */

static enum verb verb_of(const char *method)
{
	static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], method) == 0)
			return (enum verb)i;
	return VERB_OTHER;
}

static void begin_or_end(struct connection *connection, uint64_t now, bool busy)
{
	atomic_store_explicit(&connection->since_ns, now, memory_order_relaxed);
	atomic_store_explicit(&connection->busy, busy, memory_order_release);
}

/* The first line is there. */
static void *on_target(void *cls, const char *text, struct MHD_Connection *mhd)
{
	struct connection *connection = connection_of(mhd);

	if (!connection)
		return NULL;
	connection->request = (struct request){ .http = cls, .connection = mhd, .began_ns = now_ns() };
	begin_or_end(connection, connection->request.began_ns, true);
	target_begin(&connection->request.target, (char *)text);
	return &connection->request;
}

/* The library's own decoding is replaced by none at all, but for the path. */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
	struct connection *connection = connection_of(mhd);

	(void)cls;
	if (connection && text == connection->request.target.begin && !connection->request.target.path)
		target_decode(&connection->request.target, text);
	return strlen(text);
}

static void begin(struct request *request, const char *method, const char *version)
{
	const struct http_site *site = &request->http->site;
	struct headers *headers = &request->headers;

	request->begun = true;
	request->verb = verb_of(method);
	headers_read(headers, request->connection, method, version);
	if (headers->status) {
		request_refuse(request, headers->status, headers->error);
	} else if (version != request->target.begin + request->target.raw_size + 1) {
		/* The library ended the target at a zero byte. */
		headers->unframed = true;
		request_refuse(request, MHD_HTTP_BAD_REQUEST, "a zero byte in the target");
	} else if (request->target.error) {
		request_refuse(request, MHD_HTTP_BAD_REQUEST, request->target.error);
	} else {
		site->begin(site->ctx, request);
	}
	if (!request->refusal && !request->upload.budget && headers->length > DISCARD_MAX)
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "a body that is not wanted");
}

static bool answer_now(const struct request *request)
{
	const struct headers *headers = &request->headers;

	return request->refusal && (headers->unframed || headers->waits || headers->length > DISCARD_MAX);
}

static void take_body(struct request *request, const char *bytes, size_t size)
{
	if (request->http->site.counted)
		metrics_add(COUNTER_BYTES_IN, size);
	if (!request->upload.budget) {
		request->discarded += size;
		return;
	}
	switch (upload_append(&request->upload, bytes, size)) {
	case 0:
		return;
	case -EFBIG:
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
		return;
	default:
		request_refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, "no memory for the body");
	}
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
				  const char *version, const char *bytes, size_t *size, void **context)
{
	struct http *http = cls;
	struct request *request = *context;

	(void)mhd, (void)url;
	if (!request)
		return MHD_NO;
	if (!request->begun) {
		begin(request, method, version);
		if (!answer_now(request))
			return MHD_YES;
	} else if (*size > 0) {
		take_body(request, bytes, *size);
		*size = 0;
		return request->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
	}
	if (request->refusal)
		request_answer_text(request, request->refusal, request->reason);
	else
		http->site.finish(http->site.ctx, request);
	return request->answered ? MHD_YES : MHD_NO;
}

void request_answer(struct request *request, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return;
	if (atomic_load_explicit(&request->http->draining, memory_order_relaxed))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	request->answered = MHD_queue_response(request->connection, status, response) == MHD_YES;
	request->status = status;
	MHD_destroy_response(response);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code)
{
	struct http *http = cls;
	struct request *request = *context;
	struct connection *connection = connection_of(mhd);
	uint64_t now, took_ns;

	*context = NULL;
	if (!request)
		return;
	now = now_ns();
	took_ns = now - request->began_ns;
	upload_end(&request->upload);
	if (request->answer_budget)
		upload_budget_give(request->answer_budget, request->answer_size);
	if (http->site.counted) {
		if (request->answered)
			metrics_request(request->verb, request->status, took_ns);
		else
			metrics_add(COUNTER_PROTOCOL_ERROR, 1);
	}
	if (log_wants(LOG_LEVEL_DEBUG))
		log_line(LOG_LEVEL_DEBUG, "%s %.200s %u %llu us%s", metrics_verb_names[request->verb],
			 request->target.path ? request->target.path : "-", request->status,
			 (unsigned long long)(took_ns / 1000),
			 code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : ", broken off");
	atomic_store_explicit(&connection->served, true, memory_order_relaxed);
	begin_or_end(connection, now, false);
}

/* ---------------------------------------------------------------------------------------------- the whole */

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format, va_list ap)
{
	static const char refused[] = "Error processing request";
	char text[512];

	if (((struct http *)cls)->site.counted && strncmp(format, refused, sizeof refused - 1) == 0)
		metrics_add(COUNTER_PROTOCOL_ERROR, 1);
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	vsnprintf(text, sizeof text, format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_line(LOG_LEVEL_DEBUG, "libmicrohttpd: %s", text);
}

struct http *http_start(const struct http_settings *settings)
{
	struct http *http = calloc(1, sizeof *http);
	struct MHD_OptionItem pool[] = { { MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL },
					 { MHD_OPTION_END, 0, NULL } };

	if (!http)
		return NULL;
	http->site = settings->site;
	http->max_connections = settings->max_connections;
	http->idle_ns = settings->idle_timeout_s * UINT64_C(1000000000);
	http->request_ns = settings->request_timeout_ms * 1000000;
	pthread_mutex_init(&http->lock, NULL);
	if (settings->threads < 2)
		pool[0] = pool[1];
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL,
		NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, http, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_CONNECTION_LIMIT, settings->max_connections + SPARE_CONNECTIONS + settings->threads,
		MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		settings->max_target + HEADERS_ROOM, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
	if (!http->daemon) {
		pthread_mutex_destroy(&http->lock);
		free(http);
		return NULL;
	}
	return http;
}

static void turn_away(int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
				     "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n\r\n"
				     "too many connections";
	char asked[4096];

	/* Else what it has sent already would make the answer a reset. */
	recv(fd, asked, sizeof asked, MSG_DONTWAIT);
	send(fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

void http_add(struct http *http, int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;

	if (getpeername(fd, (struct sockaddr *)&address, &size)) {
		close(fd);
		return;
	}
	if (atomic_fetch_add_explicit(&http->count, 1, memory_order_relaxed) >= http->max_connections)
		turn_away(fd);
	else if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, size) == MHD_YES)
		return;
	atomic_fetch_sub_explicit(&http->count, 1, memory_order_relaxed);
	if (http->site.counted)
		metrics_add(COUNTER_TURNED_AWAY, 1);
}

void http_drain(struct http *http)
{
	atomic_store_explicit(&http->draining, true, memory_order_relaxed);
}

unsigned http_connections(const struct http *http)
{
	return atomic_load_explicit(&http->count, memory_order_relaxed);
}

/* Since the request under way began, or since when there is none. */
static uint64_t age_of(const struct connection *connection, uint64_t now)
{
	uint64_t since = atomic_load_explicit(&connection->since_ns, memory_order_relaxed);

	return now > since ? now - since : 0;
}

unsigned http_close_idle(struct http *http)
{
	uint64_t now = now_ns();

	/* What has come already is still read, and answered. */
	pthread_mutex_lock(&http->lock);
	for (struct connection *c = http->connections; c; c = c->next)
		if (!atomic_load_explicit(&c->busy, memory_order_relaxed) &&
		    (atomic_load_explicit(&c->served, memory_order_relaxed) || age_of(c, now) > FIRST_REQUEST_NS))
			shutdown(c->fd, SHUT_RD);
	pthread_mutex_unlock(&http->lock);
	return http_connections(http);
}

void http_remind(struct http *http)
{
	pthread_mutex_lock(&http->lock);
	for (struct connection *c = http->connections; c;) {
		struct pollfd polled[REMIND_AT_ONCE];
		nfds_t n = 0;

		for (; c && n < REMIND_AT_ONCE; c = c->next)
			polled[n++] = (struct pollfd){ .fd = c->fd, .events = POLLRDHUP };
		if (poll(polled, n, 0) <= 0)
			continue;
		/* What has ended stays so, but whoever waits for news of it wakes up. */
		for (nfds_t i = 0; i < n; i++)
			if (polled[i].revents & POLLRDHUP)
				shutdown(polled[i].fd, SHUT_RD);
	}
	pthread_mutex_unlock(&http->lock);
}

void http_end_overdue(struct http *http)
{
	uint64_t now = now_ns();

	pthread_mutex_lock(&http->lock);
	for (struct connection *c = http->connections; c; c = c->next) {
		uint64_t most = http->request_ns;

		if (!atomic_load_explicit(&c->busy, memory_order_acquire))
			most += http->idle_ns;
		if (age_of(c, now) > most)
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&http->lock);
}

void http_stop(struct http *http)
{
	MHD_stop_daemon(http->daemon);
	pthread_mutex_destroy(&http->lock);
	free(http);
}
