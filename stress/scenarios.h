/* SPDX-License-Identifier: BSD-2-Clause */
/** @file scenarios.h
 * The scenarios, one file each: its head says what must hold there. */
#ifndef STRESS_SCENARIOS_H
#define STRESS_SCENARIOS_H

struct run;

void replace_play(struct run *run);
void churn_play(struct run *run);
void collide_play(struct run *run);
void resize_play(struct run *run);
void spawn_play(struct run *run);
void stall_play(struct run *run);
void swap_play(struct run *run);
void expire_play(struct run *run);
void lives_play(struct run *run);
void hold_play(struct run *run);
void limit_play(struct run *run);
void bytes_play(struct run *run);
void load_play(struct run *run);
void told_play(struct run *run);
void fork_play(struct run *run);
void mixed_play(struct run *run);

#endif
