/* SPDX-License-Identifier: Apache-2.0
 * verbose.c -- creates contexts whose log follows PEFT_VERBOSE (verbose.h). */
#include "verbose.h"
#include "errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The context's log function. level: 0 error, 1 warning, 2 information, 3 an operation of a model. */
static void print_log_line(int level, const char *message, void *user)
{
    static const char *const kind[] = { "error: ", "warning: ", "", "" };
    (void)user;
    fprintf(stderr, "libpeft: %s%s\n", kind[level], message);
}

peft_context *make_context(void)
{
    const char *verbose = getenv("PEFT_VERBOSE");
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    if (!verbose || !*verbose || !strcmp(verbose, "0")) return ctx;
    if (strcmp(verbose, "1")) fail("environment variable PEFT_VERBOSE: given '%s', expected 0 or 1", verbose);
    const int level_of_operations = 3;
    must(peft_context_set_log(ctx, print_log_line, NULL, level_of_operations));
    return ctx;
}
