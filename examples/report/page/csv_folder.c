/* SPDX-License-Identifier: Apache-2.0
 * csv_folder.c -- the folder beside a page that holds the CSV files of its figures and tables (page.h). */
#include "common/program/errors.h"
#include "page.h"
#include <errno.h>
#include <peft/peft.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of `file` in the folder, or that of the folder for NULL; to be freed. */
static char *path_of(const page *p, const char *page_path, const char *file)
{
    const char *slash = strrchr(page_path, '/');
    const int length = slash ? (int)(slash - page_path + 1) : 0;
    char *path;
    if (asprintf(&path, "%.*s%s%s%s", length, page_path, p->csv, file ? "/" : "", file ? file : "") < 0)
        fail("out of memory");
    return path;
}

void check_csv_folder(const page *p, const char *page_path, bool replace)
{
    struct stat st;
    if (!*p->csv || strchr(p->csv, '/') || !strcmp(p->csv, ".") || !strcmp(p->csv, ".."))
        fail("--csv: given '%s', expected the name of a folder beside the page, without '/'", p->csv);
    char *folder = path_of(p, page_path, NULL);
    if (!strcmp(folder, page_path)) fail("--csv: given '%s', the name of the page; give another name", p->csv);
    if (!stat(folder, &st)) {
        if (!S_ISDIR(st.st_mode)) fail("--csv %s: %s is a file, expected a folder; give another name", p->csv, folder);
        if (!replace) fail("--csv %s: the folder %s exists already; give another name, or --force to write into it",
                           p->csv, folder);
        if (access(folder, W_OK | X_OK))
            fail("--csv %s: the folder %s cannot be written to (%s); give another name", p->csv, folder,
                 strerror(errno));
    }
    free(folder);
}

void write_csv_folder(const page *p, const char *page_path)
{
    char *folder = path_of(p, page_path, NULL);
    if (mkdir(folder, 0777) && errno != EEXIST) fail("--csv %s: %s: %s", p->csv, folder, strerror(errno));
    for (int64_t i = 0; i < p->files; i++) {
        char *path = path_of(p, page_path, p->file[i].name);
        must(peft_write_file(path, p->file[i].text, p->file[i].size));
        free(path);
    }
    free(folder);
}
