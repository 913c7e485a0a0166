/* SPDX-License-Identifier: Apache-2.0
 * log.c -- where warnings go: standard error, or what the application set. */
#include "io/io.h"
#include <peft/io.h>
#include <stdarg.h>
#include <stdio.h>

static void to_standard_error(int level, const char *message, void *user)
{
    (void)level, (void)user;
    fprintf(stderr, "libpeft: warning: %s\n", message);
}

static void to_nowhere(int level, const char *message, void *user) { (void)level, (void)message, (void)user; }

/* Two values, set before other threads use the library: no lock, which a fork could leave held in the child. */
static _Atomic(peft_log_fn) log_fn = to_standard_error;
static _Atomic(void *) log_user;

void peft_io_set_log(peft_log_fn fn, void *user)
{
    atomic_store(&log_user, user);
    atomic_store(&log_fn, fn ? fn : to_nowhere);
}

void io_warn(const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    atomic_load(&log_fn)(1, message, atomic_load(&log_user));
}
