/* SPDX-License-Identifier: Apache-2.0
 * picture_error.c -- errors of single pictures, after which the program goes on (inputs.h). */
#include "common/data/image_options.h"
#include "common/inputs/inputs.h"
#include "common/slices/slice_name.h"
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

/* The message of an error's text behind the name of the picture. */
static const char *message_of(const char *text, const char *name)
{
    const size_t size = strlen(name);
    return strncmp(text, name, size) ? text : text + size;
}

bool are_one_error(const char *name, const char *text, const char *other_name, const char *other_text)
{
    return are_of_one_file(name, other_name) && !strcmp(message_of(text, name), message_of(other_text, other_name));
}

static const char *skip_number(const char *at) { return at + strspn(at, "0123456789.-+"); }

bool are_errors_alike(const char *name, const char *text, const char *other_name, const char *other_text)
{
    const char *a = skip_number(message_of(text, name)), *b = skip_number(message_of(other_text, other_name));
    while (*a && *a == *b) a = skip_number(a + 1), b = skip_number(b + 1);
    return *a == *b;
}

/* The error that was printed last, and how many further slices of its file have it. */
static struct { char *name, *text; int64_t more; } last;

void end_picture_errors(void)
{
    if (last.more) {
        char *file = file_of_image(last.name);
        report("%s: the same for %lld more slice%s", file, (long long)last.more, last.more == 1 ? "" : "s");
        free(file);
    }
    free(last.name);
    free(last.text);
    last.name = last.text = NULL;
    last.more = 0;
}

void report_picture(const char *name, const char *text)
{
    if (last.name && are_one_error(last.name, last.text, name, text)) {
        last.more++;
        return;
    }
    end_picture_errors();
    report("%s", text);
    last.name = check_alloc(strdup(name));
    last.text = check_alloc(strdup(text));
}

void print_error(const char *name, peft_status status, const char *of_model)
{
    char *text = error_text(name, status, of_model);
    report_picture(name, text);
    free(text);
}
