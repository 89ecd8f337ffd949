/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim/grace: who asks for a grace period is told when one has ended that began after he asked, and nobody else is. */
#include "reclaim/grace.h"

#include "fault/default_allocator.h"
#include "fixture.h"

#include <sched.h>

static const struct section_ops *const all[SECTION_FLAVORS] = { &section_bp, &section_memb, &section_qsbr };

/* The operations of fixture_each_flavor()'s turn. */
static const struct section_ops *section;

struct client {
	struct grace_client client;
	struct wake wake;
};

static void attach(struct client *client)
{
	memset(client, 0, sizeof *client);
	wake_init(&client->wake);
	if (grace_attach(&client->client, section, &client->wake) != 0)
		bail("grace_attach");
}

static void detach(struct client *client)
{
	bool paused = section->pause();

	grace_detach(&client->client);
	section->resume(paused);
}

/* Sleep until the ticket has passed, as a reclaimer does. A lost wake-up would keep it asleep. */
static void wait_for(struct client *client, uint64_t ticket)
{
	bool paused = section->pause();

	for (;;) {
		uint32_t value = wake_value(&client->wake);

		if (grace_passed(&client->client, ticket))
			break;
		wake_wait(&client->wake, value, WAKE_FOREVER);
	}
	section->resume(paused);
}

static void a_ticket_passes_after_a_grace_period(void)
{
	struct client client;
	uint64_t last = 0;
	unsigned unordered = 0;

	attach(&client);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t ticket = grace_request(&client.client);

		unordered += ticket <= last;
		wait_for(&client, ticket);
		unordered += i && !grace_passed(&client.client, last);
		last = ticket;
	}
	is_int(unordered, 0, "%s: tickets rise, and stay passed", fixture_name());
	ok(!grace_passed(&client.client, last + 1), "%s: one that nobody asked for has not passed", fixture_name());
	detach(&client);
}

/* The caller is the reader: whatever the thread does meanwhile, it must not let the ticket pass. */
static void not_while_a_reader_is_inside(void)
{
	struct client client, other;
	uint64_t ticket, early;
	uint32_t value;

	attach(&client);
	attach(&other);
	wait_for(&client, grace_request(&client.client));
	section->lock();
	value = wake_value(&client.wake);
	ticket = grace_request(&client.client);
	early = grace_request(&other.client);
	for (unsigned i = 0; i < 500 && !grace_passed(&client.client, ticket); i++)
		sched_yield();
	ok(!grace_passed(&client.client, ticket), "%s: no ticket passes while a reader is inside", fixture_name());
	ok(!grace_passed(&other.client, early), "%s: whoever asked", fixture_name());
	is_int(wake_value(&client.wake), value, "%s: nobody is woken", fixture_name());
	section->unlock();
	wait_for(&client, ticket);
	ok(wake_value(&client.wake) != value, "%s: when he has left it passes, and who asked is woken", fixture_name());
	wait_for(&other, early);
	detach(&client);
	detach(&other);
}

/*
 * A grace period that was under way when the ticket was drawn does not count: a reader may have entered since it began.
 * The one who asks first makes it begin; the reader's second section begins after that.
 */
static void one_that_is_under_way_does_not_count(void)
{
	struct client first, second;
	uint64_t before, after;
	unsigned early = 0;

	attach(&first);
	attach(&second);
	for (unsigned i = 0; i < 20; i++) {
		before = grace_request(&first.client);
		if (i % 2) /* let it begin */
			sched_yield();
		section->lock();
		after = grace_request(&second.client);
		early += grace_passed(&second.client, after);
		for (unsigned turn = 0; turn < 50; turn++) {
			early += grace_passed(&second.client, after);
			sched_yield();
		}
		section->unlock();
		wait_for(&second, after);
		wait_for(&first, before);
	}
	is_int(early, 0, "%s: a ticket waits for readers who came before it, though a grace period was under way",
	       fixture_name());
	detach(&first);
	detach(&second);
}

static void only_who_asked_is_woken(void)
{
	struct client asks, sleeps;
	uint32_t value, mine;

	attach(&sleeps);
	attach(&asks);
	value = wake_value(&sleeps.wake);
	for (unsigned i = 0; i < 5; i++) {
		mine = wake_value(&asks.wake);
		wait_for(&asks, grace_request(&asks.client));
		if (wake_value(&asks.wake) == mine)
			break;
	}
	ok(wake_value(&asks.wake) != mine, "%s: who asks is woken each time", fixture_name());
	is_int(wake_value(&sleeps.wake), value, "%s: who does not ask is left asleep", fixture_name());
	/* Once told, he is not woken for others' grace periods either. */
	wait_for(&sleeps, grace_request(&sleeps.client));
	value = wake_value(&sleeps.wake);
	wait_for(&asks, grace_request(&asks.client));
	wait_for(&asks, grace_request(&asks.client));
	is_int(wake_value(&sleeps.wake), value, "%s: nor is he woken twice for one request", fixture_name());
	detach(&asks);
	detach(&sleeps);
}

