/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file listen.h
 * Sockets that are listened on, and the thread that accepts from them and hands each connection to an http.
 */
#ifndef RCUMAPD_LISTEN_H
#define RCUMAPD_LISTEN_H

#include "http.h"

#define LISTENERS_MAX 16u

/** The listening sockets of one site. */
struct listeners {
	const char *name; /* in the log */
	int fds[LISTENERS_MAX];
	unsigned count;
	char *unix_path; /* to be removed in the end; NULL for none */
};

struct acceptor;

/* Each logs what is wrong, and returns 0 or -errno. */

/** A numeric IPv4 or IPv6 address; port 0 for any. */
int listen_tcp(struct listeners *listeners, const char *address, uint16_t port);

/** A unix socket; one that nobody listens on any more is replaced. `path` is copied. */
int listen_unix(struct listeners *listeners, const char *path);

/**
 * Sockets that systemd holds for us: those with FileDescriptorName=admin are `admin`'s, all others `data`'s.
 * @return how many there are, or -errno.
 */
int listen_inherited(struct listeners *data, struct listeners *admin);

/** Log where they are: "data: listening on 127.0.0.1:8080". */
void listen_tell(const struct listeners *listeners);

void listen_close(struct listeners *listeners);

/** Begin to accept. NULL: no memory, no thread. */
struct acceptor *acceptor_start(const struct listeners *listeners, struct http *http);

/** Stop, once all that has connected so far is accepted. */
void acceptor_stop(struct acceptor *acceptor);

#endif
