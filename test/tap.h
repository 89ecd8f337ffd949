/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file tap.h
 * The Test Anything Protocol for C and C++ test programs; `prove` runs them.
 *
 *     #include "tap.h"
 *     int main(void)
 *     {
 *             tap_plan(2);
 *             ok(2 + 2 == 4, "two and two");
 *             is_int(rcumap_count(NULL), 0, "no map holds nothing");
 *             return tap_done();
 *     }
 *
 * One source file per program includes this; the state is static. Every function may be called from any
 * thread: a mutex keeps the numbers in order, and each line is one write(2), so that neither a crash nor a
 * fork loses or doubles output. Results go to stdout, diagnostics to stderr.
 *
 * A program that hangs is ended by its runner (`timeout` in GNUmakefile), not from here.
 */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAP_LINE_MAX 1024

static struct {
	pthread_mutex_t lock; /* guards the rest, and the order of lines on stdout */
	int planned;          /* -1: no plan yet */
	int run, failed;
} tap = { PTHREAD_MUTEX_INITIALIZER, -1, 0, 0 };

static inline void tap_write(int fd, const char *line, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, line, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line += n;
		size -= (size_t)n;
	}
}

/* Prints `text` as comment lines, one "# " before each line of it, in one write. */
static inline void tap_comment(const char *text)
{
	char out[2 * TAP_LINE_MAX];
	size_t n = 0;
	bool start = true;

	for (; *text && n + 4 < sizeof out; text++) {
		if (start) {
			out[n++] = '#';
			out[n++] = ' ';
		}
		out[n++] = *text;
		start = *text == '\n';
	}
	if (!start)
		out[n++] = '\n';
	tap_write(STDERR_FILENO, out, n);
}

/** A comment on stderr; may have several lines. Needs no newline at its end. */
__attribute__((format(printf, 1, 2))) static inline void diag(const char *fmt, ...)
{
	char text[TAP_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	tap_comment(text);
}

/** Ends the whole run: nothing after this program is worth running. Exits with 255, without exit handlers. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void bail(const char *fmt, ...)
{
	char text[TAP_LINE_MAX], line[TAP_LINE_MAX + 16];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof line, "Bail out!  %s\n", text);
	tap_write(STDOUT_FILENO, line, (size_t)n);
	_exit(255);
}

/** Announce the number of tests, first of all. Without it tap_done() prints the plan. */
static inline void tap_plan(int n)
{
	char line[32];

	pthread_mutex_lock(&tap.lock);
	tap.planned = n;
	tap_write(STDOUT_FILENO, line, (size_t)snprintf(line, sizeof line, "1..%d\n", n));
	pthread_mutex_unlock(&tap.lock);
}

/** The program's exit status: 0 if all that was planned ran and nothing failed. `return tap_done();` */
static inline int tap_done(void)
{
	char line[32];
	int run, planned, failed;

	pthread_mutex_lock(&tap.lock);
	run = tap.run;
	failed = tap.failed;
	if (tap.planned < 0) {
		tap.planned = run;
		tap_write(STDOUT_FILENO, line, (size_t)snprintf(line, sizeof line, "1..%d\n", run));
	}
	planned = tap.planned;
	pthread_mutex_unlock(&tap.lock);
	if (run != planned)
		diag("planned %d tests but ran %d", planned, run);
	if (failed)
		diag("failed %d of %d tests", failed, run);
	return run != planned || failed ? 1 : 0;
}

/* Prints one numbered result. `skip` is its reason, or NULL. Returns pass. */
static inline bool tap_result(bool pass, const char *name, const char *skip)
{
	char line[TAP_LINE_MAX + 256];
	int n;

	pthread_mutex_lock(&tap.lock);
	tap.run++;
	if (!pass)
		tap.failed++;
	if (skip)
		n = snprintf(line, sizeof line, "ok %d # SKIP %s\n", tap.run, skip);
	else
		n = snprintf(line, sizeof line, "%s %d - %s\n", pass ? "ok" : "not ok", tap.run, name);
	tap_write(STDOUT_FILENO, line, (size_t)n);
	pthread_mutex_unlock(&tap.lock);
	return pass;
}

/* A name is one line, and '#' in it would start a directive. */
static inline void tap_name(char *name, size_t size, const char *fmt, va_list ap)
{
	vsnprintf(name, size, fmt, ap);
	for (char *p = name; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = *p == '#' ? '.' : ' ';
}

__attribute__((format(printf, 4, 5))) static inline bool tap_ok(const char *file, int line, bool pass, const char *fmt,
								...)
{
	char name[TAP_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	tap_name(name, sizeof name, fmt, ap);
	va_end(ap);
	tap_result(pass, name, NULL);
	if (!pass)
		diag("failed: '%s'\n  at %s:%d", name, file, line);
	return pass;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_is_int(const char *file, int line, long long got,
								    long long want, const char *fmt, ...)
{
	char name[TAP_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	tap_name(name, sizeof name, fmt, ap);
	va_end(ap);
	if (!tap_ok(file, line, got == want, "%s", name))
		diag("  got %lld (0x%llx)\n  want %lld (0x%llx)", got, (unsigned long long)got, want,
		     (unsigned long long)want);
	return got == want;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_is_str(const char *file, int line, const char *got,
								    const char *want, const char *fmt, ...)
{
	char name[TAP_LINE_MAX];
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;

	va_start(ap, fmt);
	tap_name(name, sizeof name, fmt, ap);
	va_end(ap);
	if (!tap_ok(file, line, same, "%s", name))
		diag("  got '%s'\n  want '%s'", got ? got : "(null)", want ? want : "(null)");
	return same;
}

__attribute__((format(printf, 6, 7))) static inline bool tap_is_mem(const char *file, int line, const void *got,
								    const void *want, size_t size, const char *fmt, ...)
{
	const unsigned char *g = (const unsigned char *)got, *w = (const unsigned char *)want;
	char name[TAP_LINE_MAX];
	size_t i = 0;
	va_list ap;

	va_start(ap, fmt);
	tap_name(name, sizeof name, fmt, ap);
	va_end(ap);
	if (size == 0 || (g && w))
		while (i < size && g[i] == w[i])
			i++;
	if (!tap_ok(file, line, i == size, "%s", name)) {
		if (!g || !w)
			diag("  got %p, want %p", got, want);
		else
			diag("  byte %zu of %zu: got 0x%02x, want 0x%02x", i, size, g[i], w[i]);
	}
	return i == size;
}

/** A test: `ok(condition, "name %d", i)`. Returns the condition. */
#define ok(cond, ...) tap_ok(__FILE__, __LINE__, !!(cond), __VA_ARGS__)
/** Two integers, as long long, are equal: `is_int(got, want, "name")`. */
#define is_int(got, want, ...) tap_is_int(__FILE__, __LINE__, (long long)(got), (long long)(want), __VA_ARGS__)
/** Two strings are equal; NULL equals NULL only. */
#define is_str(got, want, ...) tap_is_str(__FILE__, __LINE__, (got), (want), __VA_ARGS__)
/** `size` bytes are equal; the first difference is shown. */
#define is_mem(got, want, size, ...) tap_is_mem(__FILE__, __LINE__, (got), (want), (size), __VA_ARGS__)

/** Count `n` tests as skipped, with the reason. */
__attribute__((format(printf, 2, 3))) static inline void skip(int n, const char *fmt, ...)
{
	char why[TAP_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	tap_name(why, sizeof why, fmt, ap);
	va_end(ap);
	while (n-- > 0)
		tap_result(true, "", why);
}

#endif
