/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file data.h
 * The site that serves values: /v1/KEY (fetch.h, store.h, remove.h) and /batch (batch.h). Here a request gets to the one
 * who answers it.
 */
#ifndef RCUMAPD_DATA_H
#define RCUMAPD_DATA_H

#include "cache.h"
#include "config.h"
#include "http.h"

struct data {
	struct cache *cache;
	const struct config *config;
	struct upload_budget budget;
};

/** `data` must stay where it is. */
struct http_site data_site(struct data *data);

/** The status for what the map refused a store with, and a line of text. */
unsigned data_refusal(int error, const char **text);

#endif
