/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file admin.h
 * The site for those who run the service: /healthz, /metrics, /stats, /flush, and a page that shows them live.
 */
#ifndef RCUMAPD_ADMIN_H
#define RCUMAPD_ADMIN_H

#include "cache.h"
#include "http.h"

struct admin {
	struct cache *cache;
	const struct config *config; /* whose limits are told */
	const struct http *data;     /* whose connections are told */
	struct http *http;	     /* its own */
	atomic_bool draining;	     /* relaxed: /healthz says 503 from some moment on */
};

/** `admin` must stay where it is. */
struct http_site admin_site(struct admin *admin);

#endif
