/* SPDX-License-Identifier: BSD-2-Clause */
#include "results.h"

#include "format.h"

/* A service that holds 10,000,000 such pairs may spend 1 to 2 GB on them, and answers 95 % within 1 ms, 99 % within 5. */
#define P95_NS 1e6
#define P99_NS 5e6
#define BYTES_PER_PAIR 200.0
/* What this map is for: beside one lock around a chained table. */
#define GET_TIMES 4.0
#define INSERT_RATIO 0.1
#define OVERHEAD_BYTES 56.0
/* Promised for maps of this size on; small ones live in the processor's cache, where other things decide. */
#define PAIRS_LEAST 5000000u

static double worst_percentile(const struct results *r, double percent)
{
	const struct load_result *load = &r->pairs.side[OURS].load;
	const struct mixed_result *mixed = &r->pairs.side[OURS].mixed;
	const struct delete_result *deletion = &r->pairs.side[OURS].deletion;
	const struct expire_result *expiry = &r->pairs.side[OURS].expiry;
	const struct histogram *all[] = { &load->insert,     &load->get,   &mixed->get, &mixed->put,
					  &deletion->delete, &expiry->get, &expiry->put };
	uint64_t worst = 0;

	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		uint64_t ns = histogram_percentile(all[i], percent);

		worst = ns > worst ? ns : worst;
	}
	return (double)worst;
}

unsigned bounds_judge(struct bound bounds[BOUNDS_MAX], const struct results *r)
{
	const struct load_result *ours = &r->pairs.side[OURS].load, *rival = &r->pairs.side[RIVAL].load;
	double pairs = (double)r->pairs.pairs, rival_longest = (double)histogram_max(&rival->insert);
	double bytes = (double)(ours->memory_bytes > ours->resident_bytes ? ours->memory_bytes : ours->resident_bytes);
	unsigned n = 0;

	if (!r->has_pairs)
		return 0;
	bounds[n++] = (struct bound){ "p95 of every operation", worst_percentile(r, 95), P95_NS, false, BOUND_NS };
	bounds[n++] = (struct bound){ "p99 of every operation", worst_percentile(r, 99), P99_NS, false, BOUND_NS };
	bounds[n++] = (struct bound){ "memory of all pairs", bytes, BYTES_PER_PAIR * pairs, false, BOUND_BYTES };
	bounds[n++] = (struct bound){ "expired, deleted: unaccounted for",
				      (double)r->pairs.side[OURS].expiry.unaccounted, 0, false, BOUND_COUNT };
	if (r->pairs.pairs < PAIRS_LEAST)
		return n;
	bounds[n++] = (struct bound){ "overhead per pair",
				      (double)ours->memory_bytes / pairs - PAIR_KEY_SIZE - PAIR_VALUE_SIZE,
				      OVERHEAD_BYTES, false, BOUND_BYTES };
	if (r->pairs.threads < 2)
		return n;
	bounds[n++] = (struct bound){ "gets, beside the rival's",
				      r->pairs.side[OURS].get_rate.median / r->pairs.side[RIVAL].get_rate.median,
				      GET_TIMES, true, BOUND_TIMES };
	bounds[n++] = (struct bound){ "longest insert, beside the rival's",
				      (double)histogram_max(&ours->insert) / rival_longest, INSERT_RATIO, false,
				      BOUND_RATIO };
	return n;
}
