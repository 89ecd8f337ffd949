/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client sends over a connection, to the whole of the data site: it answers, and closes once the client has. */
#include "fuzz.h"

#include "../log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What ends is a hang: longer than any pause of a busy machine. */
#define TURNS_MAX 6000
#define TURN_MS 10
#define ANSWER_ROOM 65536u

static struct http *http;

static void stop(void)
{
	http_stop(http);
	metrics_close();
}

static void start(void)
{
	struct http_settings settings = { .site = data_site(fuzz_data()),
					  .threads = 1,
					  .max_connections = 16,
					  .idle_timeout_s = 60,
					  .max_target = 512 };

	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL);
	http = http_start(&settings);
	must(http != NULL, "a server");
	atexit(stop);
}

/* A first status line; statuses that say that something is wrong with the server are not to be had from outside. */
static void check_answer(const char *answer, size_t size)
{
	int status;

	if (size < 12)
		must(size == 0, "an answer or none");
	else {
		must(memcmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ', "a status line");
		status = atoi(answer + 9);
		must(status >= 100 && status < 600 && status != 500 && status != 502 && status != 504, "a status");
	}
}

/* Only what comes first is kept. */
static ssize_t next_bytes(const int *ends, char *answer, size_t got)
{
	struct pollfd polled = { .fd = ends[0], .events = POLLIN };
	unsigned turns = 0;

	while (poll(&polled, 1, TURN_MS) != 1) {
		must(turns++ < TURNS_MAX, "it closes once the client has");
		http_remind(http); /* as lifecycle.c does each second */
	}
	if (got < ANSWER_ROOM)
		return read(ends[0], answer + got, ANSWER_ROOM - got);
	return read(ends[0], answer + ANSWER_ROOM / 2, ANSWER_ROOM / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char answer[ANSWER_ROOM];
	size_t got = 0, sent = 0;
	ssize_t n;
	int ends[2];

	if (!http)
		start();
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	http_add(http, ends[1]);
	while (sent < size) {
		n = write(ends[0], bytes + sent, size - sent);

		if (n <= 0)
			break; /* it has closed */
		sent += (size_t)n;
	}
	shutdown(ends[0], SHUT_WR);
	while ((n = next_bytes(ends, answer, got)) > 0)
		got = got + (size_t)n < sizeof answer ? got + (size_t)n : sizeof answer;
	answer[got < sizeof answer ? got : sizeof answer - 1] = '\0';
	check_answer(answer, got);
	close(ends[0]);
	return 0;
}