static void the_thread_comes_and_goes_with_clients(void)
{
	struct client one, two;
	unsigned before = fixture_threads_at_rest(), during, still, after = 0;

	attach(&one);
	attach(&two);
	during = fixture_threads_at_rest();
	is_int(during, before + 1, "%s: one thread serves two clients", fixture_name());
	detach(&one);
	still = fixture_threads_at_rest();
	is_int(still, before + 1, "%s: it stays with the second", fixture_name());
	wait_for(&two, grace_request(&two.client));
	detach(&two);
	ok(fixture_eventually(fixture_threads_are, &before), "%s: it goes with the last", fixture_name());
	for (unsigned i = 0; i < 5; i++) {
		uint64_t ticket;

		attach(&one);
		ticket = grace_request(&one.client);
		wait_for(&one, ticket);
		after += grace_passed(&one.client, ticket);
		detach(&one);
	}
	is_int(after, 5, "%s: it starts again for later clients", fixture_name());
}

static void detaching_with_a_request_outstanding(void)
{
	struct client one, two;
	unsigned before = fixture_threads_at_rest();

	attach(&one);
	attach(&two);
	grace_request(&one.client);
	detach(&one);
	memset(&one, 0xdd, sizeof one); /* it is gone */
	wait_for(&two, grace_request(&two.client));
	grace_request(&two.client);
	detach(&two);
	memset(&two, 0xdd, sizeof two);
	ok(fixture_eventually(fixture_threads_are, &before), "%s: a client may leave before its ticket has passed",
	   fixture_name());
}

static void detach_it(struct team_member *me)
{
	detach(me->ctx);
}

/*
 * The last client leaves while a grace period is under way, whose end it waits for. A client that comes meanwhile may do
 * so in the very section that the grace period waits for.
 */
static void attaching_while_the_last_client_leaves(void)
{
	struct client leaves, comes;
	struct team_options options;
	unsigned before = fixture_threads_at_rest();

	memset(&options, 0, sizeof options);
	options.threads = 1;
	options.work = detach_it;
	options.ctx = &leaves;
	options.watchdog_s = TEST_WATCHDOG_S;
	for (unsigned i = 0; i < 20; i++) {
		struct team *team;

		attach(&leaves);
		section->lock();
		grace_request(&leaves.client);
		team = team_start(&options);
		sleep_ns(i % 4 * 1000000);
		attach(&comes);
		section->unlock();
		flavor_offline(fixture_flavor);
		team_join(team);
		flavor_online(fixture_flavor);
		wait_for(&comes, grace_request(&comes.client));
		detach(&comes);
	}
	ok(fixture_eventually(fixture_threads_are, &before), "%s: a client that comes inside a section waits for nobody",
	   fixture_name());
}

static void says_how_long_a_reader_holds_it_up(void)
{
	struct client asks, behind, idle;
	uint64_t since = 0, start;

	attach(&asks);
	attach(&behind);
	attach(&idle);
	is_int(grace_since_ns(&asks.client), 0, "%s: nobody is held up who asked for nothing", fixture_name());
	section->lock();
	start = now_ns();
	grace_request(&asks.client);
	while (!since) {
		sched_yield();
		since = grace_since_ns(&asks.client);
	}
	ok(since >= start && since <= now_ns(), "%s: who asked is told since when", fixture_name());
	grace_request(&behind.client);
	is_int(grace_since_ns(&behind.client), since, "%s: so is who asked later, and waits behind it", fixture_name());
	is_int(grace_since_ns(&idle.client), 0, "%s: not who asks for nothing", fixture_name());
	section->unlock();
	wait_for(&asks, asks.client.ticket);
	is_int(grace_since_ns(&asks.client), 0, "%s: when it has passed nobody is held up", fixture_name());
	wait_for(&behind, behind.client.ticket);
	detach(&asks);
	detach(&behind);
	detach(&idle);
}

/* From before the first of so many grace periods, one after the other, to the end of the last. */
static uint64_t time_of(struct client *client, unsigned n, bool hastened)
{
	const uint64_t start = now_ns();

	for (unsigned i = 0; i < n; i++) {
		uint64_t ticket = grace_request(&client->client);

		if (hastened)
			grace_hasten(&client->client);
		wait_for(client, ticket);
	}
	return now_ns() - start;
}

