/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file fuzz.h
 * What the fuzzers share. Each fuzz_NAME.c is a program of libFuzzer's for something that rcumapd parses; its seeds are in
 * seeds/NAME, words that occur there in NAME.dict.
 */
#ifndef RCUMAPD_FUZZ_H
#define RCUMAPD_FUZZ_H

#include "../data.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/** Else it ends here: the fuzzer keeps what led to it. */
void must(bool holds, const char *what);

/** A terminated copy to be freed: what reads beyond its end is found out. A zero byte within ends the text early. */
char *fuzz_text(const uint8_t *bytes, size_t size);

/** Does the text match an extended regular expression, as a whole? The reference for a grammar. */
bool fuzz_matches(const char *text, const char *pattern);

/** A map of 4 MiB that stays, under an epoch that is known, and the data site on top of it: keys of up to 64 bytes, values of up
 * to 4096. */
struct data *fuzz_data(void);

#define FUZZ_EPOCH 0x5eed

#endif
