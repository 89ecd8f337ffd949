/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RCU promises, said to ThreadSanitizer, and no more.
 *
 * liburcu is not instrumented, so ThreadSanitizer cannot see why a free after a grace period does not race with the
 * reads before it. The promise: whatever a reader did in a section that began before a grace period began
 * happens before that grace period's end. So each section takes the number of the last grace period begun
 * (after it has locked), and releases the token of that number when it ends; the end of grace period s acquires
 * the tokens of all numbers below s. A section that began later releases the token of s, which is not acquired.
 *
 * In any other build all of this is nothing.
 */
#ifndef RCUMAP_SECTION_TSAN_H
#define RCUMAP_SECTION_TSAN_H

#include <stdint.h>

#ifdef RCUMAP_TSAN
void section_tsan_enter(unsigned flavor);
void section_tsan_leave(unsigned flavor);
/* A quiescent state within: all sections of the thread end here, and begin again afterwards. */
void section_tsan_pause(unsigned flavor);
void section_tsan_resume(unsigned flavor);
uint64_t section_tsan_grace_begin(unsigned flavor);
void section_tsan_grace_end(unsigned flavor, uint64_t number);
#else
static inline void section_tsan_enter(unsigned flavor)
{
	(void)flavor;
}
static inline void section_tsan_leave(unsigned flavor)
{
	(void)flavor;
}
static inline void section_tsan_pause(unsigned flavor)
{
	(void)flavor;
}
static inline void section_tsan_resume(unsigned flavor)
{
	(void)flavor;
}
static inline uint64_t section_tsan_grace_begin(unsigned flavor)
{
	(void)flavor;
	return 0;
}
static inline void section_tsan_grace_end(unsigned flavor, uint64_t number)
{
	(void)flavor;
	(void)number;
}
#endif

#endif
