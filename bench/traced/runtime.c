/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry points that `-fsanitize=thread` makes the library call: each access is told to those who count, and then happens. Atomic
 * operations are sequentially consistent whatever their order says. The names and types are gcc's (12).
 */
#include "coherence.h"
#include "work.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void touch(const volatile void *address, size_t size, bool store)
{
	coherence_access(address, size, store);
	work_access(address, size);
}

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define DEFINE_FETCH(bits, name, builtin)                                                                                   \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order)                \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, true);                                                                                  \
		return builtin(p, v, __ATOMIC_SEQ_CST);                                                                     \
	}

/* One that fails has taken the line, too. */
#define DEFINE_COMPARE(bits, name)                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t *p, uint##bits##_t *expected,             \
							  uint##bits##_t desired, int order, int order_failed)              \
	{                                                                                                                   \
		(void)order, (void)order_failed;                                                                            \
		touch(p, sizeof *p, true);                                                                                  \
		if (!__atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))          \
			return 0;                                                                                           \
		work_exchanged(p, sizeof *p, desired);                                                                      \
		return 1;                                                                                                   \
	}

#define DEFINE_ATOMICS(bits)                                                                                                \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)                              \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, false);                                                                                 \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                \
	}                                                                                                                   \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)                           \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, true);                                                                                  \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                   \
	}                                                                                                                   \
	DEFINE_FETCH(bits, exchange, __atomic_exchange_n)                                                                   \
	DEFINE_FETCH(bits, fetch_add, __atomic_fetch_add)                                                                   \
	DEFINE_FETCH(bits, fetch_sub, __atomic_fetch_sub)                                                                   \
	DEFINE_FETCH(bits, fetch_and, __atomic_fetch_and)                                                                   \
	DEFINE_FETCH(bits, fetch_or, __atomic_fetch_or)                                                                     \
	DEFINE_COMPARE(bits, strong)                                                                                        \
	DEFINE_COMPARE(bits, weak)

DEFINE_ATOMICS(8)
DEFINE_ATOMICS(16)
DEFINE_ATOMICS(32)
DEFINE_ATOMICS(64)

#define DEFINE_PLAIN(name, size, store)           \
	void __tsan_##name(const void *p)         \
	{                                         \
		touch(p, size, store);            \
	}

#define DEFINE_PLAINS(size)                       \
	DEFINE_PLAIN(read##size, size, false)     \
	DEFINE_PLAIN(write##size, size, true)     \
	DEFINE_PLAIN(unaligned_read##size, size, false) \
	DEFINE_PLAIN(unaligned_write##size, size, true)

DEFINE_PLAINS(1)
DEFINE_PLAINS(2)
DEFINE_PLAINS(4)
DEFINE_PLAINS(8)
DEFINE_PLAINS(16)

void __tsan_read_range(const void *p, unsigned long size)
{
	touch(p, size, false);
}

void __tsan_write_range(const void *p, unsigned long size)
{
	touch(p, size, true);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(const void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/* The whole program's: what is mapped there again is fresh again. */
int munmap(void *address, size_t size)
{
	work_unmapped(address, size);
	return (int)syscall(SYS_munmap, address, size);
}
