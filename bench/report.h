/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file report.h
 * The demo's results, for people on stdout and for programs as JSON.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "machine.h"
#include "results.h"

void report_machine(const struct machine *m);
void report_trace(const struct results *r);
void report_pairs(const struct results *r);
/** Each bound with its margin. Returns whether all hold. */
bool report_bounds(const struct results *r);

/** All of it into a file. Returns 0 or -errno. */
int report_json(const char *path, const struct machine *m, const struct results *r);

#endif
