/* SPDX-License-Identifier: Apache-2.0
 * stop.c -- see stop.h. */
#include "stop.h"
#include <stddef.h>

volatile sig_atomic_t stop_requested;
static void on_signal(int number) { stop_requested = number; }

void watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND }, old;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!sigaction(SIGHUP, NULL, &old) && old.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);     /* nohup */
    signal(SIGXFSZ, SIG_IGN);                                 /* a file over the limit is an error, not the end */
}
