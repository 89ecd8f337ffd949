/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

/* Set by log_open(), unchanged afterwards. The number of `fd` stays when the file is opened anew: dup3() puts the new one
 * in its place, atomically for those who write just then. */
static struct {
	enum log_level level;
	enum log_format format;
	const char *path;
	int fd;
} log_state = { LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL, STDERR_FILENO };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

int log_open(enum log_level level, enum log_format format, const char *path)
{
	log_state.level = level;
	log_state.format = format;
	if (path && *path) {
		int fd = open_file(path);

		if (fd < 0)
			return fd;
		log_state.path = path;
		log_state.fd = fd;
	}
	return 0;
}

void log_reopen(void)
{
	int fd;

	if (!log_state.path)
		return;
	fd = open_file(log_state.path);
	if (fd < 0) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", log_state.path, strerror(-fd));
		return;
	}
	dup3(fd, log_state.fd, O_CLOEXEC);
	close(fd);
}

bool log_wants(enum log_level level)
{
	return level <= log_state.level;
}

static void write_all(const char *line, size_t size)
{
	while (size > 0) {
		ssize_t n = write(log_state.fd, line, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nowhere to tell it */
		line += n;
		size -= (size_t)n;
	}
}

static void write_text(const char *when, const char *level, const char *message)
{
	char line[LINE_MAX_BYTES + 64];
	int n = snprintf(line, sizeof line, "%s %s %s\n", when, level, message);

	write_all(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

static void write_json(const char *when, const char *level, const char *message)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "time", when, "level", level, "message", message);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (text) {
		size_t size = strlen(text);

		text[size] = '\n'; /* in place of the terminator: one write for the line */
		write_all(text, size + 1);
	}
	free(text);
	json_decref(object);
}

void log_line(enum log_level level, const char *format, ...)
{
	char message[LINE_MAX_BYTES], when[40], second[24];
	struct timespec now;
	struct tm utc;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	/* One line is one line: what others sent us does not begin a second one. */
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(when, sizeof when, "%s.%03ldZ", second, now.tv_nsec / 1000000);
	if (log_state.format == LOG_FORMAT_JSON)
		write_json(when, level_names[level], message);
	else
		write_text(when, level_names[level], message);
}
