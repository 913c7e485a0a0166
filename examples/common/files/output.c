/* SPDX-License-Identifier: Apache-2.0
 * output.c -- see output.h. */
#include "output.h"
#include "common/program/errors.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder_of(const char *path)                      /* to be freed */
{
    const char *slash = strrchr(path, '/');
    if (!slash) return need(strdup("."));
    return need(strndup(path, slash == path ? 1 : (size_t)(slash - path)));
}

static void check_folder(const char *flag, const char *path)
{
    struct stat st;
    char *folder = folder_of(path);
    if (stat(folder, &st)) {
        if (errno != ENOENT) fail("--%s %s: the folder '%s': %s", flag, path, folder, strerror(errno));
        fail("--%s %s: the folder '%s' does not exist; make it first (mkdir -p '%s'), or give another path", flag, path,
             folder, folder);
    }
    if (!S_ISDIR(st.st_mode)) fail("--%s %s: '%s' is no folder", flag, path, folder);
    if (access(folder, W_OK | X_OK))
        fail("--%s %s: the folder '%s' cannot be written to (%s); give a path in another folder", flag, path, folder,
             strerror(errno));
    free(folder);
}

void check_output(const char *flag, const char *path, bool replace, const char *const *inputs, int count)
{
    struct stat st, in;
    if (!*path) fail("--%s: an empty path; expected that of a file", flag);
    bool there = !stat(path, &st);
    if (there && S_ISDIR(st.st_mode))
        fail("--%s %s: is a folder; expected the path of a file, such as %s/model.safetensors", flag, path, path);
    if (path[strlen(path) - 1] == '/') fail("--%s %s: ends in '/'; expected the path of a file", flag, path);
    if (there && !S_ISREG(st.st_mode)) fail("--%s %s: is no regular file; expected a path of its own", flag, path);
    for (int i = 0; i < count; i++) {
        if (!inputs[i]) continue;
        bool same = !strcmp(inputs[i], path) ||
                    (there && !stat(inputs[i], &in) && in.st_dev == st.st_dev && in.st_ino == st.st_ino);
        if (same)
            fail("--%s %s: is also given as another file of this command (%s); give a path of its own", flag, path,
                 inputs[i]);
    }
    if (there && !replace)
        fail("--%s %s: exists already; give another path, or --force to write over it", flag, path);
    check_folder(flag, path);
}

void rehearse_output(const char *flag, const char *path, saver save, const void *what)
{
    char *trial;
    if (asprintf(&trial, "%s.trial-%ld", path, (long)getpid()) < 0) fail("out of memory");
    peft_status s = save(what, trial);
    remove(trial);
    if (s) fail("--%s %s: could not be written, so the work was not begun: %s (%s)", flag, path, peft_last_error(),
                peft_status_name(s));
    free(trial);
}

char *save_somewhere(const char *flag, const char *path, bool replace, saver save, const void *what)
{
    char *other;
    const bool taken = !replace && !access(path, F_OK);
    const char *folder = getenv("TMPDIR");
    if (!taken && !save(what, path)) return need(strdup(path));
    if (taken) warn("--%s %s: another process has written this file meanwhile; it is left as it is", flag, path);
    else warn("--%s %s: %s", flag, path, peft_last_error());
    const int n = taken ? asprintf(&other, "%s.%ld", path, (long)getpid())
                        : asprintf(&other, "%s/%s-%ld.%s", folder && *folder ? folder : "/tmp", program_name,
                                   (long)getpid(), flag);
    if (n < 0) fail("out of memory");
    must(save(what, other));
    return other;
}
