/* SPDX-License-Identifier: Apache-2.0
 * near_file.c -- for a picture that does not exist: a file in its folder whose name differs only in upper and lower
 * case or in the ending, such as 1.JPG or 1.jpeg for 1.jpg. */
#include "io/table/table.h"
#include "io/entries.h"

/* The length of a file name without its ending. */
static size_t stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - name) : strlen(name);
}

typedef struct search { peft_context *ctx; const char *name; char *found; } search;

/* Takes the first file that fits: names without endings are compared, or a name without ending with a whole one. */
static peft_status compare(void *user, const char *path, const char *name, bool is_folder)
{
    search *f = user;
    const size_t n = stem(name);
    if (is_folder || f->found || (n != stem(f->name) && n != strlen(f->name))) return PEFT_OK;
    for (size_t i = 0; i < n; i++)
        if (io_lower(name[i]) != io_lower(f->name[i])) return PEFT_OK;
    f->found = io_copy(f->ctx, path);
    return f->found ? PEFT_OK : io_nomem(path);
}

/* A folder that cannot be read has no such file: the caller says that the picture does not exist. */
peft_status io_table_near_file(const io_table *t, const char *path, char **near)
{
    const char *slash = strrchr(path, '/');
    search f = { .ctx = t->ctx, .name = slash ? slash + 1 : path };
    char *folder = io_folder_of(t->ctx, path);
    peft_status s = folder ? io_each_entry(t->ctx, folder, compare, &f) : io_nomem(path);
    peft_sys_free(t->ctx, folder);
    *near = f.found;
    return s == PEFT_E_IO ? PEFT_OK : s;
}
