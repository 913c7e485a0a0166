/* SPDX-License-Identifier: Apache-2.0
 * stop.h -- catches Ctrl-C (SIGINT), SIGTERM and SIGHUP (terminal closed) for programs that save their work before they
 * end. */
#ifndef STOP_H
#define STOP_H
#include <stdatomic.h>

extern atomic_int stop_requested;                             /* the signal's number; 0: no signal so far */
/* From now on the first of these signals sets stop_requested; the same signal again ends the process. */
void watch_signals(void);
#endif
