/* SPDX-License-Identifier: Apache-2.0
 * errors.c -- errors and warnings on standard error (errors.h). */
#include "errors.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *program_name = "peft";

/* kind: "warning: ", or "" for an error. */
static void print_message(const char *kind, const char *format, va_list args)
{
    fflush(stdout);                                           /* keeps the order of lines on both streams */
    fprintf(stderr, "%s: %s", program_name, kind);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("", format, args);
    va_end(args);
    exit(1);
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("warning: ", format, args);
    va_end(args);
}

void must(peft_status s)
{
    if (s) fail("%s (%s)", peft_last_error(), peft_status_name(s));
}

void *check_alloc(void *memory)
{
    if (!memory) fail("out of memory");
    return memory;
}
