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

static void discard(int level, const char *message, void *user) { (void)level, (void)message, (void)user; }

/* Without a lock, which a forked child could inherit locked. The two are not read as a pair; callers set them before
 * other threads use the library. */
static _Atomic(peft_log_fn) log_fn = to_standard_error;
static _Atomic(void *) log_user;

void peft_io_set_log(peft_log_fn fn, void *user)
{
    atomic_store(&log_user, user);
    atomic_store(&log_fn, fn ? fn : discard);
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
