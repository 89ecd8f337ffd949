/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session store: logging in stores a session with a life, each request gives it a new one, logging out deletes it.
 * Who stays away is logged out without anybody looking: the map's own thread removes what has expired. It also calls
 * `session_ended`, which says why.
 *
 * The clock is the program's, so that half an hour passes at once. Without options.clock the life is in real time.
 *
 *     cc example_sessions.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define IDLE_MS (UINT64_C(30) * 60 * 1000)
#define MINUTES_NS(n) ((n)*UINT64_C(60) * 1000000000)

struct token {
	unsigned char bytes[16]; /* the cookie: random, in a real service */
};

struct session {
	char user[16];
	uint32_t rights;
};

struct store {
	struct rcumap *sessions;
	atomic_uint_fast64_t now_ns;
	atomic_uint ended[RCUMAP_DESTROYED + 1]; /* by reason */
};

static uint64_t read_clock(void *ctx)
{
	return atomic_load(&((struct store *)ctx)->now_ns);
}

/* Called once per session that has ended, on the map's own thread, when no reader can have it any more. */
static void session_ended(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	static const char *const why[] = {
		[RCUMAP_DELETED] = "logged out",	 [RCUMAP_REPLACED] = "logged in again",
		[RCUMAP_EXPIRED] = "stayed away",	 [RCUMAP_CLEARED] = "all were sent away",
		[RCUMAP_DESTROYED] = "the store closed",
	};
	struct store *store = ctx;
	const struct session *session = rcumap_entry_value(entry); /* the key has 16 bytes: it is aligned */

	printf("%s: %s\n", session->user, why[reason]);
	atomic_fetch_add(&store->ended[reason], 1);
}

/* ------------------------------------------------------------------ what a service does */

static int log_in(struct store *store, const struct token *token, const char *user, uint32_t rights)
{
	struct session session = { .rights = rights };

	strncpy(session.user, user, sizeof session.user - 1);
	return rcumap_add(store->sessions, token, sizeof *token, &session, sizeof session, IDLE_MS, NULL);
}

/* A request comes with a token: whose is it? 0; -ENOENT: nobody's, or no longer. */
static int authenticate(struct store *store, const struct token *token, struct session *session)
{
	/* The session that was there may be gone by the time it is read: then it is the second call that says so. */
	int error = rcumap_touch(store->sessions, token, sizeof *token, IDLE_MS);

	return error ? error : rcumap_get(store->sessions, token, sizeof *token, session, sizeof *session, NULL, NULL);
}

static int log_out(struct store *store, const struct token *token)
{
	return rcumap_delete(store->sessions, token, sizeof *token);
}

/* ------------------------------------------------------------------ an hour of it */

static int is_of(struct store *store, const struct token *token, const char *user)
{
	struct session session;

	return authenticate(store, token, &session) == 0 && strcmp(session.user, user) == 0;
}

/* Nobody asks for the session. At most a minute, on the busiest machine. */
static int wait_until_one_stayed_away(struct store *store)
{
	for (unsigned i = 0; i < 60000 && atomic_load(&store->ended[RCUMAP_EXPIRED]) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return atomic_load(&store->ended[RCUMAP_EXPIRED]) == 1;
}

static int run(struct store *store)
{
	const struct token ada = { "token of ada" }, bob = { "token of bob" }, eve = { "token of eve" };
	int good = log_in(store, &ada, "ada", 7) == 0 && log_in(store, &bob, "bob", 1) == 0 &&
		   log_in(store, &eve, "eve", 1) == 0;

	/* Ada sends a request every 20 minutes, Bob none. */
	for (unsigned i = 0; i < 3; i++) {
		atomic_fetch_add(&store->now_ns, MINUTES_NS(20));
		good &= is_of(store, &ada, "ada");
		if (i == 0)
			good &= is_of(store, &eve, "eve") && log_out(store, &eve) == 0 && !is_of(store, &eve, "eve");
	}
	good &= !is_of(store, &bob, "bob") && wait_until_one_stayed_away(store);
	/* Every session that has ended has been told of. */
	good &= rcumap_barrier(store->sessions) == 0 && atomic_load(&store->ended[RCUMAP_DELETED]) == 1;
	return good && rcumap_count(store->sessions) == 1;
}

int main(void)
{
	static struct store store;
	struct rcumap_options options = { .size = sizeof options,
					  .clock = read_clock,
					  .clock_ctx = &store,
					  .removed = session_ended,
					  .removed_ctx = &store };
	int good;

	if (rcumap_create(&store.sessions, &options) != 0)
		return 1;
	good = run(&store);
	good &= rcumap_destroy(store.sessions) == 0 && atomic_load(&store.ended[RCUMAP_DESTROYED]) == 1;
	return good ? 0 : 1;
}
