/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/jearena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "ground/pages.h"

/* Its interface beyond malloc, as its manual has it: present or not when the program is linked, or loaded. */
extern void *mallocx(size_t size, int flags) __attribute__((weak));
extern void dallocx(void *p, int flags) __attribute__((weak));
extern int mallctl(const char *name, void *old, size_t *old_size, void *fresh, size_t fresh_size) __attribute__((weak));

/* Caches of threads would keep blocks back that others need. */
#define ARENA_FLAG(arena) ((int)((arena) + 1) << 20)
#define NO_CACHE_FLAG (1 << 8)
#define ALIGN_FLAG(align) __builtin_ctzl(align)

/* How an arena gets and gives back its memory: extent_hooks_t. The others are only passed on. */
struct extent_hooks {
	void *(*alloc)(struct extent_hooks *hooks, void *at, size_t size, size_t align, bool *zero, bool *commit, unsigned arena);
	void (*others[8])(void);
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Written once, under the lock, before any arena has them. */
static struct extent_hooks *defaults;
static struct extent_hooks huge;

static void *alloc_huge(struct extent_hooks *hooks, void *at, size_t size, size_t align, bool *zero, bool *commit, unsigned arena)
{
	(void)hooks;
	if (size >= PAGES_HUGE && align < PAGES_HUGE && !at)
		align = PAGES_HUGE;

	void *p = defaults->alloc(defaults, at, size, align, zero, commit, arena);

	if (p && size >= PAGES_HUGE)
		pages_make_huge(p, size);
	return p;
}

static int control(unsigned arena, const char *what, void *old, void *fresh, size_t size)
{
	char name[64];

	snprintf(name, sizeof name, "arena.%u.%s", arena, what);
	return mallctl(name, old, old ? &size : NULL, fresh, fresh ? size : 0);
}

/* Hooks that are not jemalloc's own are left alone. */
static void use_huge_pages(unsigned arena)
{
	struct extent_hooks *hooks = NULL, *ours = &huge;

	if (control(arena, "extent_hooks", &hooks, NULL, sizeof hooks) != 0)
		return;
	pthread_mutex_lock(&lock);
	if (!defaults) {
		huge = *hooks;
		huge.alloc = alloc_huge;
		defaults = hooks;
	}
	pthread_mutex_unlock(&lock);
	if (hooks == defaults)
		(void)control(arena, "extent_hooks", NULL, &ours, sizeof ours);
}

bool jearena_create(unsigned *arena, bool huge_pages)
{
	size_t size = sizeof *arena;
	ssize_t at_once = 0;

	if (!mallocx || !dallocx || !mallctl || mallctl("arenas.create", arena, &size, NULL, 0) != 0)
		return false;
	/* Where these cannot be had the arena serves as well; it keeps more, or is slower. */
	(void)control(*arena, "dirty_decay_ms", NULL, &at_once, sizeof at_once);
	(void)control(*arena, "muzzy_decay_ms", NULL, &at_once, sizeof at_once);
	if (huge_pages)
		use_huge_pages(*arena);
	return true;
}

void jearena_destroy(unsigned arena)
{
	(void)control(arena, "destroy", NULL, NULL, 0);
}

void *jearena_alloc(unsigned arena, size_t size, size_t align)
{
	return mallocx(size, ARENA_FLAG(arena) | NO_CACHE_FLAG | ALIGN_FLAG(align));
}

void jearena_free(void *p)
{
	dallocx(p, NO_CACHE_FLAG);
}
