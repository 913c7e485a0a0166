/* SPDX-License-Identifier: Apache-2.0
 * entries.c -- reads the entries of a folder (entries.h). */
#include "io/entries.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

char *io_path(peft_context *ctx, const char *folder, const char *name)
{
    const bool ends = !*folder || folder[strlen(folder) - 1] == '/';
    char *prefix = io_join(ctx, folder, ends ? "" : "/"), *path = prefix ? io_join(ctx, prefix, name) : NULL;
    peft_sys_free(ctx, prefix);
    return path;
}

/* An entry on which stat fails counts as a file; loading it then reports the error. */
static bool is_folder(const struct dirent *e, const char *path)
{
    struct stat st;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) return e->d_type == DT_DIR;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static peft_status read_failed(const char *folder)
{
    return io_fail(PEFT_E_IO, "%s: %s", folder, strerror(errno));
}

peft_status io_each_entry(peft_context *ctx, const char *folder, io_entry_function function, void *user)
{
    DIR *dir = opendir(*folder ? folder : ".");
    if (!dir) return read_failed(folder);
    peft_status s = PEFT_OK;
    for (struct dirent *e; !s && (errno = 0, e = readdir(dir));) {            /* on failure readdir sets errno */
        if (e->d_name[0] == '.') continue;
        char *path = io_path(ctx, folder, e->d_name);
        s = path ? function(user, path, e->d_name, is_folder(e, path)) : io_nomem(folder);
        peft_sys_free(ctx, path);
    }
    if (!s && errno) s = read_failed(folder);
    closedir(dir);
    return s;
}
