/* SPDX-License-Identifier: BSD-2-Clause */
#include "lifecycle.h"

#include "clock.h"
#include "log.h"

#include <signal.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* How often connections are looked at that the other side has closed, or that take too long. */
#define REMIND_MS 1000u
/* While draining: how often it is looked whether connections are left. */
#define TURN_MS 10u

static sigset_t awaited(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

void lifecycle_block_signals(void)
{
	sigset_t set = awaited();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Sleeps; a log is opened anew meanwhile where that is asked for. True: it was asked to end, once more. */
static bool pause_ms(uint64_t ms)
{
	struct timespec left = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	sigset_t set = awaited();
	int signal_number = sigtimedwait(&set, NULL, &left);

	if (signal_number == SIGHUP) {
		log_reopen();
		log_line(LOG_LEVEL_INFO, "log opened");
	}
	return signal_number == SIGTERM || signal_number == SIGINT;
}

/* Connections of both sites that nobody else would end. */
static void tend(struct http *data, const struct admin *admin)
{
	http_remind(data);
	http_end_overdue(data);
	http_remind(admin->http);
	http_end_overdue(admin->http);
}

static void await_end(struct http *data, const struct admin *admin)
{
	while (!pause_ms(REMIND_MS))
		tend(data, admin);
}

/* A second signal ends the delay, a third the wait. */
static void drain(const struct config *config, struct http *data, struct acceptor *acceptor,
		  struct listeners *listeners, struct admin *admin)
{
	uint64_t until = now_ms() + config->drain_delay_ms, now;
	unsigned left;

	log_line(LOG_LEVEL_INFO, "draining");
	sd_notify(0, "STOPPING=1");
	atomic_store_explicit(&admin->draining, true, memory_order_relaxed);
	http_drain(data);
	while ((now = now_ms()) < until) {
		if (pause_ms(until - now < REMIND_MS ? until - now : REMIND_MS))
			break;
		tend(data, admin);
	}
	acceptor_stop(acceptor);
	listen_close(listeners);
	until = now_ms() + config->drain_timeout_ms;
	while ((left = http_close_idle(data)) > 0 && now_ms() < until) {
		http_remind(data);
		if (pause_ms(TURN_MS))
			break;
	}
	if (left > 0)
		log_line(LOG_LEVEL_WARN, "%u connections are broken off", left);
}

void lifecycle_run(const struct config *config, struct http *data, struct acceptor *acceptor,
		   struct listeners *listeners, struct admin *admin)
{
	log_line(LOG_LEVEL_INFO, "ready");
	sd_notify(0, "READY=1");
	await_end(data, admin);
	drain(config, data, acceptor, listeners, admin);
	log_line(LOG_LEVEL_INFO, "end");
}
