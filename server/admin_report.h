/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file admin_report.h
 * Metrics and the map's statistics as text: for Prometheus, and as JSON.
 */
#ifndef RCUMAPD_ADMIN_REPORT_H
#define RCUMAPD_ADMIN_REPORT_H

#include "admin.h"

/** Prometheus' text format 0.0.4; malloc's, terminated. NULL: no memory. */
char *admin_report_prometheus(const struct admin *admin);

/** JSON, likewise. */
char *admin_report_json(const struct admin *admin);

#endif
