/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/ghost: who was evicted a short while ago. */
#include "layout/ghost.h"

#include "fixture.h"

/* Any two of these have other fingerprints. */
static uint64_t hash_of(unsigned i)
{
	return i | UINT64_C(0xabcdef) << 40;
}

static void remembers_four(void)
{
	ghost_word word = 0;

	ok(!ghost_take(&word, hash_of(1)), "at first nobody is there");
	for (unsigned i = 1; i <= 6; i++)
		ghost_add(&word, hash_of(i));
	ok(!ghost_take(&word, hash_of(1)) && !ghost_take(&word, hash_of(2)), "of six the first two are forgotten");
	ok(ghost_take(&word, hash_of(4)), "one of the others is there");
	ok(!ghost_take(&word, hash_of(4)), "once");
	ok(ghost_take(&word, hash_of(3)) && ghost_take(&word, hash_of(6)) && ghost_take(&word, hash_of(5)),
	   "and so are the rest, oldest, newest and last");
	is_int(word, 0, "then nobody is");
}

static void any_fingerprint(void)
{
	unsigned missed = 0, zero = 0;

	for (unsigned i = 0; i < 65536; i++) {
		ghost_word word = 0;

		ghost_add(&word, i);
		zero += word == 0;
		missed += !ghost_take(&word, i);
	}
	is_int(zero, 0, "no hash has the fingerprint that means none");
	is_int(missed, 0, "each finds itself");
}

static void carries(void)
{
	ghost_word from = 0, to = 0;

	ghost_add(&to, hash_of(1));
	ghost_carry(&from, &to);
	ok(ghost_take(&to, hash_of(1)), "from a bucket without any nothing is carried");
	ghost_add(&from, hash_of(2));
	ghost_carry(&from, &to);
	ok(ghost_take(&to, hash_of(2)) && ghost_take(&from, hash_of(2)), "what is carried is in both");
}

int main(void)
{
	remembers_four();
	any_fingerprint();
	carries();
	return tap_done();
}
