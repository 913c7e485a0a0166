/* SPDX-License-Identifier: Apache-2.0
 * medium.c -- the images that the DICOMDIR of a medium refers to (found.h). */
#include "io/entries.h"
#include "io/format/dicom/directory.h"
#include "io/source/pictures/found.h"
#include "io/words.h"
#include <stdio.h>
#include <unistd.h>

/* DICOM allows 8 parts of 8 characters, and 16 characters of a type. MAX_SHOWN: of a path that is not allowed. */
enum { MAX_PARTS = 32, MAX_PART = 255, MAX_TYPE = 16, MAX_SHOWN = 200 };

/* The entries of a folder, each as its name in lower case, a slash and its name, sorted. */
typedef struct listing { char *folder; io_strings names; } listing;
typedef struct medium {
    peft_context *ctx;
    const char *path;                                         /* of the DICOMDIR */
    int64_t present;                                          /* images that are there */
    int64_t refused;                                          /* images whose path is not allowed */
    listing of[MAX_PARTS];                                    /* the folder read last for each part of a path */
} medium;

static void clear_listing(peft_context *ctx, listing *l)
{
    peft_sys_free(ctx, l->folder);
    io_strings_clear(&l->names);
    l->folder = NULL;
}

static void lower(char *text)
{
    for (; *text; text++) *text = io_lower(*text);
}

/* "name/Name"; NULL: no memory. */
static char *listed(peft_context *ctx, const char *name)
{
    char *small = io_join(ctx, name, "/"), *both;
    if (!small) return NULL;
    lower(small);
    both = io_join(ctx, small, name);
    peft_sys_free(ctx, small);
    return both;
}

static peft_status add_name(void *user, const char *path, const char *name, bool is_folder)
{
    listing *l = user;
    (void)path, (void)is_folder;
    return io_strings_add(&l->names, listed(l->names.ctx, name));
}

/* Reads the names in a folder. One that cannot be read has none. */
static peft_status list_folder(peft_context *ctx, const char *folder, listing *l)
{
    if (l->folder && !strcmp(l->folder, folder)) return PEFT_OK;
    clear_listing(ctx, l);
    l->names.ctx = ctx;
    if (!(l->folder = io_copy(ctx, folder))) return io_nomem(folder);
    peft_status s = io_each_entry(ctx, folder, add_name, l);
    io_strings_sort(&l->names);
    return s == PEFT_E_IO ? PEFT_OK : s;
}

/* The name of the entry of the listing that differs from `part` at most in the case of letters; NULL: none. */
static const char *find_name(const listing *l, const char *part)
{
    int64_t low = 0, high = l->names.count;
    char *small = io_join(l->names.ctx, part, "/");
    if (!small) return NULL;
    lower(small);
    const size_t length = strlen(small);
    while (low < high) {                                      /* the first one that is not below */
        const int64_t middle = (low + high) / 2;
        if (strncmp(l->names.item[middle], small, length) < 0) low = middle + 1;
        else high = middle;
    }
    const bool found = low < l->names.count && !strncmp(l->names.item[low], small, length);
    peft_sys_free(l->names.ctx, small);
    return found ? l->names.item[low] + length : NULL;
}

/* Replaces *path, a folder, by the path of a part in it: as it is written, or else in other letters if that exists. */
static peft_status append(medium *m, int level, const char *part, char **path)
{
    peft_context *ctx = m->ctx;
    char *longer = io_path(ctx, *path, part);
    if (longer && access(longer, F_OK)) {
        peft_status s = list_folder(ctx, *path, &m->of[level]);
        const char *name = s ? NULL : find_name(&m->of[level], part);
        char *renamed = name ? io_path(ctx, *path, name) : NULL;
        if (renamed) {
            peft_sys_free(ctx, longer);
            longer = renamed;
        }
        if (s) {
            peft_sys_free(ctx, longer);
            return s;
        }
    }
    if (!longer) return io_nomem(*path);
    peft_sys_free(ctx, *path);
    *path = longer;
    return PEFT_OK;
}

static bool leads_out(const char *part)
{
    return !*part || !strcmp(part, ".") || !strcmp(part, "..") || strchr(part, '/');
}

/* Whether the path stays in the folder: its parts, without blanks at their ends, are names. */
static bool is_allowed(const char *text)
{
    int level = 0;
    char part[MAX_PART + 1];
    for (const char *next = text; next; level++) {
        while (*next == ' ') next++;
        size_t n = strcspn(next, "\\");
        const char *end = next + n;
        while (n && next[n - 1] == ' ') n--;
        if (level == MAX_PARTS || n > MAX_PART) return false;
        memcpy(part, next, n);
        part[n] = 0;
        if (leads_out(part)) return false;
        next = *end ? end + 1 : NULL;
    }
    return true;
}

/* The name of a sample that cannot be loaded, as it lies in the file DICOMDIR: "DICOMDIR/file 3: ..\IM1". file: from
 * 1. Slashes become backslashes, so that the name does not look like a path to another folder. NULL: no memory. */
static char *refused_name(medium *m, const char *text, int64_t file)
{
    char mark[MAX_SHOWN + 40];
    snprintf(mark, sizeof mark, "file %lld: %.*s", (long long)file, (int)MAX_SHOWN, text);
    for (char *c = mark; *c; c++)
        if (*c == '/') *c = '\\';
    if (!m->refused++)
        io_warn(m->ctx, "%s: the path of file %lld, '%.80s', is not allowed; expected at most %d names of files and "
                "folders in that of the DICOMDIR, each of 1 to %d bytes, without a slash and not . or ..; such images "
                "cannot be read, the others are", m->path, (long long)file, text, (int)MAX_PARTS, (int)MAX_PART);
    return io_path(m->ctx, m->path, mark);
}

