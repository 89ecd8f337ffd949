/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rate limiter: so many requests per client and window, exactly, from any number of threads. The first request of a
 * client stores his window, with a life; the following ones count in it and leave its deadline alone
 * (RCUMAP_TTL_KEEP); when it has passed the window is absent, and the next request begins a new one. Windows of
 * clients who do not come back disappear by themselves.
 *
 * The clock is the program's, so that windows end when it says. Without options.clock they end in real time.
 *
 *     cc example_rate_limiter.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define LIMIT 100u
#define WINDOW_MS 1000u

#define WINDOWS 5u
#define THREADS 4u
#define CLIENTS 8u
#define REQUESTS 60u /* of each thread to each client and window: more than LIMIT together */

struct client {
	unsigned char address[16]; /* IPv6: a key of 8 or 16 bytes makes the value aligned to 8 */
};

struct window {
	uint64_t admitted;
};

/* ------------------------------------------------------------------ the limiter */

static int count_request(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct window *window = ctx;

	*window = old ? *(const struct window *)rcumap_entry_value(old) : (struct window){ 0 };
	if (window->admitted == LIMIT)
		return -EAGAIN;
	window->admitted++;
	value->data = window;
	value->size = sizeof *window;
	if (!old)
		value->ttl_ms = WINDOW_MS; /* else it stays RCUMAP_TTL_KEEP */
	return 0;
}

/* 0: admitted; -EAGAIN: too many; -ENOMEM and so on as rcumap_update(). */
static int limiter_admit(struct rcumap *windows, const struct client *client)
{
	struct window window;

	return rcumap_update(windows, client, sizeof *client, count_request, &window, NULL);
}

/* ------------------------------------------------------------------ a run of it */

struct program {
	struct rcumap *windows;
	atomic_uint_fast64_t now_ns;
	atomic_uint admitted[CLIENTS], failed;
};

static uint64_t read_clock(void *ctx)
{
	struct program *p = ctx;

	return atomic_load(&p->now_ns);
}

static void *serve(void *arg)
{
	struct program *p = arg;

	for (unsigned i = 0; i < REQUESTS * CLIENTS; i++) {
		struct client client = { { 0x20, 0x01, 0x0d, 0xb8, [15] = (unsigned char)(i % CLIENTS) } };
		int result = limiter_admit(p->windows, &client);

		if (result == 0)
			atomic_fetch_add(&p->admitted[i % CLIENTS], 1);
		else if (result != -EAGAIN)
			atomic_fetch_add(&p->failed, 1);
	}
	return NULL;
}

/* All threads at once, within one window. Did each client get in LIMIT times? */
static int run_window(struct program *p)
{
	pthread_t threads[THREADS];
	int good = 1;

	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, serve, p) != 0)
			return 0;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < CLIENTS; i++)
		good &= atomic_exchange(&p->admitted[i], 0) == LIMIT;
	return good;
}

/* Without an access: the map's own thread removes what has expired. At most a minute, on the busiest machine. */
static int wait_until_empty(const struct rcumap *map)
{
	for (unsigned i = 0; i < 60000 && rcumap_count(map) > 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return rcumap_count(map) == 0;
}

int main(void)
{
	static struct program p;
	struct rcumap_options options = { .size = sizeof options, .clock = read_clock, .clock_ctx = &p };
	int good = 1;

	if (rcumap_create(&p.windows, &options) != 0)
		return 1;
	for (unsigned i = 0; i < WINDOWS; i++) {
		good &= run_window(&p);
		/* Past the deadline, which is counted from the first request. */
		atomic_fetch_add(&p.now_ns, (WINDOW_MS + 1) * UINT64_C(1000000));
	}
	good &= wait_until_empty(p.windows) && atomic_load(&p.failed) == 0;
	printf("%u clients, %u windows: %u of %u requests admitted in each: %s\n", CLIENTS, WINDOWS, LIMIT,
	       THREADS * REQUESTS, good ? "yes" : "no");
	good &= rcumap_destroy(p.windows) == 0;
	return good ? 0 : 1;
}
