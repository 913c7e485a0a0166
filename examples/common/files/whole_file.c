/* SPDX-License-Identifier: Apache-2.0
 * whole_file.c -- see whole_file.h. */
#include "whole_file.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

void open_whole(whole_file *w, const char *path)
{
    *w = (whole_file){ .path = need(strdup(path)) };
    w->file = need(open_memstream(&w->text, &w->size));
}

void close_whole(whole_file *w)
{
    if (fclose(w->file)) fail("out of memory");
    must(peft_write_file(w->path, w->text, w->size));
    free(w->path);
    free(w->text);
}
