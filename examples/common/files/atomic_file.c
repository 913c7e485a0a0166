/* SPDX-License-Identifier: Apache-2.0
 * atomic_file.c -- collects a file's text in memory and writes it in one step (atomic_file.h). */
#include "atomic_file.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

void open_atomic(atomic_file *w, const char *path)
{
    *w = (atomic_file){ .path = check_alloc(strdup(path)) };
    w->file = check_alloc(open_memstream(&w->text, &w->size));
}

void close_atomic(atomic_file *w)
{
    if (fclose(w->file)) fail("out of memory");
    must(peft_write_file(w->path, w->text, w->size));
    free(w->path);
    free(w->text);
}
