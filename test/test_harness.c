/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The harness itself: a test that trusts a wrong histogram or a payload that verifies anything shows nothing.
 */
#include "tap.h"

#include "harness/args.h"
#include "harness/clock.h"
#include "harness/histogram.h"
#include "harness/payload.h"
#include "harness/random.h"
#include "harness/team.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

static void random_repeats(void)
{
	struct rng a, b, c;
	unsigned same = 0;

	rng_init_stream(&a, 7, 3);
	rng_init_stream(&b, 7, 3);
	rng_init_stream(&c, 7, 4);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_u64(&a);

		same += x == rng_u64(&b);
		same += x == rng_u64(&c);
	}
	is_int(same, 1000, "one stream of a seed repeats itself, another differs");
}

/* Each count is within five standard deviations of what the distribution says. */
static void zipf_follows_its_law(void)
{
	static const double thetas[] = { 0, 0.5, 0.99, 1, 2 };
	static const unsigned ranks[] = { 0, 1, 9, 99, 999 };
	const double draws = 300000;
	struct rng r;

	rng_init(&r, 1);
	for (size_t t = 0; t < sizeof thetas / sizeof thetas[0]; t++) {
		unsigned counts[1000] = { 0 }, off = 0;
		struct zipf z;
		double sum = 0;

		zipf_init(&z, 1000, thetas[t]);
		for (int i = 0; i < (int)draws; i++)
			counts[zipf_next(&z, &r)]++;
		for (int i = 1; i <= 1000; i++)
			sum += pow(i, -thetas[t]);
		for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
			double want = draws * pow(ranks[i] + 1.0, -thetas[t]) / sum;

			off += fabs(counts[ranks[i]] - want) > 5 * sqrt(want) + 1;
		}
		is_int(off, 0, "zipf %g has the frequencies that it should have", thetas[t]);
	}
}

static void histogram_is_exact_to_one_percent(void)
{
	static struct histogram h, other;
	unsigned bad = 0;
	struct rng r;

	is_int(histogram_percentile(&h, 99), 0, "an empty histogram has no percentiles");
	rng_init(&r, 2);
	for (unsigned shift = 24; shift < 64; shift++)
		for (int i = 0; i < 25; i++) {
			uint64_t v = (rng_u64(&r) >> shift) % ((UINT64_C(1) << 40) - (UINT64_C(1) << 33)), p;

			histogram_reset(&h);
			histogram_add(&h, v);
			histogram_add(&h, UINT64_MAX / 2);
			p = histogram_percentile(&h, 50);
			bad += p < v || (double)p > (double)v * 1.01;
		}
	is_int(bad, 0, "a percentile is never below the true one, and less than 1 %% above");
	histogram_reset(&h);
	for (uint64_t v = 1; v <= 1000; v++)
		histogram_add(v % 2 ? &h : &other, v);
	histogram_merge(&h, &other);
	is_int(histogram_count(&h), 1000, "merging adds counts");
	is_int(histogram_percentile(&h, 10), 100, "below 256 steps are exact");
	is_int(histogram_percentile(&h, 100), 1000, "the 100th percentile is the maximum");
	is_int(histogram_above(&h, 200), 800, "so many are above a value");
	is_int(histogram_above(&h, 1023), 0, "none is above the last one's step");
	is_int(histogram_max(&h), 1000, "the maximum is exact");
	ok(fabs(histogram_mean(&h) - 500.5) < 1e-9, "so is the mean");
}

static void ticks_are_time(void)
{
	uint64_t ns = now_ns(), ticks = ticks_now();

	sleep_ns(30000000);
	ticks = ticks_to_ns(ticks_now() - ticks);
	ns = now_ns() - ns;
	ok(ns >= 30000000 && ticks <= ns + ns / 1000 && ticks >= 29900000, "ticks agree with the clock: %ju and %ju ns",
	   (uintmax_t)ticks, (uintmax_t)ns);
}

static void payload_knows_itself(void)
{
	unsigned char value[130], newer[sizeof value];
	unsigned wrong = 0, missed = 0;
	uint64_t number;

	for (size_t size = PAYLOAD_SIZE_MIN; size < sizeof value - 1; size++) {
		payload_fill(value + 1, size, 7, size);
		wrong += payload_verify(value + 1, size, 7, &number) != PAYLOAD_OK || number != size;
		wrong += payload_verify(value + 1, size, 8, NULL) != PAYLOAD_WRONG_KEY;
		missed += payload_verify(value + 1, size - 1, 7, NULL) != PAYLOAD_TORN;
		payload_fill(newer, size, 7, size + 1);
		for (size_t i = 0; i < size; i++) {
			value[1 + i] ^= 4;
			missed += payload_verify(value + 1, size, 7, NULL) != PAYLOAD_TORN;
			value[1 + i] ^= 4;
		}
		/* The head of one and the tail of another. */
		if (size > PAYLOAD_SIZE_MIN) {
			memcpy(newer, value + 1, PAYLOAD_SIZE_MIN);
			missed += payload_verify(newer, size, 7, NULL) != PAYLOAD_TORN;
		}
	}
	is_int(wrong, 0, "a payload of any size says that it is whole, and whose");
	is_int(missed, 0, "any bit flipped, any mix of two and any other size is torn");
}

