/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flow table in a packet loop, with the QSBR flavor, in which a section costs nothing by itself: packets come in
 * bursts, a burst is looked up at once, and its end is a quiescent state. Flows without packets expire. A second thread
 * walks the table for the flow with most packets.
 *
 * A value is immutable, so what is counted lies elsewhere: the value is a pointer to it, and the callback `removed`
 * frees it when no thread can have it any more. Packets are made up, and time is theirs: a burst a millisecond.
 *
 *     cc example_flows.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <urcu/urcu-qsbr.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BURST 32u
#define BURSTS 4000u
#define IDLE_MS 500u

struct flow_key { /* of IPv4; no padding, all bytes count */
	uint32_t source, target;
	uint16_t source_port, target_port;
	uint32_t protocol;
};

struct flow {
	_Atomic uint64_t packets; /* written by the packet loop alone; who reads it may see it a little late: relaxed */
};

struct program {
	struct rcumap *flows;
	atomic_uint_fast64_t now_ns;
	atomic_bool done;
	uint64_t added, failed;	 /* the packet loop's */
	uint64_t freed, counted; /* the callback's: flows, and the packets in them */
	uint32_t top_source;	 /* the watcher's: of the flow with most packets */
	uint64_t top_packets;
};

static uint64_t read_clock(void *ctx)
{
	return atomic_load(&((struct program *)ctx)->now_ns);
}

static struct flow *flow_of(const struct rcumap_entry *entry)
{
	return *(struct flow *const *)rcumap_entry_value(entry); /* aligned: the key has 16 bytes */
}

static void flow_ended(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct program *p = ctx;
	struct flow *flow = flow_of(entry);

	if (reason == RCUMAP_REPLACED)
		return; /* by a copy with the same pointer: nobody here stores over a flow that lives */
	p->freed++;
	p->counted += flow->packets;
	free(flow);
}

/* ------------------------------------------------------------------ the packet loop */

/* Packet n: every other one is of a flow that lasts, the others of flows that come and go. */
static struct flow_key receive(uint32_t n)
{
	return (struct flow_key){ .source = n % 2 ? 0x0a000001 : 0x0a000100 + n / 8192,
				  .target = 0xc0a80001,
				  .source_port = (uint16_t)(n % 2 ? 443 : 1024 + n % 512),
				  .target_port = 443,
				  .protocol = 6 };
}

/* The burst was looked up before: an earlier packet in it may have added the flow. */
static struct flow *add_flow(struct program *p, const struct flow_key *key)
{
	const struct rcumap_entry *entry = rcumap_find(p->flows, key, sizeof *key);
	struct flow *flow = entry ? flow_of(entry) : calloc(1, sizeof *flow);

	if (entry || !flow)
		return flow;
	if (rcumap_add(p->flows, key, sizeof *key, &flow, sizeof flow, IDLE_MS, NULL) != 0) {
		free(flow);
		return NULL;
	}
	p->added++;
	return flow;
}

static void forward(struct program *p, const struct flow_key packets[BURST])
{
	const struct rcumap_entry *entries[BURST];
	struct rcumap_key keys[BURST];

	for (unsigned i = 0; i < BURST; i++)
		keys[i] = (struct rcumap_key){ &packets[i], sizeof packets[i] };
	rcumap_find_batch(p->flows, keys, BURST, entries);
	for (unsigned i = 0; i < BURST; i++) {
		struct flow *flow = entries[i] ? flow_of(entries[i]) : add_flow(p, &packets[i]);

		/* Not at each packet, which would be a write each time: when half of the life is over. */
		if (entries[i] && rcumap_entry_ttl(p->flows, entries[i]) < IDLE_MS / 2)
			(void)rcumap_touch(p->flows, keys[i].data, keys[i].size, IDLE_MS);
		if (flow)
			atomic_fetch_add_explicit(&flow->packets, 1, memory_order_relaxed);
		else
			p->failed++;
	}
}

static void *run_packets(void *arg)
{
	struct program *p = arg;
	struct flow_key packets[BURST];

	urcu_qsbr_register_thread();
	for (uint32_t burst = 0; burst < BURSTS; burst++) {
		for (uint32_t i = 0; i < BURST; i++)
			packets[i] = receive(burst * BURST + i);
		rcumap_read_lock_qsbr(); /* costs a call; it tells ThreadSanitizer and debug builds of the library */
		forward(p, packets);
		rcumap_read_unlock_qsbr();
		atomic_fetch_add(&p->now_ns, 1000000);
		urcu_qsbr_quiescent_state(); /* no entry and no flow of this burst is used after it */
	}
	urcu_qsbr_unregister_thread();
	atomic_store(&p->done, 1);
	return NULL;
}

/* ------------------------------------------------------------------ who sends most? */

static int compare(void *ctx, const struct rcumap_entry *entry)
{
	struct program *p = ctx;
	uint64_t packets = atomic_load_explicit(&flow_of(entry)->packets, memory_order_relaxed);

	if (packets > p->top_packets) {
		p->top_packets = packets;
		p->top_source = ((const struct flow_key *)rcumap_entry_key(entry))->source;
	}
	return 0;
}

static void *watch(void *arg)
{
	struct program *p = arg;
	int done;

	urcu_qsbr_register_thread();
	do {
		uint64_t cursor = 0;

		done = atomic_load(&p->done); /* then it walks once more */
		p->top_packets = 0;
		while (rcumap_scan(p->flows, &cursor, 64, compare, p) == 1)
			urcu_qsbr_quiescent_state(); /* a walk, however long, holds nothing back */
		urcu_qsbr_quiescent_state();
	} while (!done);
	urcu_qsbr_unregister_thread();
	return NULL;
}

int main(void)
{
	static struct program p;
	struct rcumap_options options = { .size = sizeof options,
					  .flavor = &urcu_qsbr_flavor,
					  .clock = read_clock,
					  .clock_ctx = &p,
					  .removed = flow_ended,
					  .removed_ctx = &p };
	pthread_t packets, watcher;
	int good;

	urcu_qsbr_register_thread();
	if (rcumap_create(&p.flows, &options) != 0 || pthread_create(&packets, NULL, run_packets, &p) != 0 ||
	    pthread_create(&watcher, NULL, watch, &p) != 0)
		return 1;
	urcu_qsbr_thread_offline(); /* whoever waits must not be online */
	pthread_join(packets, NULL);
	pthread_join(watcher, NULL);
	urcu_qsbr_thread_online();
	good = rcumap_destroy(p.flows) == 0; /* every flow has ended now, and the callback has freed it */
	urcu_qsbr_unregister_thread();

	printf("%llu flows, %llu packets; %llu of them from 10.0.0.%u\n", (unsigned long long)p.freed,
	       (unsigned long long)p.counted, (unsigned long long)p.top_packets, (unsigned)(p.top_source & 255));
	good &= p.failed == 0 && p.freed == p.added && p.counted == (uint64_t)BURST * BURSTS;
	return good && p.top_packets == p.counted / 2 && p.top_source == 0x0a000001 ? 0 : 1;
}
