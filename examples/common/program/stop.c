/* SPDX-License-Identifier: Apache-2.0
 * stop.c -- signal handlers that only set a variable (stop.h). */
#include "stop.h"
#include <signal.h>
#include <stddef.h>

atomic_int stop_requested;
static void on_signal(int number) { stop_requested = number; }

/* SA_RESETHAND removes the handler when a signal arrives, so a second one of the same kind ends the process. */
void watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_RESETHAND }, old;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Under nohup, SIGHUP stays ignored. */
    if (!sigaction(SIGHUP, NULL, &old) && old.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);                                 /* write() beyond ulimit -f returns an error instead */
}
