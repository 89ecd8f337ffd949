/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: fill http|memcached|redis PORT COUNT
 *
 * Stores COUNT pairs in a service at 127.0.0.1:PORT: keys of 16 bytes, values of 32, each with a life of a day. Requests
 * are sent one behind the other on a few connections, without waiting for answers; each answer is read, and one that is
 * not a success ends it all with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 4u
/* Requests of one connection without an answer, at most. */
#define WINDOW 1024u
#define REQUEST_MAX 256u
#define LIFE_S 86400

/* A line of an answer that begins with `begins` ends one request, and must begin with `success`. */
static const struct protocol {
	const char *name, *format, *begins, *success;
} protocols[] = {
	{ "http",
	  "PUT /v1/%016" PRIx64 "?ttl=%d HTTP/1.1\r\nHost: test\r\nContent-Length: 32\r\n\r\nvalue of 32 bytes%015" PRIu64,
	  "HTTP/1.1 ", "HTTP/1.1 201 " },
	{ "memcached", "set %016" PRIx64 " 0 %d 32\r\nvalue of 32 bytes%015" PRIu64 "\r\n", "", "STORED" },
	{ "redis", "*4\r\n$5\r\nSETEX\r\n$16\r\n%016" PRIx64 "\r\n$5\r\n%d\r\n$32\r\nvalue of 32 bytes%015" PRIu64 "\r\n", "", "+OK" },
};

struct connection {
	int fd;
	uint64_t asked, answered;
	char out[WINDOW * REQUEST_MAX / 4];
	size_t out_begin, out_end;
	char line[128]; /* what is there of an answer's line, cut off */
	size_t line_size;
};

static void fail(const char *what)
{
	fprintf(stderr, "fill: %s: %s\n", what, errno ? strerror(errno) : "");
	exit(1);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		fail("fcntl");
	return fd;
}

/* Spread over all 64 bits, one to one: keys that are not in order. */
static uint64_t key_of(uint64_t i)
{
	i *= UINT64_C(0x9e3779b97f4a7c15);
	return i ^ i >> 32;
}

static void write_requests(struct connection *c, const struct protocol *protocol, uint64_t *next, uint64_t count)
{
	if (c->out_begin == c->out_end)
		c->out_begin = c->out_end = 0;
	while (*next < count && c->asked - c->answered < WINDOW && sizeof c->out - c->out_end > REQUEST_MAX) {
		uint64_t i = (*next)++;

		c->out_end += (size_t)snprintf(c->out + c->out_end, REQUEST_MAX, protocol->format, key_of(i), LIFE_S, i);
		c->asked++;
	}
}

static void send_requests(struct connection *c)
{
	while (c->out_begin < c->out_end) {
		ssize_t n = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			fail("send");
		c->out_begin += (size_t)n;
	}
}

static void read_line(struct connection *c, const struct protocol *protocol)
{
	c->line[c->line_size] = '\0';
	c->line_size = 0;
	if (strncmp(c->line, protocol->begins, strlen(protocol->begins)))
		return;
	if (strncmp(c->line, protocol->success, strlen(protocol->success))) {
		fprintf(stderr, "fill: after %" PRIu64 " answers: %s\n", c->answered, c->line);
		exit(1);
	}
	c->answered++;
}

static void receive(struct connection *c, const struct protocol *protocol)
{
	char bytes[65536];

	for (;;) {
		ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			fail("an answer is missing");
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] == '\n')
				read_line(c, protocol);
			else if (c->line_size < sizeof c->line - 1)
				c->line[c->line_size++] = bytes[i];
	}
}

static void fill(const struct protocol *protocol, uint16_t port, uint64_t count)
{
	static struct connection connections[CONNECTIONS];
	struct pollfd polled[CONNECTIONS];
	uint64_t next = 0, answered = 0;

	for (unsigned i = 0; i < CONNECTIONS; i++)
		connections[i].fd = connect_to(port);
	while (answered < count) {
		answered = 0;
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			struct connection *c = &connections[i];

			write_requests(c, protocol, &next, count);
			send_requests(c);
			polled[i] = (struct pollfd){ c->fd, POLLIN | (c->out_begin < c->out_end ? POLLOUT : 0), 0 };
			answered += c->answered;
		}
		if (answered < count && poll(polled, CONNECTIONS, -1) < 0 && errno != EINTR)
			fail("poll");
		for (unsigned i = 0; i < CONNECTIONS; i++)
			if (polled[i].revents & ~POLLOUT)
				receive(&connections[i], protocol);
	}
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(connections[i].fd);
}

int main(int argc, char **argv)
{
	unsigned long port = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;

	if (port == 0 || port > 65535 || count == 0) {
		fprintf(stderr, "usage: fill http|memcached|redis PORT COUNT\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (strcmp(argv[1], protocols[i].name) == 0) {
			fill(&protocols[i], (uint16_t)port, count);
			return 0;
		}
	fprintf(stderr, "fill: no protocol '%s'\n", argv[1]);
	return 2;
}
