/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where each function may be called: the table of rcumap.h, cell by cell, once more as `rows` below.
 *
 * A cell has a map of its own, on which something waits for a grace period. The function is called where the cell says: it
 * works, with the right result and without waiting for what cannot come, or it returns -EDEADLK, and the map is intact. What
 * hangs is ended by the team's watchdog. Callbacks while a map is being destroyed are in test_removed.c.
 */
#include "context_calls.h"

static const char *const context_names[CONTEXTS] = { "in a section",
						     "in the function of an update",
						     "in the function of a scan",
						     "in the callback `removed`",
						     "in the callback `stalled`",
						     "offline",
						     "in a thread that is not registered" };

/* ------------------------------------------------------------------ the table */

/* As there, with the number of the note. */
enum cell {
	no, /* nothing is promised */
	yes,
	must,
	no3, /* -EDEADLK with bp and memb; a qsbr thread's section cannot be told, the call is a quiescent state */
	yes4, /* in a section opened there */
	must5, /* there, or on an entry that is held or was given, anywhere */
	no5, /* but on such an entry */
	yes6,
	edeadlk,
};

enum needs {
	NOTHING,
	HELD, /* `held` */
};

static const struct row {
	const char *name;
	int (*call)(struct scene *s);
	enum cell R, U, C, O;
	enum needs needs;
} rows[] = {
	/*                                            R      U     C        O */
	{ "find",              call_find,             must,  yes,  yes4,    no,  NOTHING },
	{ "find_batch",        call_find_batch,       must,  yes,  yes4,    no,  NOTHING },
	{ "entry accessors",   call_accessors,        must5, yes,  yes,     no5, HELD },
	{ "hold",              call_hold,             must5, yes,  yes,     no5, HELD },
	{ "release",           call_release,          yes,   yes,  yes,     yes, HELD },
	{ "get",               call_get,              yes,   yes,  yes,     no,  NOTHING },
	{ "get_batch",         call_get_batch,        yes,   yes,  yes,     no,  NOTHING },
	{ "ttl",               call_ttl,              yes,   yes,  yes,     no,  NOTHING },
	{ "put",               call_put,              yes,   no,   yes,     no,  NOTHING },
	{ "add",               call_add,              yes,   no,   yes,     no,  NOTHING },
	{ "replace",           call_replace,          yes,   no,   yes,     no,  NOTHING },
	{ "compare_and_swap",  call_compare_and_swap, yes,   no,   yes,     no,  NOTHING },
	{ "update",            call_update,           yes,   no,   yes,     no,  NOTHING },
	{ "touch",             call_touch,            yes,   no,   yes,     no,  NOTHING },
	{ "delete",            call_delete,           yes,   no,   yes,     no,  NOTHING },
	{ "delete_if",         call_delete_if,        yes,   no,   yes,     no,  NOTHING },
	{ "clear",             call_clear,            yes,   no,   yes,     no,  HELD },
	{ "scan",              call_scan,             yes,   no,   yes,     no,  NOTHING },
	{ "count",             call_count,            yes,   yes,  yes,     yes, NOTHING },
	{ "stats",             call_stats,            yes,   yes,  yes,     no,  NOTHING },
	{ "get_or_load",       call_get_or_load,      no3,   no3,  edeadlk, no,  NOTHING },
	{ "reserve",           call_reserve,          no3,   no3,  edeadlk, yes, NOTHING },
	{ "barrier",           call_barrier,          no3,   no3,  edeadlk, yes, NOTHING },
	{ "destroy",           call_destroy,          no3,   no3,  edeadlk, yes, NOTHING },
	{ "create",            call_create,           yes6,  yes6, yes,     yes, NOTHING },
	{ "the fork handlers", call_fork_handlers,    no,    no,   no,      yes, NOTHING },
};

static enum cell cell_of(const struct row *row, enum context context)
{
	switch (context) {
	case IN_SECTION:
		return row->R;
	case IN_UPDATE:
	case IN_SCAN:
		return row->U;
	case IN_REMOVED:
	case IN_STALLED:
		return row->C;
	case OFFLINE:
		return fixture_flavor == FLAVOR_QSBR ? row->O : no;
	default:
		return fixture_flavor != FLAVOR_BP ? row->O : no;
	}
}

/* ------------------------------------------------------------------ the contexts */

/* Once, with the entry that is at hand there, if there is one. */
static void call_row(struct scene *s, const struct rcumap_entry *entry, const char *key)
{
	if (atomic_load(&s->called))
		return;
	s->entry = entry ? entry : s->held;
	s->entry_key = entry ? key : KEPT;
	s->result = s->row->call(s);
	atomic_store(&s->called, true);
}

static int in_update(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)value;
	call_row(ctx, old, KEPT);
	return RCUMAP_KEEP;
}

static int in_scan(void *ctx, const struct rcumap_entry *entry)
{
	if (entry_is(entry, KEPT))
		call_row(ctx, entry, KEPT);
	return 0;
}

static void in_removed(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct scene *s = ctx;

	(void)reason;
	atomic_fetch_add(&s->told, 1);
	if (s->context == IN_REMOVED && entry_is(entry, GONE))
		call_row(s, entry, GONE);
}

static void in_stalled(void *ctx, const struct rcumap_stall *stall)
{
	struct scene *s = ctx;

	(void)stall;
	/* On a busy machine a grace period of the preparations may be late, too. */
	if (s->context == IN_STALLED && atomic_load(&s->ready))
		call_row(s, NULL, NULL);
}

static void *in_foreign_thread(void *s)
{
	call_row(s, NULL, NULL);
	return NULL;
}

static bool is_called(void *ctx)
{
	return atomic_load(&((struct scene *)ctx)->called);
}

