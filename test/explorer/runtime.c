/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry points that `-fsanitize=thread` makes the code under test call, implemented for one OS thread: an
 * atomic operation is a scheduling point and then happens at once, sequentially consistent whatever its order says; every
 * access, plain or atomic, is checked against freed memory.
 *
 * The names and types are the compilers' (gcc 12 and clang 14). The operations are plain loads and stores: there is only
 * one OS thread, and a switch happens only where schedule_point() is called.
 */
#include "arena.h"
#include "report.h"
#include "schedule.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#ifdef __clang__
#pragma clang diagnostic ignored "-Wmissing-prototypes"
#endif

#define CALLER __builtin_return_address(0)

__extension__ typedef unsigned __int128 atomic_a128;
typedef uint64_t atomic_a64;
typedef uint32_t atomic_a32;
typedef uint16_t atomic_a16;
typedef uint8_t atomic_a8;

static void before_atomic(const volatile void *p, size_t size, bool store, const void *pc)
{
	if (!schedule_is_quiet(p))
		schedule_point();
	arena_check(p, size, store, pc);
}

static void before_plain(const volatile void *p, size_t size, bool store, const void *pc)
{
	if (!store && schedule_self() != SCHEDULE_NOBODY && arena_is_mortal(p))
		schedule_point_plain();
	arena_check(p, size, store, pc);
}

static void traced(const char *operation, const volatile void *p, uint64_t old, uint64_t new, const void *pc)
{
	if (!report_trace || schedule_self() == SCHEDULE_NOBODY)
		return;
	if (old == new)
		report_step("thread %d %-8s %-28s %#18lx %20s %s", schedule_self(), operation, arena_name(p), old, "",
			    report_place(pc));
	else
		report_step("thread %d %-8s %-28s %#18lx %#20lx %s", schedule_self(), operation, arena_name(p), old,
			    new, report_place(pc));
}

