/* SPDX-License-Identifier: BSD-2-Clause */
#include "fault/default_allocator.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

static _Thread_local uint64_t countdown, countdown_threads; /* 0: not armed */
static _Thread_local bool hit;
static _Atomic int64_t fail_from = INT64_MAX;
static _Atomic int64_t mapped, held, held_most;

void default_allocator_arm(uint64_t n)
{
	countdown = n;
	hit = false;
}

void default_allocator_arm_threads(uint64_t n)
{
	countdown_threads = n;
	hit = false;
}

bool default_allocator_disarm(void)
{
	countdown = countdown_threads = 0;
	return hit;
}

void default_allocator_fail_from(int64_t n)
{
	atomic_store(&fail_from, n);
}

int64_t default_allocator_mapped(void)
{
	return atomic_load(&mapped);
}

int64_t default_allocator_held(void)
{
	return atomic_load(&held);
}

int64_t default_allocator_held_most(void)
{
	return atomic_load(&held_most);
}

void default_allocator_watch(void)
{
	atomic_store(&held_most, atomic_load(&held));
}

static void count(int64_t bytes)
{
	int64_t now = atomic_fetch_add(&held, bytes) + bytes, most = atomic_load(&held_most);

	while (now > most && !atomic_compare_exchange_weak(&held_most, &most, now))
		;
}

static int64_t block_bytes(void *p)
{
	return p ? (int64_t)malloc_usable_size(p) : 0;
}

static void *counted(void *p)
{
	count(block_bytes(p));
	return p;
}

/* Shall this allocation fail? */
static bool fails(void)
{
	if (countdown && --countdown == 0) {
		hit = true;
		return true;
	}
	/* relaxed: which of two concurrent allocations is the n-th does not matter */
	return atomic_load_explicit(&fail_from, memory_order_relaxed) != INT64_MAX &&
	       atomic_fetch_sub_explicit(&fail_from, 1, memory_order_relaxed) <= 1;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);
int __real_posix_memalign(void **p, size_t align, size_t size);
int __wrap_posix_memalign(void **p, size_t align, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? no_memory() : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? no_memory() : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	if (fails())
		return no_memory();

	int64_t before = block_bytes(p);
	void *moved = __real_realloc(p, size);

	if (moved || size == 0)
		count(block_bytes(moved) - before);
	return moved;
}

void __wrap_free(void *p)
{
	int64_t bytes = block_bytes(p);

	__real_free(p);
	count(-bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? no_memory() : counted(__real_aligned_alloc(align, size));
}

int __wrap_posix_memalign(void **p, size_t align, size_t size)
{
	int error = fails() ? ENOMEM : __real_posix_memalign(p, align, size);

	if (!error)
		counted(*p);
	return error;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fails()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}

	void *p = __real_mmap(address, size, protection, flags, fd, offset);

	if (p != MAP_FAILED) {
		atomic_fetch_add(&mapped, (int64_t)size);
		count((int64_t)size);
	}
	return p;
}

int __wrap_munmap(void *address, size_t size)
{
	int result = __real_munmap(address, size);

	if (result == 0) {
		atomic_fetch_sub(&mapped, (int64_t)size);
		count(-(int64_t)size);
	}
	return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	if (countdown_threads && --countdown_threads == 0) {
		hit = true;
		return EAGAIN;
	}
	return __real_pthread_create(thread, attr, run, arg);
}
