/* SPDX-License-Identifier: BSD-2-Clause */
#include "matrix.h"

#include "format.h"

/* Against whom. */
enum against {
	ANY_RIVAL,
	RCU_RIVALS,
	THE_FLOOR,
	OUR_TWO, /* ourselves with two threads */
};

/* Of rates, at least so many times; where operations are timed, of the 99.9th percentiles of gets, at most. */
static const struct demand {
	uint64_t pairs;
	const char *mix;
	enum against against;
	double times;
} demands[] = {
	{ 10000000, "get 2t", ANY_RIVAL, 1.15 },  { 10000000, "get 2t", THE_FLOOR, 0.9 },   { 10000000, "miss 1t", ANY_RIVAL, 1.4 },
	{ 10000000, "zipf 2t", ANY_RIVAL, 1.15 }, { 10000000, "batch 2t", ANY_RIVAL, 1.2 }, { 10000000, "95/5 2t", ANY_RIVAL, 1.15 },
	{ 10000000, "95/5 8t", ANY_RIVAL, 1.0 },  { 10000000, "95/5 8t", OUR_TWO, 0.8 },    { 10000000, "50/50 2t", ANY_RIVAL, 1.0 },
	{ 10000000, "50/50 2t", RCU_RIVALS, 3.0 }, { 10000, "get 2t", ANY_RIVAL, 1.3 },	    { 10000, "95/5 2t", ANY_RIVAL, 1.3 },
	{ 1000000, "get 2t", ANY_RIVAL, 1.0 },	  { 1000000, "miss 1t", ANY_RIVAL, 1.0 },   { 1000000, "95/5 2t", ANY_RIVAL, 1.0 },
	{ 1000000, "batch 2t", ANY_RIVAL, 1.0 },
	{ 10000000, "timed 2t", ANY_RIVAL, 1.1 },
};

static int size_of(const struct matrix *m, uint64_t pairs)
{
	for (unsigned i = 0; i < m->sizes; i++)
		if (m->size[i] == pairs)
			return (int)i;
	return -1;
}

static bool is_against(const struct matrix *m, unsigned subject, enum against against)
{
	enum subject_kind kind = m->subject[subject].kind;

	switch (against) {
	case ANY_RIVAL:
		return kind == SUBJECT_LOCKS || kind == SUBJECT_RCU;
	case RCU_RIVALS:
		return kind == SUBJECT_RCU;
	case THE_FLOOR:
		return kind == SUBJECT_FLOOR;
	default:
		return subject == 0;
	}
}

static const struct matrix_mix *mix_of(const struct matrix *m, int size, unsigned subject, int mix)
{
	const struct matrix_cell *cell = m->cell[size][subject];

	return cell && cell->mix[mix].rounds ? &cell->mix[mix] : NULL;
}

/* Beside whoever is best, which is whom the ratio is the worst with. */
static void judge(const struct matrix *m, const struct demand *d, struct bound_list *bounds)
{
	const int size = size_of(m, d->pairs), mix = matrix_mix_named(m, d->mix);
	const int beside = d->against == OUR_TWO ? matrix_mix_named(m, "95/5 2t") : mix;
	const struct matrix_mix *ours = size < 0 || mix < 0 ? NULL : mix_of(m, size, 0, mix);
	const bool timed = ours && m->mix[mix].kind == MIX_TIMED;
	const char *who = NULL;
	double worst = 0;

	for (unsigned s = 0; ours && beside >= 0 && s < m->subjects; s++) {
		const struct matrix_mix *other = is_against(m, s, d->against) ? mix_of(m, size, s, beside) : NULL;
		const double ratio = !other ? 0 : timed ? matrix_get_p999_ratio(ours, other) : matrix_rate_ratio(ours, other);

		if (ratio > 0 && (!who || (timed ? ratio > worst : ratio < worst))) {
			worst = ratio;
			who = m->subject[s].subject->name;
		}
	}
	if (who)
		bound_list_add(bounds, &(struct bound){ .value = worst, .limit = d->times, .at_least = !timed, .unit = BOUND_TIMES },
			       "%s pairs, %s, beside %s", format_count(d->pairs).text, timed ? "p99.9 of a get, 95/5 2t" : d->mix,
			       d->against == OUR_TWO ? "our own two threads" : who);
}

void matrix_judge(const struct matrix *m, struct bound_list *bounds)
{
	if (m->subject[0].kind != SUBJECT_OURS)
		return;
	for (unsigned i = 0; i < sizeof demands / sizeof *demands; i++)
		judge(m, &demands[i], bounds);
}
