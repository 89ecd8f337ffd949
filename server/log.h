/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file log.h
 * Lines for people or machines, on stderr or in a file. Each is one write(2), so that lines of many threads stay whole.
 */
#ifndef RCUMAPD_LOG_H
#define RCUMAPD_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/** To be called before other threads run. `path`: NULL or "" for stderr. 0 or -errno. */
int log_open(enum log_level level, enum log_format format, const char *path);

/** Open the file anew (it may have been moved away). Any thread. If that fails, lines go on to the old one, which says so. */
void log_reopen(void);

/** Would a line of this level be written? */
bool log_wants(enum log_level level);

/** A line, without its newline. What is longer than 2 KiB is cut. Any thread. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#endif
