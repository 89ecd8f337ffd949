/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file default_allocator.h
 * Failure of what the built-in allocator and the threads come from: malloc and its kin, mmap, pthread_create; and the count
 * of it.
 *
 * The linker replaces these calls throughout a program that includes this (ld's --wrap); calls inside shared libraries are
 * neither touched nor counted. Nothing fails until armed.
 */
#ifndef FAULT_DEFAULT_ALLOCATOR_H
#define FAULT_DEFAULT_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

/** Let the calling thread's n-th allocation from now (1: the next) fail, once. */
void default_allocator_arm(uint64_t n);
/** Let the calling thread's n-th pthread_create() from now fail, once. */
void default_allocator_arm_threads(uint64_t n);
/** No more of either. True if the failing call was reached. */
bool default_allocator_disarm(void);

/** Let all allocations of all threads fail from the n-th on; INT64_MAX: no more. */
void default_allocator_fail_from(int64_t n);

/** Bytes mapped, and not unmapped, through these calls. */
int64_t default_allocator_mapped(void);

/** Bytes had through these calls and not given back: blocks as malloc_usable_size() tells, and what is mapped. A block counts
 * until free() has returned. Blocks that one side alone sees (of strdup(), say) make it wrong. */
int64_t default_allocator_held(void);
/** The most of it at one instant, since the last default_allocator_watch(). */
int64_t default_allocator_held_most(void);
/** Begin to watch: the most there was is what there is now. With nobody allocating. */
void default_allocator_watch(void);

#endif
