/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- data sets from folders of images: class/file, or split/class/file. */
#include "io/dataset.h"
#include <dirent.h>
#include <errno.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const split_names[] = { "train", "val", "valid", "test" };
enum { SPLITS = sizeof split_names / sizeof *split_names };

static char *join_path(const char *folder, const char *name)
{
    char *start = io_join(folder, "/"), *path = start ? io_join(start, name) : NULL;
    free(start);
    return path;
}

bool io_is_image_name(const char *name)
{
    static const char *const ends[] = { "png", "jpg", "jpeg", "pgm", "ppm", "pnm" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcasecmp(dot + 1, ends[i])) return true;
    return false;
}

/* Links are followed. What cannot be looked at counts as a file: loading it will say what is wrong. */
static peft_status is_folder(const char *folder, const char *name, bool *out)
{
    struct stat st;
    char *path = join_path(folder, name);
    *out = false;
    if (!path) return io_nomem(folder);
    *out = !stat(path, &st) && S_ISDIR(st.st_mode);
    free(path);
    return PEFT_OK;
}

/* Adds the names in folder that are folders, or those that are image files. */
static peft_status list_folder(const char *folder, bool folders, io_strings *out)
{
    char text[128];
    DIR *dir = opendir(folder);
    if (!dir) return io_fail(PEFT_E_IO, "%s: %s", folder, strerror_r(errno, text, sizeof text));
    peft_status s = PEFT_OK;
    for (struct dirent *e; !s && (errno = 0, e = readdir(dir));) {
        bool found;
        if (e->d_name[0] == '.' || (!folders && !io_is_image_name(e->d_name))) continue;
        s = is_folder(folder, e->d_name, &found);
        if (!s && found == folders) s = io_strings_add(out, strdup(e->d_name));
    }
    if (!s && errno) s = io_fail(PEFT_E_IO, "%s: %s", folder, strerror_r(errno, text, sizeof text));
    closedir(dir);
    return s;
}

bool io_is_split(const char *name)
{
    for (int i = 0; i < SPLITS; i++)
        if (!strcmp(name, split_names[i])) return true;
    return false;
}

/* The classes of all splits that exist, so that a split without one class numbers the others alike. */
static peft_status classes_of_splits(const char *path, io_strings *out)
{
    peft_status s = PEFT_OK;
    for (int i = 0; i < SPLITS && !s; i++) {
        bool there;
        if ((s = is_folder(path, split_names[i], &there)) || !there) continue;
        char *folder = join_path(path, split_names[i]);
        s = folder ? list_folder(folder, true, out) : io_nomem(path);
        free(folder);
    }
    return s;
}

peft_status io_check_classes(const io_strings *classes, const char *path, const char *split)
{
    if (!classes->count) return io_fail(PEFT_E_FORMAT, "%s: no class folders", path);
    bool only_splits = !split;
    for (int64_t i = 0; i < classes->count; i++) only_splits = only_splits && io_is_split(classes->item[i]);
    if (only_splits)
        return io_fail(PEFT_E_INVALID, "%s: has the folders of splits (%s, ...): say which split", path,
                       classes->item[0]);
    return PEFT_OK;
}

static peft_status find_classes(const char *path, const char *split, io_strings *out)
{
    peft_status s = split ? classes_of_splits(path, out) : list_folder(path, true, out);
    if (s) return s;
    io_strings_sort(out, true);
    return io_check_classes(out, path, split);
}

/* The files of class c, if base has such a folder. */
static peft_status add_class(peft_dataset *d, const char *base, int64_t c)
{
    io_strings files = { 0 };
    const char *name = d->class_names.item[c];
    bool there;
    peft_status s = is_folder(base, name, &there);
    if (s || !there) return s;
    char *folder = join_path(base, name);
    s = folder ? list_folder(folder, false, &files) : io_nomem(base);
    io_strings_sort(&files, false);
    int64_t *label = s ? NULL : realloc(d->label, (size_t)(d->count + files.count + 1) * sizeof *label);
    if (label) d->label = label;
    else if (!s) s = io_nomem(base);
    for (int64_t i = 0; i < files.count && !s; i++) {
        s = io_strings_add(&d->names, join_path(folder, files.item[i]));
        if (!s) d->label[d->count++] = c;
    }
    io_strings_clear(&files);
    free(folder);
    return s;
}

static peft_status open_base(const char *path, const char *base, const char *split, peft_dataset *d)
{
    peft_status s = find_classes(path, split, &d->class_names);
    d->classes = d->class_names.count;
    for (int64_t c = 0; c < d->classes && !s; c++) s = add_class(d, base, c);
    if (!s && !d->count) return io_fail(PEFT_E_FORMAT, "%s: no images in its class folders", base);
    return s;
}

peft_status peft_dataset_open_folder(const char *path, const char *split, peft_dataset **out)
{
    peft_dataset *d;
    if (!path || !out) return io_fail(PEFT_E_INVALID, "data set: %s is NULL", path ? "out" : "path");
    if (split && !io_is_split(split))
        return io_fail(PEFT_E_INVALID, "data set: split '%.40s', expected train, val, valid or test", split);
    bool there = true;
    peft_status s = split ? is_folder(path, split, &there) : PEFT_OK;
    if (!s && !there) return io_fail(PEFT_E_NOTFOUND, "%s: no folder '%s'", path, split);
    if (!s) s = io_dataset_new(&d);
    if (s) return s;
    char *base = split ? join_path(path, split) : strdup(path);
    s = base ? open_base(path, base, split, d) : io_nomem(path);
    free(base);
    if (s) peft_dataset_free(d);
    else *out = d;
    return s;
}
