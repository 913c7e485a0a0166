/* SPDX-License-Identifier: Apache-2.0
 * verbose.c -- creates contexts whose log prints each warning once, and follows PEFT_VERBOSE (verbose.h). */
#include "verbose.h"
#include "errors.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of first characters by which a warning is compared with earlier ones: all of them, or of one that the
 * library reports once for a data set those of its kind, "masks: another spacing: ", as a program may open a data set
 * for each of its arguments. */
static size_t key_size(const char *message)
{
    const char *area = strstr(message, "(reported once)") ? strstr(message, ": ") : NULL;
    const char *kind = area ? strstr(area + 1, ": ") : NULL;
    return kind ? (size_t)(kind - message) : strlen(message) + 1;
}

/* Is this message the first of its text or kind in the program? One of too many is. */
static bool is_new(const char *message)
{
    enum { MOST = 1000 };
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *printed[MOST];
    static int count;
    const size_t size = key_size(message);
    bool found = false;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count && !found; i++) found = !strncmp(printed[i], message, size);
    if (!found && count < MOST && (printed[count] = strdup(message))) count++;
    pthread_mutex_unlock(&lock);
    return !found;
}

/* The context's log function. level: 0 error, 1 warning, 2 information, 3 an operation of a model. */
static void print_log_line(int level, const char *message, void *user)
{
    enum { LOG_WARNING = 1 };
    static const char *const kind[] = { "error: ", "warning: ", "", "" };
    (void)user;
    if (level == LOG_WARNING && !is_new(message)) return;
    fprintf(stderr, "libpeft: %s%s\n", kind[level], message);
}

peft_context *make_context(void)
{
    const char *verbose = getenv("PEFT_VERBOSE");
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    const bool operations = verbose && *verbose && strcmp(verbose, "0");
    if (operations && strcmp(verbose, "1"))
        fail("environment variable PEFT_VERBOSE: given '%s', expected 0 or 1", verbose);
    const int level_of_warnings = 1, level_of_operations = 3;
    must(peft_context_set_log(ctx, print_log_line, NULL, operations ? level_of_operations : level_of_warnings));
    return ctx;
}
