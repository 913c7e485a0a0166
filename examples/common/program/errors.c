/* SPDX-License-Identifier: Apache-2.0
 * errors.c -- see errors.h. */
#include "errors.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *program_name = "peft";

static void say(const char *kind, const char *format, va_list args)
{
    fflush(stdout);                                           /* lines of both streams in the order of the program */
    fprintf(stderr, "%s: %s", program_name, kind);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
    exit(1);
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("warning: ", format, args);
    va_end(args);
}

void must(peft_status s)
{
    if (s) fail("%s (%s)", peft_last_error(), peft_status_name(s));
}

void *need(void *memory)
{
    if (!memory) fail("out of memory");
    return memory;
}
