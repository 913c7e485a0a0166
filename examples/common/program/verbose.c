/* SPDX-License-Identifier: Apache-2.0
 * verbose.c -- creates contexts whose log follows PEFT_VERBOSE (verbose.h). */
#include "verbose.h"
#include "errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_message(int level, const char *message, void *user)
{
    (void)user;
    fprintf(stderr, "libpeft: %s%s\n", level > 1 ? "" : level ? "warning: " : "error: ", message);
}

peft_context *make_context(void)
{
    const char *verbose = getenv("PEFT_VERBOSE");
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    if (!verbose || !*verbose || !strcmp(verbose, "0")) return ctx;
    if (strcmp(verbose, "1")) fail("environment variable PEFT_VERBOSE: given '%s', expected 0 or 1", verbose);
    must(peft_context_set_log(ctx, print_message, NULL, 3));
    return ctx;
}
