/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin.h"

#include "admin_report.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

/* admin_page.html, by admin_page.S. */
extern const char admin_page[], admin_page_end[];

static int flush(struct admin *admin, const char *why)
{
	uint64_t count = rcumap_count(admin->cache->map);
	int result = rcumap_clear(admin->cache->map);

	if (count || result)
		log_line(LOG_LEVEL_INFO, "flushed%s: %s", why, result ? strerror(-result) : "all is gone");
	return result;
}

/* HAProxy tells how it sees this node (http-check send-state). */
static bool is_passed_over(struct request *request)
{
	const char *state = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "X-Haproxy-Server-State");

	return state && strncmp(state, "DOWN", 4) == 0;
}

/* While a balancer passes this node over, its keys are stored elsewhere, and what is here grows stale. So it is gone before
 * the answer that may bring requests back. */
static void answer_health(struct admin *admin, struct request *request)
{
	if (atomic_load_explicit(&admin->draining, memory_order_relaxed))
		request_answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "draining");
	else if (is_passed_over(request) && flush(admin, ", for HAProxy passes this node over"))
		request_answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stale values are still there: no memory");
	else
		request_answer_text(request, MHD_HTTP_OK, "ok");
}

static void answer_report(struct request *request, const char *type, char *text)
{
	if (text)
		request_answer_bytes(request, MHD_HTTP_OK, type, text, strlen(text));
	else
		request_answer_text(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory");
}

static void answer_metrics(struct admin *admin, struct request *request)
{
	answer_report(request, "text/plain; version=0.0.4; charset=utf-8", admin_report_prometheus(admin));
}

static void answer_stats(struct admin *admin, struct request *request)
{
	answer_report(request, "application/json", admin_report_json(admin));
}

static void answer_flush(struct admin *admin, struct request *request)
{
	if (flush(admin, ""))
		request_answer_text(request, MHD_HTTP_INSUFFICIENT_STORAGE, "some of it is still there: no memory");
	else
		request_answer_text(request, MHD_HTTP_NO_CONTENT, NULL);
}

static void answer_page(struct admin *admin, struct request *request)
{
	size_t size = (size_t)(admin_page_end - admin_page);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, (void *)admin_page, MHD_RESPMEM_PERSISTENT);

	/* It needs nothing from elsewhere, and nobody is to put it into a frame. */
	static const char policy[] = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
				     "img-src data:; connect-src 'self'; frame-ancestors 'none'";

	(void)admin;
	if (response &&
	    (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8") == MHD_NO ||
	     MHD_add_response_header(response, "Content-Security-Policy", policy) == MHD_NO)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	request_answer(request, MHD_HTTP_OK, response);
}

static const struct route {
	const char *path;
	bool post; /* else GET and HEAD */
	void (*answer)(struct admin *admin, struct request *request);
} routes[] = {
	{ "/", false, answer_page },	   { "/healthz", false, answer_health }, { "/metrics", false, answer_metrics },
	{ "/stats", false, answer_stats }, { "/flush", true, answer_flush },
};

static const struct route *route_of(const struct request *request)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (strcmp(routes[i].path, request->target.path) == 0)
			return &routes[i];
	return NULL;
}

static void begin(void *ctx, struct request *request)
{
	const struct route *route = route_of(request);
	bool reads = request->verb == VERB_GET || request->verb == VERB_HEAD;

	(void)ctx;
	request->allowed = route && route->post ? "POST" : "GET, HEAD";
	if (!route)
		request_refuse(request, MHD_HTTP_NOT_FOUND, "there are /, /healthz, /metrics, /stats and /flush");
	else if (route->post ? request->verb != VERB_POST : !reads)
		request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "no such method here");
	else if (route->post && headers_foreign(&request->headers))
		request_refuse(request, MHD_HTTP_FORBIDDEN, HEADERS_FOREIGN);
}

static void finish(void *ctx, struct request *request)
{
	route_of(request)->answer(ctx, request);
}

struct http_site admin_site(struct admin *admin)
{
	return (struct http_site){ .begin = begin, .finish = finish, .ctx = admin };
}
