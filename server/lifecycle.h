/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file lifecycle.h
 * Signals, and the way to the end: SIGTERM and SIGINT drain (/healthz says 503, answers close their connections, no new ones
 * are accepted, what is under way finishes), SIGHUP opens the log anew. systemd is told.
 */
#ifndef RCUMAPD_LIFECYCLE_H
#define RCUMAPD_LIFECYCLE_H

#include "admin.h"
#include "config.h"
#include "http.h"
#include "listen.h"

/** Block the signals: before any thread is started. */
void lifecycle_block_signals(void);

/** Tell systemd that it runs, wait for the end, drain. Then `acceptor` is stopped, and its `listeners` are closed. */
void lifecycle_run(const struct config *config, struct http *data, struct acceptor *acceptor,
		   struct listeners *listeners, struct admin *admin);

#endif
