/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file fetch.h
 * GET and HEAD. A value is sent from the map's entry itself, which is held until it is sent; the read section ends before
 * the answer is made.
 */
#ifndef RCUMAPD_FETCH_H
#define RCUMAPD_FETCH_H

#include "data.h"

void fetch_answer(struct data *data, struct request *request);

#endif
