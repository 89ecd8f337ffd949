/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file sanitizer.h
 * Under which sanitizer this is compiled, and what its runtime does not allow in a program that forks. Their allocators take
 * no care of fork() in compilers of these years: a child in which another thread's lock was copied hangs at its next malloc
 * (a program of nothing but threads that call malloc, and forks, shows it within seconds, by gcc and by clang).
 */
#ifndef HARNESS_SANITIZER_H
#define HARNESS_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#elif __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#endif

/*
 * May a child start threads; may it be forked while threads allocate? ThreadSanitizer's runtime ends a child of several
 * threads that starts one, unless it is told not to. AddressSanitizer allocates behind malloc's back where a thread begins: one
 * that a map has just started is enough. What they leave out is tested for the parent alone.
 */
#if defined(TEST_TSAN)
#define CHILD_STARTS_THREADS 0
#define CHILD_OF_BUSY_THREADS 0
#elif defined(TEST_ASAN)
#define CHILD_STARTS_THREADS 1
#define CHILD_OF_BUSY_THREADS 0
#else
#define CHILD_STARTS_THREADS 1
#define CHILD_OF_BUSY_THREADS 1
#endif

#endif