#define DEFINE_FETCH(bits, name, expression)                                                                 \
	atomic_a##bits __tsan_atomic##bits##_##name(volatile atomic_a##bits *p, atomic_a##bits v, int order) \
	{                                                                                                    \
		atomic_a##bits old;                                                                          \
		(void)order;                                                                                 \
		before_atomic(p, sizeof *p, true, CALLER);                                                   \
		old = *p;                                                                                    \
		*p = (atomic_a##bits)(expression);                                                           \
		traced(#name, p, (uint64_t)old, (uint64_t)*p, CALLER);                                       \
		return old;                                                                                  \
	}

#define DEFINE_COMPARE(bits, name, may_fail)                                                                    \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile atomic_a##bits *p, atomic_a##bits *expected, \
							  atomic_a##bits desired, int order, int order_failed)  \
	{                                                                                                       \
		atomic_a##bits old;                                                                             \
		(void)order, (void)order_failed;                                                                \
		before_atomic(p, sizeof *p, true, CALLER);                                                      \
		old = *p;                                                                                       \
		if (old == *expected && !((may_fail) && schedule_spurious())) {                                 \
			*p = desired;                                                                           \
			traced("cas", p, (uint64_t)old, (uint64_t)desired, CALLER);                             \
			return 1;                                                                               \
		}                                                                                               \
		*expected = old;                                                                                \
		traced("cas no", p, (uint64_t)old, (uint64_t)desired, CALLER);                                  \
		return 0;                                                                                       \
	}

#define DEFINE_ATOMICS(bits)                                                                                           \
	atomic_a##bits __tsan_atomic##bits##_load(const volatile atomic_a##bits *p, int order)                         \
	{                                                                                                              \
		atomic_a##bits v;                                                                                      \
		(void)order;                                                                                           \
		before_atomic(p, sizeof *p, false, CALLER);                                                            \
		v = *p;                                                                                                \
		traced("load", p, (uint64_t)v, (uint64_t)v, CALLER);                                                   \
		return v;                                                                                              \
	}                                                                                                              \
	void __tsan_atomic##bits##_store(volatile atomic_a##bits *p, atomic_a##bits v, int order)                      \
	{                                                                                                              \
		(void)order;                                                                                           \
		before_atomic(p, sizeof *p, true, CALLER);                                                             \
		traced("store", p, (uint64_t)*p, (uint64_t)v, CALLER);                                                 \
		*p = v;                                                                                                \
	}                                                                                                              \
	DEFINE_FETCH(bits, exchange, v)                                                                                \
	DEFINE_FETCH(bits, fetch_add, old + v)                                                                         \
	DEFINE_FETCH(bits, fetch_sub, old - v)                                                                         \
	DEFINE_FETCH(bits, fetch_and, old &v)                                                                          \
	DEFINE_FETCH(bits, fetch_or, old | v)                                                                          \
	DEFINE_FETCH(bits, fetch_xor, old ^ v)                                                                         \
	DEFINE_FETCH(bits, fetch_nand, ~(old & v))                                                                     \
	DEFINE_COMPARE(bits, strong, false)                                                                            \
	DEFINE_COMPARE(bits, weak, true)                                                                               \
	atomic_a##bits __tsan_atomic##bits##_compare_exchange_val(volatile atomic_a##bits *p, atomic_a##bits expected, \
								  atomic_a##bits desired, int order, int order_failed) \
	{                                                                                                              \
		atomic_a##bits old;                                                                                    \
		(void)order, (void)order_failed;                                                                       \
		before_atomic(p, sizeof *p, true, CALLER);                                                             \
		old = *p;                                                                                              \
		if (old == expected)                                                                                   \
			*p = desired;                                                                                  \
		traced(old == expected ? "cas" : "cas no", p, (uint64_t)old, (uint64_t)desired, CALLER);               \
		return old;                                                                                            \
	}

DEFINE_ATOMICS(8)
DEFINE_ATOMICS(16)
DEFINE_ATOMICS(32)
DEFINE_ATOMICS(64)
DEFINE_ATOMICS(128)

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

#define DEFINE_PLAIN(name, size, store)                   \
	void __tsan_##name(const volatile void *p)        \
	{                                                 \
		before_plain(p, (size), (store), CALLER); \
	}

#define DEFINE_PLAINS(size)                            \
	DEFINE_PLAIN(read##size, size, false)          \
	DEFINE_PLAIN(write##size, size, true)          \
	DEFINE_PLAIN(read_write##size, size, true)     \
	DEFINE_PLAIN(volatile_read##size, size, false) \
	DEFINE_PLAIN(volatile_write##size, size, true)

#define DEFINE_UNALIGNED(size)                                   \
	DEFINE_PLAIN(unaligned_read##size, size, false)          \
	DEFINE_PLAIN(unaligned_write##size, size, true)          \
	DEFINE_PLAIN(unaligned_read_write##size, size, true)     \
	DEFINE_PLAIN(unaligned_volatile_read##size, size, false) \
	DEFINE_PLAIN(unaligned_volatile_write##size, size, true)

DEFINE_PLAINS(1)
DEFINE_PLAINS(2)
DEFINE_PLAINS(4)
DEFINE_PLAINS(8)
DEFINE_PLAINS(16)
DEFINE_UNALIGNED(2)
DEFINE_UNALIGNED(4)
DEFINE_UNALIGNED(8)
DEFINE_UNALIGNED(16)

void __tsan_read_range(const volatile void *p, unsigned long size)
{
	before_plain(p, size, false, CALLER);
}

void __tsan_write_range(volatile void *p, unsigned long size)
{
	before_plain(p, size, true, CALLER);
}

void __tsan_vptr_update(void **p, void *new)
{
	(void)new;
	before_plain(p, sizeof *p, true, CALLER);
}

void __tsan_vptr_read(void **p)
{
	before_plain(p, sizeof *p, false, CALLER);
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

/* Annotations of ThreadSanitizer's public interface: orders that a sequentially consistent runtime needs no hint for. */
void __tsan_acquire(void *p)
{
	(void)p;
}

void __tsan_release(void *p)
{
	(void)p;
}

/* Whoever calls it waits for another thread. */
int sched_yield(void)
{
	schedule_yield();
	return 0;
}

/*
 * The compilers leave calls of these uninstrumented and rely on the real runtime to intercept them: so do we,
 * for the whole program. Not written as loops that the compiler would turn into calls of themselves.
 */
#ifdef __clang__
#define NO_IDIOM __attribute__((no_builtin))
#else
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

static void check_copy(const void *to, const void *from, size_t size, const void *pc)
{
	before_plain(from, size, false, pc);
	before_plain(to, size, true, pc);
}

NO_IDIOM static void *copy_forward(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}

NO_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	check_copy(to, from, size, CALLER);
	return copy_forward(to, from, size);
}

NO_IDIOM void *memmove(void *to, const void *from, size_t size)
{
	check_copy(to, from, size, CALLER);
	if ((uintptr_t)to <= (uintptr_t)from)
		return copy_forward(to, from, size);
	for (size_t i = size; i-- > 0;)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}

NO_IDIOM void *memset(void *to, int byte, size_t size)
{
	if (schedule_self() != SCHEDULE_NOBODY)
		before_plain(to, size, true, CALLER);
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = (char)byte;
	return to;
}

NO_IDIOM int memcmp(const void *a, const void *b, size_t size)
{
	before_plain(a, size, false, CALLER);
	before_plain(b, size, false, CALLER);
	for (size_t i = 0; i < size; i++)
		if (((const unsigned char *)a)[i] != ((const unsigned char *)b)[i])
			return ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
	return 0;
}