struct tally {
	atomic_uint running, peak;
	unsigned turns[8];
};

static void count_turns(struct team_member *me)
{
	struct tally *tally = me->ctx;

	while (!team_stopping(me)) {
		if (tally->turns[me->index]++ == 0)
			atomic_fetch_add(&tally->running, 1);
		flavor_quiescent(FLAVOR_QSBR);
	}
}

static void team_works_together(void)
{
	for (enum flavor f = 0; f < FLAVOR_COUNT; f++) {
		struct tally tally = { 0 };
		struct team_options options = {
			.threads = 8, .work = count_turns, .ctx = &tally, .register_flavor = true, .flavor = f, .watchdog_s = 60
		};
		struct team *team = team_start(&options);
		unsigned idle = 0;

		while (atomic_load(&tally.running) < 8)
			sleep_ns(1000000);
		team_stop(team);
		team_join(team);
		for (unsigned i = 0; i < 8; i++)
			idle += tally.turns[i] == 0;
		ok(idle == 0, "a team of 8 runs until it is told to stop, flavor %s", flavor_names[f]);
	}
}

static void never_stop(struct team_member *me)
{
	while (me->ctx == NULL)
		sleep_ns(1000000000);
}

/* Runs `what` in a child with its output in `text`; returns the wait status. */
static int in_child(void (*what)(void), char *text, size_t size)
{
	int pipes[2], status = 0;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	if (pipe(pipes) || (child = fork()) < 0)
		bail("pipe or fork: %s", strerror(errno));
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		what();
		_exit(99);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(pipes[0]);
	waitpid(child, &status, 0);
	return status;
}

static void hang(void)
{
	struct team_options options = { .threads = 2, .work = never_stop, .name = "sleepers", .watchdog_s = 1 };

	team_run(&options);
}

static void watchdog_bites(void)
{
	char text[512];
	int status = in_child(hang, text, sizeof text);

	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the watchdog kills a team that hangs");
	ok(strstr(text, "sleepers: not finished after 1 s, threads: 0 1") != NULL, "and names its threads");
}

static uint64_t arg_keys;
static unsigned arg_flavor;
static double arg_share;
static bool arg_quiet;
static const char *const *arg_words;

static void parse_words(void)
{
	const struct arg args[] = {
		ARG_U64("keys", &arg_keys, "how many"),
		ARG_DOUBLE("share", &arg_share, "of one"),
		ARG_CHOICE("flavor", &arg_flavor, flavor_names, "which"),
		ARG_FLAG("quiet", &arg_quiet, "say less"),
		ARG_END,
	};
	char *words[8] = { 0 };
	int n = 0;

	while (arg_words[n]) {
		words[n] = strdup(arg_words[n]);
		n++;
	}
	args_parse(args, "About.", n, words);
	while (n > 0)
		free(words[--n]);
}

static void arguments_are_parsed(void)
{
	static const char *const good[] = { "me", "--keys", "3M", "--flavor=qsbr", "--quiet", "--share=0.25", NULL };
	static const char *const bad[][4] = {
		{ "me", "--keys=x" }, { "me", "--keys=-1" },  { "me", "--keys=99999999999G" },
		{ "me", "--nope" },   { "me", "--flavor=mb" }, { "me", "--share=nan" },
		{ "me", "--keys" },   { "me", "stray" },
	};
	char text[512];

	arg_words = good;
	parse_words();
	ok(arg_keys == 3000000 && arg_flavor == FLAVOR_QSBR && arg_quiet && arg_share > 0.2, "good arguments are taken");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int status;
		char *line_end;

		arg_words = bad[i];
		status = in_child(parse_words, text, sizeof text);
		line_end = strchr(text, '\n');
		ok(WIFEXITED(status) && WEXITSTATUS(status) == 2 && line_end && line_end[1] == '\0',
		   "'%s' is refused with one line and status 2", bad[i][1]);
	}
}

int main(void)
{
	random_repeats();
	zipf_follows_its_law();
	histogram_is_exact_to_one_percent();
	ticks_are_time();
	payload_knows_itself();
	team_works_together();
	watchdog_bites();
	arguments_are_parsed();
	return tap_done();
}
