/* SPDX-License-Identifier: BSD-2-Clause */
#include "hour.h"

static unsigned hour = HOUR_FIRST;

void hour_reset(void)
{
	hour = HOUR_FIRST;
}

unsigned hour_now(void)
{
	return hour;
}

void hour_pass(void)
{
	hour++;
}
