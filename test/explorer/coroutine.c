/* SPDX-License-Identifier: BSD-2-Clause */
#undef _FORTIFY_SOURCE /* its longjmp refuses to change stacks */
#include "coroutine.h"

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_SIZE ((size_t)256 * 1024)
#define GUARD_SIZE ((size_t)4096)

/* The main program's thread-local segment as the only OS thread sees it, and its initial content. */
static struct {
	char *live;
	const char *initial;
	size_t size, initial_size;
} tls;

static int find_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_TLS) {
			tls.live = info->dlpi_tls_data;
			tls.initial = (const char *)(info->dlpi_addr + header->p_vaddr);
			tls.size = header->p_memsz;
			tls.initial_size = header->p_filesz;
		}
	}
	return 1; /* the first object is the program itself; libraries keep their storage */
}

static void *must(void *p)
{
	if (p == NULL || p == MAP_FAILED) {
		perror("explorer");
		exit(2);
	}
	return p;
}

void coroutine_init_current(struct coroutine *co)
{
	dl_iterate_phdr(find_tls, NULL);
	*co = (struct coroutine){ .started = true, .tls = must(calloc(1, tls.size + 1)) };
}

void coroutine_init(struct coroutine *co)
{
	*co = (struct coroutine){ .tls = must(calloc(1, tls.size + 1)) };
	co->stack = must(mmap(NULL, STACK_SIZE + GUARD_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	mprotect(co->stack, GUARD_SIZE, PROT_NONE);
	memcpy(co->tls, tls.initial, tls.initial_size);
}

static void enter(unsigned high, unsigned low)
{
	struct coroutine *co = (struct coroutine *)((uintptr_t)high << 32 | low);

	co->run(co->arg);
	abort();
}

void coroutine_set(struct coroutine *co, void (*run)(void *arg), void *arg)
{
	uintptr_t self = (uintptr_t)co;

	co->run = run;
	co->arg = arg;
	co->started = false;
	getcontext(&co->start);
	co->start.uc_stack.ss_sp = co->stack + GUARD_SIZE;
	co->start.uc_stack.ss_size = STACK_SIZE;
	co->start.uc_link = NULL;
	makecontext(&co->start, (void (*)(void))enter, 2, (unsigned)(self >> 32), (unsigned)self);
}

void coroutine_switch(struct coroutine *from, struct coroutine *to)
{
	if (tls.size != 0) {
		memcpy(from->tls, tls.live, tls.size);
		memcpy(tls.live, to->tls, tls.size);
	}
	/* ucontext only enters a coroutine: its switches would cost a system call each. */
	if (_setjmp(from->where) != 0)
		return;
	if (to->started)
		_longjmp(to->where, 1);
	to->started = true;
	setcontext(&to->start);
}
