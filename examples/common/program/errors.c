/* SPDX-License-Identifier: Apache-2.0
 * errors.c -- errors and warnings on standard error (errors.h). */
#include "errors.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *program_name = "peft";

/* kind: "warning: ", or "" for an error. Of a longer message, such as one with a path of megabytes, the middle is left
 * out. */
static void print_message(const char *kind, const char *format, va_list args)
{
    enum { LONGEST = 6000, END = 2500 };                      /* characters; those that are printed at each end */
    char *text = NULL;
    const int length = vasprintf(&text, format, args);
    fflush(stdout);                                           /* keeps the order of lines on both streams */
    if (length < 0) text = NULL;
    if (length > LONGEST)
        fprintf(stderr, "%s: %s%.*s [... %d characters ...] %s\n", program_name, kind, END, text, length - 2 * END,
                text + length - END);
    else fprintf(stderr, "%s: %s%s\n", program_name, kind, length < 0 ? "out of memory" : text);
    free(text);
}

void report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message("", format, args);
    va_end(args);
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

void *grow_by_one(void *items, int64_t count, size_t size)
{
    return check_alloc(realloc(items, (size_t)(count + 1) * size));
}
