/* SPDX-License-Identifier: Apache-2.0
 * picture_error.c -- errors of single pictures, after which the program goes on (inputs.h). */
#include "common/data/image_options.h"
#include "common/inputs/inputs.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *error_text(const char *name, peft_status status, const char *of_model)
{
    const char *message = peft_last_error();
    const bool named = !strncmp(message, name, strlen(name));
    const bool several = asks_for_slice(message);
    const bool inherited = status == PEFT_E_OPTION && of_model;
    char *text;
    if (asprintf(&text, "%s%s%s%s%s%s%s (%s)", named ? "" : name, named ? "" : ": ", message,
                 several ? "; --all-slices takes all" : "",
                 inherited ? "; the model was trained with the image options " : "", inherited ? of_model : "",
                 inherited ? ", and --image-options NAME=VALUE replaces one (slice=none: a file of one picture)" : "",
                 peft_status_name(status)) < 0)
        fail("out of memory");
    return text;
}

void print_error(const char *name, peft_status status, const char *of_model)
{
    char *text = error_text(name, status, of_model);
    report("%s", text);
    free(text);
}
