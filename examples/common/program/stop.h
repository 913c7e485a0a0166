/* SPDX-License-Identifier: Apache-2.0
 * stop.h -- Ctrl-C, SIGTERM and the end of the terminal, for programs that have something to save before they end. */
#ifndef STOP_H
#define STOP_H
#include <signal.h>

extern volatile sig_atomic_t stop_requested;                  /* the signal's number; 0: none came */
/* From now on the first of these signals sets stop_requested, and a second one of its kind ends the process. */
void watch_signals(void);
#endif