static void they_keep_their_distance(void)
{
	const uint64_t deadline = now_ns() + UINT64_C(60000000000);
	struct client client;
	bool sooner = false;

	attach(&client);
	ok(time_of(&client, 6, false) >= 5 * GRACE_INTERVAL_NS, "%s: one begins in an interval", fixture_name());
	ok(time_of(&client, 6, true) >= 5 * GRACE_HASTE_NS, "%s: hastened, one in a shorter one", fixture_name());
	while (!sooner && now_ns() < deadline)
		sooner = time_of(&client, 3, true) < 2 * GRACE_INTERVAL_NS;
	ok(sooner, "%s: so they come sooner, unless the machine is busy", fixture_name());
	grace_hasten(&client.client);
	ok(time_of(&client, 6, false) >= 5 * GRACE_INTERVAL_NS, "%s: but not those that nobody hastens", fixture_name());
	detach(&client);
}

/* A processor is theirs for a tenth of the time at most; but none waits for ever. */
static void those_who_are_busy_rest(void)
{
	const uint64_t most = GRACE_INTERVAL_MAX_NS / GRACE_REST;

	ok(grace_interval_ns(0) == GRACE_INTERVAL_NS && grace_interval_ns(GRACE_INTERVAL_NS / GRACE_REST) == GRACE_INTERVAL_NS,
	   "short ones come in an interval");
	ok(grace_interval_ns(GRACE_INTERVAL_NS) == GRACE_REST * GRACE_INTERVAL_NS, "one that was busy is followed by a rest");
	ok(grace_interval_ns(most) == GRACE_INTERVAL_MAX_NS && grace_interval_ns(most + 1) == GRACE_INTERVAL_MAX_NS &&
		   grace_interval_ns(UINT64_MAX) == GRACE_INTERVAL_MAX_NS,
	   "of no more than so long");
}

static void says_when_there_is_no_thread(void)
{
	struct client client;
	int error;

	memset(&client, 0, sizeof client);
	wake_init(&client.wake);
	default_allocator_arm_threads(1);
	error = grace_attach(&client.client, section, &client.wake);
	ok(default_allocator_disarm(), "%s: no thread can be started", fixture_name());
	is_int(error, -EAGAIN, "%s: which is said", fixture_name());
	attach(&client);
	wait_for(&client, grace_request(&client.client));
	detach(&client);
	ok(true, "%s: the next attempt succeeds", fixture_name());
}

/* ------------------------------------------------------------------ several threads */

struct shared {
	uint64_t *_Atomic object;
	uint64_t turns;
	_Atomic unsigned clients;
	_Atomic uint64_t dead;
};

#define CLIENTS 2u
#define ALIVE UINT64_C(0x616c697665616c69)

/* Clients come and go, and replace an object: what a grace period is asked for. Readers look at it. */
static void replace_and_read(struct team_member *me)
{
	struct shared *s = me->ctx;

	if (me->index >= CLIENTS) {
		while (atomic_load(&s->clients)) {
			section->lock();
			uint64_t *object = atomic_load_explicit(&s->object, memory_order_acquire);

			if (*object != ALIVE)
				atomic_fetch_add(&s->dead, 1);
			section->unlock();
			flavor_quiescent(fixture_flavor);
		}
		return;
	}
	for (uint64_t i = 0; i < s->turns; i++) {
		struct client client;

		attach(&client);
		for (unsigned n = 0; n < 3; n++) {
			uint64_t *fresh = malloc(sizeof *fresh), *old;

			*fresh = ALIVE;
			old = atomic_exchange_explicit(&s->object, fresh, memory_order_acq_rel);
			wait_for(&client, grace_request(&client.client));
			*old = ~ALIVE;
			free(old);
		}
		detach(&client);
	}
	atomic_fetch_sub(&s->clients, 1);
}

static void clients_of_several_threads(void)
{
	struct shared s = { .turns = fixture_scaled(20, 5) };
	uint64_t *first = malloc(sizeof *first);

	*first = ALIVE;
	atomic_init(&s.object, first);
	atomic_init(&s.clients, CLIENTS);
	fixture_run(CLIENTS + 2, replace_and_read, &s);
	is_int(s.dead, 0, "%s: clients come and go: no reader sees what was freed after a ticket had passed",
	       fixture_name());
	free(atomic_load(&s.object));
}

static void test(void)
{
	section = all[fixture_flavor];
	a_ticket_passes_after_a_grace_period();
	not_while_a_reader_is_inside();
	one_that_is_under_way_does_not_count();
	only_who_asked_is_woken();
	the_thread_comes_and_goes_with_clients();
	detaching_with_a_request_outstanding();
	attaching_while_the_last_client_leaves();
	says_how_long_a_reader_holds_it_up();
	they_keep_their_distance();
	says_when_there_is_no_thread();
	clients_of_several_threads();
}

int main(void)
{
	those_who_are_busy_rest();
	fixture_each_flavor(test);
	return tap_done();
}
