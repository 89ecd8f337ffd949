/* SPDX-License-Identifier: BSD-2-Clause */
#include "listen.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* How long to leave connections waiting where there are no descriptors for them. */
#define PAUSE_MS 50

static int add(struct listeners *listeners, int fd)
{
	if (listeners->count == LISTENERS_MAX)
		return -E2BIG;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	listeners->fds[listeners->count++] = fd;
	return 0;
}

static int bind_and_listen(struct listeners *listeners, const struct sockaddr *address, socklen_t size)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, result;

	if (fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	result = bind(fd, address, size) || listen(fd, SOMAXCONN) ? -errno : add(listeners, fd);
	if (result)
		close(fd);
	return result;
}

int listen_tcp(struct listeners *listeners, const char *address, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE }, *found;
	char service[8];
	int result;

	snprintf(service, sizeof service, "%u", port);
	result = getaddrinfo(address, service, &hints, &found);
	if (result) {
		log_line(LOG_LEVEL_ERROR, "%s: address '%s': %s", listeners->name, address, gai_strerror(result));
		return -EINVAL;
	}
	result = bind_and_listen(listeners, found->ai_addr, found->ai_addrlen);
	if (result)
		log_line(LOG_LEVEL_ERROR, "%s: %s port %u: %s", listeners->name, address, port, strerror(-result));
	freeaddrinfo(found);
	return result;
}

/* A socket at that path to which nobody listens is left over from a run that was killed. */
static void remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) && errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
}

int listen_unix(struct listeners *listeners, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;

	if (strlen(path) >= sizeof address.sun_path) {
		log_line(LOG_LEVEL_ERROR, "%s: %s: longer than the %zu bytes of a socket's path", listeners->name, path,
			 sizeof address.sun_path - 1);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path));
	remove_stale(&address);
	result = bind_and_listen(listeners, (struct sockaddr *)&address, sizeof address);
	if (result)
		log_line(LOG_LEVEL_ERROR, "%s: %s: %s", listeners->name, path, strerror(-result));
	else
		listeners->unix_path = strdup(path);
	return result;
}

int listen_inherited(struct listeners *data, struct listeners *admin)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names), result = count < 0 ? count : 0;

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		bool is_admin = names && names[i] && strcmp(names[i], "admin") == 0;

		if (result == 0 && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			result = -ENOTSOCK;
		if (result == 0)
			result = add(is_admin ? admin : data, fd);
	}
	if (names)
		for (char **name = names; *name; name++)
			free(*name);
	free(names);
	if (result)
		log_line(LOG_LEVEL_ERROR, "inherited sockets: %s",
			 result == -ENOTSOCK ? "one does not listen for streams" : strerror(-result));
	return result ? result : count;
}

void listen_tell(const struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof address;
		char host[INET6_ADDRSTRLEN], port[8];

		if (getsockname(listeners->fds[i], (struct sockaddr *)&address, &size))
			continue;
		if (address.ss_family == AF_UNIX)
			log_line(LOG_LEVEL_INFO, "%s: listening on %s", listeners->name,
				 ((struct sockaddr_un *)&address)->sun_path);
		else if (getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
				     NI_NUMERICHOST | NI_NUMERICSERV) == 0)
			log_line(LOG_LEVEL_INFO,
				 strchr(host, ':') ? "%s: listening on [%s]:%s" : "%s: listening on %s:%s",
				 listeners->name, host, port);
	}
}

void listen_close(struct listeners *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++)
		close(listeners->fds[i]);
	if (listeners->unix_path)
		unlink(listeners->unix_path);
	free(listeners->unix_path);
	listeners->unix_path = NULL;
	listeners->count = 0;
}

/* ---------------------------------------------------------------------------------------------- accepting */

struct acceptor {
	pthread_t thread;
	const struct listeners *listeners;
	struct http *http;
	int stop; /* an eventfd: readable once it is to stop */
};

/* All that waited when it began, at least, but not all that may come without end meanwhile; false if there are no
 * descriptors for them. */
static bool accept_waiting(struct acceptor *acceptor, int listener)
{
	for (unsigned n = 0; n <= SOMAXCONN; n++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			http_add(acceptor->http, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return false;
		else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINVAL || errno == EBADF)
			return true;
		/* Else this one connection is gone. */
	}
	return true;
}

static void *accept_loop(void *arg)
{
	struct acceptor *acceptor = arg;
	const struct listeners *listeners = acceptor->listeners;
	struct pollfd polled[LISTENERS_MAX + 1];
	bool stopping = false;

	polled[0] = (struct pollfd){ .fd = acceptor->stop, .events = POLLIN };
	for (unsigned i = 0; i < listeners->count; i++)
		polled[i + 1] = (struct pollfd){ .fd = listeners->fds[i], .events = POLLIN };
	while (!stopping) {
		if (poll(polled, listeners->count + 1, -1) < 0 && errno != EINTR)
			log_line(LOG_LEVEL_ERROR, "%s: poll: %s", listeners->name, strerror(errno));
		stopping = polled[0].revents != 0;
		for (unsigned i = 0; i < listeners->count; i++)
			if (!accept_waiting(acceptor, listeners->fds[i])) {
				log_line(LOG_LEVEL_WARN, "%s: no descriptor for a connection", listeners->name);
				poll(polled, 1, PAUSE_MS);
			}
	}
	return NULL;
}

struct acceptor *acceptor_start(const struct listeners *listeners, struct http *http)
{
	struct acceptor *acceptor = calloc(1, sizeof *acceptor);

	if (!acceptor)
		return NULL;
	acceptor->listeners = listeners;
	acceptor->http = http;
	acceptor->stop = eventfd(0, EFD_CLOEXEC);
	if (acceptor->stop < 0 || pthread_create(&acceptor->thread, NULL, accept_loop, acceptor)) {
		if (acceptor->stop >= 0)
			close(acceptor->stop);
		free(acceptor);
		return NULL;
	}
	return acceptor;
}

void acceptor_stop(struct acceptor *acceptor)
{
	eventfd_write(acceptor->stop, 1);
	pthread_join(acceptor->thread, NULL);
	close(acceptor->stop);
	free(acceptor);
}