/* Nothing that the row does may need this thread to leave its section. */
static void stay_until_called(struct scene *s)
{
	while (!is_called(s))
		sleep_ns(100000);
}

static void remove_gone(struct scene *s)
{
	if (rcumap_delete(s->map, GONE, 4) != 0)
		bail("delete");
}

static void enter_context(struct scene *s)
{
	uint64_t cursor = 0;

	pthread_t thread;

	if (s->context == IN_UPDATE || s->context == IN_SCAN || s->context >= OFFLINE)
		remove_gone(s);
	switch (s->context) {
	case IN_SECTION:
		rcumap_read_lock(s->map);
		remove_gone(s); /* its grace period waits for this section */
		call_row(s, rcumap_find(s->map, KEPT, 4), KEPT);
		if (s->map)
			rcumap_read_unlock(s->map);
		break;
	case IN_UPDATE:
		(void)rcumap_update(s->map, KEPT, 4, in_update, s, NULL);
		break;
	case IN_SCAN:
		while (rcumap_scan(s->map, &cursor, 100, in_scan, s) == 1)
			;
		break;
	case IN_REMOVED:
		remove_gone(s);
		(void)fixture_eventually(is_called, s);
		break;
	case IN_STALLED:
		rcumap_read_lock(s->map);
		remove_gone(s);
		atomic_store(&s->ready, true);
		stay_until_called(s);
		rcumap_read_unlock(s->map);
		break;
	case OFFLINE:
		flavor_offline(fixture_flavor);
		call_row(s, NULL, NULL);
		flavor_online(fixture_flavor);
		break;
	default:
		flavor_offline(fixture_flavor);
		if (pthread_create(&thread, NULL, in_foreign_thread, s) != 0 || pthread_join(thread, NULL) != 0)
			bail("pthread_create");
		flavor_online(fixture_flavor);
	}
	flavor_quiescent(fixture_flavor);
}

/* ------------------------------------------------------------------ a cell */

static void scene_begin(struct scene *s, const struct row *row, enum context context)
{
	struct rcumap_options options;
	static const char *const keys[] = { KEPT, MINE, GONE };

	memset(s, 0, sizeof *s);
	s->row = row;
	s->context = context;
	memset(&options, 0, sizeof options);
	options.removed = in_removed;
	options.removed_ctx = s;
	options.stalled = in_stalled;
	options.stalled_ctx = s;
	options.stall_ms = context == IN_STALLED ? 1 : 0;
	s->map = fixture_map(&options);
	for (unsigned i = 0; i < 3; i++)
		if (fixture_put_text(s->map, keys[i], keys[i], RCUMAP_TTL_NEVER) != 0)
			bail("put");
	if (fixture_put_text(s->map, LIFE, LIFE, HOUR_MS) != 0)
		bail("put");
	if (row->needs == HELD) {
		rcumap_read_lock(s->map);
		s->held = rcumap_find(s->map, KEPT, 4);
		if (!s->held || rcumap_hold(s->map, s->held) != 0)
			bail("hold");
		rcumap_read_unlock(s->map);
	}
}

/* Is all as it should be after the call? Ends the scene. */
static bool scene_end(struct scene *s, bool refused)
{
	bool good = true;

	if (s->made) {
		good = fixture_put_text(s->made, KEPT, KEPT, HOUR_MS) == 0 && has(s->made, KEPT, KEPT);
		good = rcumap_destroy(s->made) == 0 && good;
	}
	if (!s->map)
		return good;
	if (s->kept) {
		good = good && entry_is(s->kept, s->entry_key);
		rcumap_release(s->map, s->kept);
	}
	if (s->held) {
		good = good && entry_is(s->held, KEPT);
		rcumap_release(s->map, s->held);
	}
	if (s->row->call == call_clear)
		good = good && rcumap_count(s->map) == 0;
	else
		good = good && has(s->map, KEPT, KEPT);
	if (refused)
		good = good && rcumap_count(s->map) == KEYS && has(s->map, MINE, MINE) && has(s->map, LIFE, LIFE);
	good = good && rcumap_barrier(s->map) == 0 && rcumap_reserve(s->map, 2000) == 0;
	good = good && fixture_put_text(s->map, "later", "later", RCUMAP_TTL_DEFAULT) == 0;
	good = good && has(s->map, "later", "later") && rcumap_delete(s->map, "later", 5) == 0;
	good = good && rcumap_barrier(s->map) == 0;
	good = good && fixture_stats(s->map).held_entries == 0 && fixture_stats(s->map).retired_pending == 0;
	return rcumap_destroy(s->map) == 0 && good;
}

static void check_cell(const struct row *row, enum context context)
{
	enum cell cell = cell_of(row, context);
	bool refused = cell == edeadlk || (cell == no3 && fixture_flavor != FLAVOR_QSBR);
	struct scene s;

	/* (3): in a function that is called inside a qsbr section the call would end that section. */
	if (cell == no || (cell == no3 && !refused && context != IN_SECTION))
		return;
	scene_begin(&s, row, context);
	enter_context(&s);
	ok(is_called(&s), "%s: %s, %s", fixture_name(), row->name, context_names[context]);
	is_int(s.result, refused ? -EDEADLK : 0, "%s: %s, %s: %s", fixture_name(), row->name, context_names[context],
	       refused ? "is refused" : "works");
	ok(scene_end(&s, refused), "%s: %s, %s: the map is in working order", fixture_name(), row->name,
	   context_names[context]);
}

static void check_all(struct team_member *me)
{
	(void)me;
	for (unsigned context = 0; context < CONTEXTS; context++)
		for (unsigned row = 0; row < sizeof rows / sizeof rows[0]; row++)
			check_cell(&rows[row], (enum context)context);
}

static void test(void)
{
	fixture_run(1, check_all, NULL);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
