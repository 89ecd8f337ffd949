/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file transfer.h
 * How far two processors are from each other.
 *
 * On a virtual machine that changes by the second: the host moves them, and a line that took 45 ns from one to the other takes 260 when they
 * share no cache any more. All maps that threads write to have two speeds there. So it is measured beside each round, and only rounds in
 * which it was about the same are compared.
 */
#ifndef BENCH_TRANSFER_H
#define BENCH_TRANSFER_H

/** ns that a cache line takes from one processor to another: of the first two that this process may use. Takes 2 ms. 0: there is one only. */
double transfer_measure(void);

/** Two that differ by this factor at most are about the same. */
#define TRANSFER_ALIKE_TIMES 1.5

#endif
