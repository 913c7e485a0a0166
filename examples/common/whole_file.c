/* SPDX-License-Identifier: Apache-2.0
 * whole_file.c -- see whole_file.h. */
#include "whole_file.h"
#include "common.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

whole_file open_whole(const char *path)
{
    whole_file w = { .path = need(strdup(path)) };
    if (asprintf(&w.part, "%s.part", path) < 0) fail("out of memory");
    w.file = fopen(w.part, "w");
    if (!w.file) fail("%s: %s", w.part, strerror(errno));
    return w;
}

void close_whole(whole_file *w)
{
    bool bad = ferror(w->file) || fflush(w->file) || fsync(fileno(w->file));
    if (fclose(w->file) || bad || rename(w->part, w->path)) {
        int why = errno;
        remove(w->part);
        fail("%s: %s", w->path, strerror(why));
    }
    free(w->path);
    free(w->part);
}
