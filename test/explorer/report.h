/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker says: the one failure that ends it, with the command that replays it, and the trace of a replay.
 */
#ifndef EXPLORER_REPORT_H
#define EXPLORER_REPORT_H

#include <stdbool.h>

/* Where we are, for the report. `replay` must stay valid; it is read when a failure is reported. */
void report_where(const char *scenario, const char *replay);

/* Ask for the name instead when it is needed; NULL: no more. */
void report_name_by(const char *(*name)(void));

/* Called before the process ends on a failure, to print what was recorded. */
void report_on_failure(void (*print)(void));

/* Print the failure, how to replay it and what happened; end the process with status 1. */
_Noreturn void report_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Let crashes, failed assertions and endless loops end in report_failure() too. */
void report_catch_signals(void);
/* The run that starts now may take `seconds`. */
void report_watchdog(unsigned seconds);

/* "function at file:line" of a return address, asked from addr2line. The result is overwritten by the next call. */
const char *report_place(const void *pc);

/* A comment line of the report. */
void report_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* With a trace, report_step() prints one line; without, it does nothing. */
extern bool report_trace;
void report_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
