/* SPDX-License-Identifier: Apache-2.0
 * output.c -- checks output paths before a long computation, and saves to a second place on failure (output.h). */
#include "output.h"
#include "claimed.h"
#include "common/program/errors.h"
#include <errno.h>
#include <peft/sys/content.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder_of(const char *path)                      /* "a/b" for "a/b/c", "." for "c"; to be freed */
{
    const char *slash = strrchr(path, '/');
    if (!slash) return check_alloc(strdup("."));
    return check_alloc(strndup(path, slash == path ? 1 : (size_t)(slash - path)));
}

/* Fails unless the folder exists and files can be made in it; path: what the flag gives. */
static void check_folder(const char *flag, const char *path, const char *folder)
{
    struct stat st;
    if (stat(folder, &st)) {
        if (errno != ENOENT) fail("--%s %s: the folder '%s': %s", flag, path, folder, strerror(errno));
        fail("--%s %s: the folder '%s' does not exist; make it first (mkdir -p '%s'), or give another path", flag, path,
             folder, folder);
    }
    if (!S_ISDIR(st.st_mode))
        fail("--%s %s: '%s' is a file, expected a folder; give a path in a folder", flag, path, folder);
    if (access(folder, W_OK | X_OK))
        fail("--%s %s: the folder '%s' cannot be written to (%s); give a path in another folder", flag, path, folder,
             strerror(errno));
}

void check_output_folder(const char *flag, const char *path)
{
    char *trimmed = check_alloc(strdup(path));
    if (!*path) fail("--%s: the path is empty; expected the path of a folder", flag);
    for (size_t n = strlen(trimmed); n > 1 && trimmed[n - 1] == '/'; n--) trimmed[n - 1] = 0;
    if (!access(trimmed, F_OK)) check_folder(flag, path, trimmed);
    else {
        char *folder = folder_of(trimmed);
        check_folder(flag, trimmed, folder);
        free(folder);
    }
    free(trimmed);
}

/* Fails if the existing file is a picture, a volume or an archive: no program writes such a file, and it may be among
 * the data that a folder or a list names. */
static void check_replaceable(const char *flag, const char *path)
{
    unsigned char head[1024];
    FILE *f = fopen(path, "rb");
    const size_t size = f ? fread(head, 1, sizeof head, f) : 0;
    if (f) fclose(f);
    if (!size) return;
    static const char *const data[] = { "picture", "PNM", "DICOM", "NIfTI", "numpy", "archive" };
    const char *kind = peft_sys_content_kind(head, size);
    size_t i = 0;
    while (kind && i < sizeof data / sizeof *data && !strstr(kind, data[i])) i++;
    if (i == sizeof data / sizeof *data) kind = NULL;
    if (!kind && size > 2 && (!memcmp(head, "P5", 2) || !memcmp(head, "P6", 2))) kind = "a PNM picture";
    if (!kind && size > 4 && !memcmp(head, "PK\3\4", 4)) kind = "a zip archive";
    if (!kind) return;
    fail("--%s %s: the existing file is %.*s: --force does not write over data; give another path", flag, path,
         (int)strcspn(kind, "("), kind);
}

void check_output(const char *flag, const char *path, bool replace, const char *const *inputs, int count)
{
    struct stat st, in;
    if (!*path) fail("--%s: the path is empty; expected the path of a file", flag);
    bool exists = !stat(path, &st);
    if (exists && S_ISDIR(st.st_mode))
        fail("--%s %s: is a folder; expected the path of a file, such as %s/model.safetensors", flag, path, path);
    if (path[strlen(path) - 1] == '/') fail("--%s %s: ends in '/'; expected the path of a file", flag, path);
    if (exists && !S_ISREG(st.st_mode))
        fail("--%s %s: is not a regular file (a device or pipe); give the path of a new file", flag, path);
    for (int i = 0; i < count; i++) {
        if (!inputs[i]) continue;
        bool same = !strcmp(inputs[i], path) ||
                    (exists && !stat(inputs[i], &in) && in.st_dev == st.st_dev && in.st_ino == st.st_ino);
        if (same)
            fail("--%s %s: another option of this command names the same file (%s); give a path that no other option "
                 "uses", flag, path, inputs[i]);
    }
    if (exists && !replace)
        fail("--%s %s: exists already; give another path, or --force to write over it", flag, path);
    if (exists) check_replaceable(flag, path);
    char *folder = folder_of(path);
    check_folder(flag, path, folder);
    claim_output(flag, path, folder);
    free(folder);
}

void try_saving(const char *flag, const char *path, save_function save, const void *object)
{
    char *test_path;
    /* one name for all runs, so that a file that a killed run left is written over and removed */
    if (asprintf(&test_path, "%s.trial", path) < 0) fail("out of memory");
    peft_status s = save(object, test_path);
    remove(test_path);
    if (s) fail("--%s %s: could not be written, so the work was not begun: %s (%s)", flag, path, peft_last_error(),
                peft_status_name(s));
    free(test_path);
}

/* The last resort after hours of training: saves to path, else to PATH.PID or TMPDIR/PROGRAM-PID.FLAG. */
char *save_or_fallback(const char *flag, const char *path, bool replace, save_function save, const void *object)
{
    char *fallback;
    const bool created_meanwhile = !replace && !access(path, F_OK);
    const char *folder = getenv("TMPDIR");
    if (!created_meanwhile && !save(object, path)) return check_alloc(strdup(path));
    if (created_meanwhile)
        warn("--%s %s: another process created this file during training; it is not overwritten", flag, path);
    else warn("--%s %s: %s", flag, path, peft_last_error());
    const int n = created_meanwhile ? asprintf(&fallback, "%s.%ld", path, (long)getpid())
                                    : asprintf(&fallback, "%s/%s-%ld.%s", folder && *folder ? folder : "/tmp",
                                               program_name, (long)getpid(), flag);
    if (n < 0) fail("out of memory");
    must(save(object, fallback));
    return fallback;
}
