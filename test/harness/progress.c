/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 20
#define TTY_INTERVAL_NS 100000000u
#define PLAIN_INTERVAL_NS 1000000000u

static void draw(const struct progress *p, double share, uint64_t elapsed_ns, const char *note, bool last)
{
	char bar[BAR_WIDTH + 1], left[32] = "", line[256];
	double elapsed_s = (double)elapsed_ns / 1e9;
	int full = (int)(share * BAR_WIDTH), n;

	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', (size_t)full);
	bar[BAR_WIDTH] = '\0';
	if (!last && share > 0)
		snprintf(left, sizeof left, ", %.0f s left", elapsed_s * (1 - share) / share);
	n = snprintf(line, sizeof line, "%s%-16s [%s] %3.0f%%  %.*f s%s  %s%s%s", p->tty ? "\r" : "", p->label, bar,
		     share * 100, last ? 1 : 0, elapsed_s, left, note ? note : "", p->tty ? "\033[K" : "",
		     p->tty && !last ? "" : "\n");
	if (n >= (int)sizeof line) {
		n = sizeof line - 1;
		line[n - 1] = '\n';
	}
	/* One write: a line is never torn by another process on the same terminal. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void progress_start(struct progress *p, const char *label, uint64_t total)
{
	p->label = label;
	p->total = total;
	p->start_ns = p->shown_ns = now_ns();
	p->tty = isatty(STDERR_FILENO) == 1;
}

void progress_update(struct progress *p, uint64_t done, const char *note)
{
	uint64_t now = now_ns(), interval = TTY_INTERVAL_NS, elapsed = now - p->start_ns;
	double share = p->total ? (double)done / (double)p->total : 0;

	if (!p->tty) {
		/* A tenth of the time so far: some fifty lines for ten minutes, not six hundred. */
		interval = elapsed / 10 > PLAIN_INTERVAL_NS ? elapsed / 10 : PLAIN_INTERVAL_NS;
	}
	if (now - p->shown_ns < interval)
		return;
	p->shown_ns = now;
	draw(p, share > 1 ? 1 : share, elapsed, note, false);
}

void progress_finish(struct progress *p, const char *note)
{
	draw(p, 1, now_ns() - p->start_ns, note, true);
}
