/* SPDX-License-Identifier: Apache-2.0
 * picture_error.c -- errors of single pictures, after which predict goes on (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

char *error_text(const char *name, peft_status status)
{
    const char *message = peft_last_error();
    const bool named = !strncmp(message, name, strlen(name));
    const bool several = strstr(message, "choose one of them with the option slice=N");
    char *text;
    if (asprintf(&text, "%s%s%s%s (%s)", named ? "" : name, named ? "" : ": ", message,
                 several ? "; --all-slices predicts all" : "", peft_status_name(status)) < 0)
        fail("out of memory");
    return text;
}

void print_error(const char *name, peft_status status)
{
    char *text = error_text(name, status);
    report("%s", text);
    free(text);
}