/* Makes the path of file number `file`, `text`, whose parts it cuts at the backslashes. */
static peft_status find_file(medium *m, char *text, int64_t file, char **path)
{
    if (!is_allowed(text)) return (*path = refused_name(m, text, file)) ? PEFT_OK : io_nomem(m->path);
    int level = 0;
    char *part = text, *next;
    peft_status s = (*path = io_folder_of(m->ctx, m->path)) ? PEFT_OK : io_nomem(m->path);
    for (; part && !s; part = next, level++) {
        if ((next = strchr(part, '\\'))) *next++ = 0;
        while (*part == ' ') part++;
        for (size_t n = strlen(part); n && part[n - 1] == ' '; n--) part[n - 1] = 0;
        s = append(m, level, part, path);
    }
    if (!s) return PEFT_OK;
    peft_sys_free(m->ctx, *path);
    return s;
}

/* Whether the text is a type of records, such as "SR DOCUMENT". */
static bool is_type(const char *text)
{
    const size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ");
    return length && length <= MAX_TYPE && !text[length];
}

/* Adds the images to the list, and the types of other files to `skipped`. */
static peft_status add_files(medium *m, found_list *l, const io_strings *files, const io_strings *types,
                             io_strings *skipped)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < files->count && !s; i++) {
        char *path;
        if (strcmp(types->item[i], "IMAGE")) {
            s = io_strings_add(skipped, io_copy(m->ctx, is_type(types->item[i]) ? types->item[i] : "of unknown type"));
            continue;
        }
        if (!*files->item[i]) {
            s = io_strings_add(skipped, io_copy(m->ctx, "IMAGE without a file"));
            continue;
        }
        s = find_file(m, files->item[i], i + 1, &path);
        if (s) return s;
        m->present += !access(path, F_OK);
        s = io_found_add(l, path, 0);
    }
    return s;
}

/* Removes the images from number `before` on whose path an earlier one has; counts them as skipped. */
static peft_status remove_repeated(found_list *l, int64_t before, io_strings *skipped)
{
    const int64_t n = l->count - before;
    found *item = l->item + before;
    peft_status s = PEFT_OK;
    io_named *sorted = io_alloc(l->ctx, n, sizeof *sorted);
    if (!sorted) return io_nomem("list of pictures");
    for (int64_t i = 0; i < n; i++) sorted[i] = (io_named){ item[i].name, i };
    io_sort_named(sorted, n);
    for (int64_t i = n - 1; i > 0 && !s; i--) {               /* from the end: the name before is still there */
        if (strcmp(sorted[i - 1].name, sorted[i].name)) continue;
        s = io_strings_add(skipped, io_copy(l->ctx, "listed again in DICOMDIR"));
        peft_sys_free(l->ctx, item[sorted[i].i].name);
        item[sorted[i].i].name = NULL;
    }
    peft_sys_free(l->ctx, sorted);
    l->count = before;
    for (int64_t i = 0; i < n; i++)
        if (item[i].name) l->item[l->count++] = item[i];
    return s;
}

/* Adds to the error s what to give in place of the DICOMDIR: the first thing that lies beside it. */
static peft_status advise(medium *m, peft_status s)
{
    char error[400];
    listing beside = { .folder = NULL };
    snprintf(error, sizeof error, "%s", peft_last_error());
    char *folder = io_folder_of(m->ctx, m->path), *example = NULL;
    if (folder && !list_folder(m->ctx, folder, &beside))
        for (int64_t i = 0; i < beside.names.count && !example; i++) {
            const char *name = strchr(beside.names.item[i], '/') + 1;
            if (!io_is_medium_name(name)) example = io_path(m->ctx, folder, name);
        }
    io_fail(s, "%s; give the files and folders of the images, such as %s, or remove the DICOMDIR and give its folder",
            error, example ? example : "FOLDER/IMAGES");
    clear_listing(m->ctx, &beside);
    peft_sys_free(m->ctx, folder);
    peft_sys_free(m->ctx, example);
    return s;
}

peft_status io_found_on_medium(found_list *l, const char *path, io_strings *skipped)
{
    medium m = { .ctx = l->ctx, .path = path };
    io_strings files = { .ctx = l->ctx }, types = { .ctx = l->ctx };
    const int64_t before = l->count;
    peft_status s = io_dicom_directory_read(l->ctx, path, &files, &types);
    if (!s) s = add_files(&m, l, &files, &types, skipped);
    if (!s) s = remove_repeated(l, before, skipped);
    if (!s && l->count == before) s = io_fail(PEFT_E_FORMAT, "%s: no pictures: it names no image", path);
    for (int i = 0; i < MAX_PARTS; i++) clear_listing(l->ctx, &m.of[i]);
    io_strings_clear(&files);
    io_strings_clear(&types);
    if (!s && l->count > before && !m.present)
        s = io_fail(PEFT_E_IO, "%s: none of the %lld images that it names is there, such as %s; copy the medium with "
                    "all its folders", path, (long long)(l->count - before), l->item[before].name);
    return s && s != PEFT_E_NOMEM && !access(path, F_OK) ? advise(&m, s) : s;
}
