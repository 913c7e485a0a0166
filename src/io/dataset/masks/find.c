/* SPDX-License-Identifier: Apache-2.0
 * find.c -- finds the mask files of samples by the names of their images. */
#include "io/dataset/masks/files.h"
#include "io/dataset/masks/readers.h"
#include "io/format/formats.h"
#include <stdio.h>
#include <sys/stat.h>

char *io_masks_image_path(const peft_dataset *d, int64_t i)
{
    const bool is_slice = io_slice_of(d, i, NULL) >= 0;
    char *path = io_copy(d->ctx, peft_dataset_name(d, i)), *mark = path && is_slice ? strrchr(path, '#') : NULL;
    if (mark) *mark = 0;
    return path;
}

/* What is looked for: the masks of sample i, whose image has this path and this name without its ending. */
typedef struct search {
    const io_masks *masks;
    const io_mask_files *files;
    io_mask_found *found;
    char *path, *stem;                                        /* images/a.jpg, images/a */
    const char *tail;                                         /* the part of stem below the folder of masks */
} search;

/* Adds a file to those of the sample. */
static peft_status add_file(const search *q, int64_t file, int64_t of)
{
    io_mask_found *f = q->found;
    int64_t capacity = f->capacity;
    if (!io_grow(q->masks->ctx, &f->file, f->entries, &capacity, sizeof *f->file)) return io_nomem("masks");
    if (!io_grow(q->masks->ctx, &f->of_class, f->entries, &f->capacity, sizeof *f->of_class)) return io_nomem("masks");
    f->file[f->entries] = file;
    f->of_class[f->entries++] = of;
    return PEFT_OK;
}

/* Whether a key is `name`, or with numbered also name_1, name_2 and so on. */
static bool is_key_of(const char *key, const char *name, bool numbered)
{
    const size_t n = strlen(name);
    if (strncmp(key, name, n)) return false;
    if (!key[n]) return true;
    return numbered && key[n] == '_' && key[n + 1] && !key[n + 1 + strspn(key + n + 1, "0123456789")];
}

/* Adds the files whose key is `name`, and the numbered ones. PEFT_E_FORMAT: two files with one key. */
static peft_status add_files(const search *q, const char *name, bool numbered, int64_t of)
{
    const io_mask_files *f = q->files;
    peft_status s = PEFT_OK;
    for (int64_t k = io_mask_files_seek(f, name); k < f->pictures && !s; k++) {
        const io_named *item = &f->by_key[k];
        if (strncmp(item->name, name, strlen(name))) break;
        if (!is_key_of(item->name, name, numbered)) continue;
        if (k && !strcmp(item[-1].name, item->name))
            return io_fail(PEFT_E_FORMAT, "masks: %s and %s may both be the mask of %s; expected one of them",
                           f->path.item[item[-1].i], f->path.item[item->i], q->path);
        s = add_file(q, item->i, of);
    }
    return s;
}

/* The name of the mask's file without folder and ending, for a class (or IO_ALL_CLASSES). Memory of the context. */
static char *name_of(const search *q, int64_t of)
{
    const io_mask_options *o = &q->masks->options;
    const char *name = of == IO_ALL_CLASSES ? "" : q->masks->classes.item[of];
    const bool in_folder = *name && o->per_class == IO_PER_CLASS_FOLDER;
    const size_t size = strlen(q->tail) + strlen(o->suffix) + strlen(name) + 2;
    char *text = peft_sys_alloc(q->masks->ctx, size);
    if (!text) return NULL;
    if (in_folder) snprintf(text, size, "%s/%s%s", name, q->tail, o->suffix);
    else snprintf(text, size, "%s%s%s%s", q->tail, o->suffix, *name ? "_" : "", name);
    return text;
}

/* With a file for each class the first class is the background: what no file has. PEFT_E_OPTION: there is a file of it
 * all the same, and it is not called background. */
static peft_status refuse_first_class(const search *q)
{
    const char *class = q->masks->classes.item[0];
    if (!strcmp(class, "background")) return PEFT_OK;
    char *name = name_of(q, 0);
    if (!name) return io_nomem("masks");
    const int64_t k = io_mask_files_seek(q->files, name);
    const bool found = k < q->files->pictures && !strcmp(q->files->by_key[k].name, name);
    peft_sys_free(q->masks->ctx, name);
    if (!found) return PEFT_OK;
    return io_fail(PEFT_E_OPTION, "masks: %s is of the class '%s', the first one of classes, which is the background, "
                   "the pixels that no file has; give a background first, classes=background:%s:..",
                   q->files->path.item[q->files->by_key[k].i], class, class);
}

/* Looks for the files of the mask under the name q->tail. */
static peft_status find_tail(const search *q)
{
    const io_mask_options *o = &q->masks->options;
    const int64_t none = IO_ALL_CLASSES, classes = q->masks->classes.count;
    const int64_t begin = !o->per_class ? none : o->multilabel ? 0 : 1, end = o->per_class ? classes : none + 1;
    peft_status s = o->per_class && !o->multilabel ? refuse_first_class(q) : PEFT_OK;
    for (int64_t c = begin; c < end && !s; c++) {
        char *name = name_of(q, c);
        s = name ? add_files(q, name, *o->suffix || o->per_class == IO_PER_CLASS_SUFFIX, c) : io_nomem("masks");
        peft_sys_free(q->masks->ctx, name);
    }
    return s;
}

/* Looks for the mask under the whole path of the image, then under the path without its first folder and so on. whole:
 * under the whole path only. */
static peft_status find_sample(search *q, bool whole)
{
    const int64_t before = q->found->entries;
    peft_status s = PEFT_OK;
    q->tail = q->stem;
    while (!whole && *q->tail == '/') q->tail++;
    for (;;) {
        s = find_tail(q);
        const char *slash = strchr(q->tail, '/');
        if (s || q->found->entries > before || whole || !slash) return s;
        q->tail = slash + 1;
    }
}

/* Finds the mask files of each sample: those of sample i are out->first[i] .. out->first[i + 1] - 1 of out->file.
 * files: what masks may be, pictures in the folder of masks or, where masks lie beside images, in the folders of the
 * images. whole: a mask is looked for under the whole path of its image only. */
static peft_status find_all(const peft_dataset *d, const io_mask_files *files, bool whole, io_masks *m,
                            io_mask_found *out)
{
    search q = { .masks = m, .files = files, .found = out };
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < d->count && !s; i++) {
        q.path = io_masks_image_path(d, i);
        q.stem = q.path ? io_copy(d->ctx, q.path) : NULL;
        if (!q.stem) s = io_nomem("masks");
        else q.stem[strlen(q.stem) - io_image_ending(q.stem)] = 0;
        out->first[i] = out->entries;
        if (!s) s = find_sample(&q, whole);
        peft_sys_free(d->ctx, q.stem);
        peft_sys_free(d->ctx, q.path);
    }
    out->first[d->count] = out->entries;
    return s;
}

/* Whether two samples are slices of one file. */
static bool same_file(const peft_dataset *d, int64_t i, int64_t k)
{
    const char *a = peft_dataset_name(d, i), *b = peft_dataset_name(d, k), *mark = strrchr(a, '#');
    if (io_slice_of(d, i, NULL) < 0 || !mark) return false;
    return !strncmp(a, b, (size_t)(mark - a) + 1);
}

/* Refuses a file that is the mask of several images. */
static peft_status check_claims(const peft_dataset *d, const io_masks *m, const io_mask_found *f)
{
    int64_t *owner = io_alloc(d->ctx, m->files.count, sizeof *owner);         /* the sample, from 1 on */
    peft_status s = owner ? PEFT_OK : io_nomem("masks");
    for (int64_t i = 0; i < d->count && !s; i++)
        for (int64_t k = f->first[i]; k < f->first[i + 1] && !s; k++) {
            int64_t *o = &owner[f->file[k]];
            if (*o && *o - 1 != i && !same_file(d, *o - 1, i))
                s = io_fail(PEFT_E_FORMAT, "masks: %s would be the mask of %s and of %s; put masks into folders with "
                            "the names of the images' folders", m->files.item[f->file[k]], peft_dataset_name(d, *o - 1),
                            peft_dataset_name(d, i));
            *o = i + 1;
        }
    peft_sys_free(d->ctx, owner);
    return s;
}

/* The file at path is the mask of all samples. */
static peft_status find_one(const peft_dataset *d, const char *path, io_masks *m, io_mask_found *out)
{
    search q = { .masks = m, .found = out };
    if (m->options.per_class)
        return io_fail(PEFT_E_OPTION, "masks: %s is a file; with per_class the masks of an image are several files, "
                       "expected their folder", path);
    for (int64_t i = 1; i < d->count && !io_mask_reader_of(d->ctx, path)->by_image; i++)
        if (!same_file(d, i - 1, i))
            return io_fail(PEFT_E_INVALID, "masks: %s is one file, and the samples are several, such as %s and %s; "
                           "expected the folder of their masks", path, peft_dataset_name(d, i - 1),
                           peft_dataset_name(d, i));
    peft_status s = io_strings_add(&m->files, io_copy(d->ctx, path));
    for (int64_t i = 0; i < d->count && !s; i++) {
        out->first[i] = out->entries;
        s = add_file(&q, 0, IO_ALL_CLASSES);
    }
    out->first[d->count] = out->entries;
    return s;
}

/* Takes the paths of a table's column of masks; samples whose cell is empty have none. Slices of one file, whose paths
 * are equal, share a file. */
static peft_status take_named(const peft_dataset *d, io_masks *m, io_mask_found *out)
{
    const io_strings *name = &(d->opened ? d->opened : d)->mask_names;
    search q = { .masks = m, .found = out };
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < d->count && !s; i++) {
        struct stat st;
        const char *path = name->item[io_masks_sample(d, i)];
        const int64_t last = m->files.count - 1;
        out->first[i] = out->entries;
        if (!*path) continue;
        if (stat(path, &st) || !S_ISREG(st.st_mode))
            return io_fail(PEFT_E_IO, "masks: %s, which the table names as the mask of %s, is no file; correct the "
                           "table, or leave the cell empty for an image without mask", path, peft_dataset_name(d, i));
        const bool same = last >= 0 && !strcmp(m->files.item[last], path);
        if (!same) s = io_strings_add(&m->files, io_copy(d->ctx, path));
        if (!s) s = add_file(&q, m->files.count - 1, IO_ALL_CLASSES);
    }
    out->first[d->count] = out->entries;
    return s;
}

peft_status io_masks_find(const peft_dataset *d, const char *path, io_masks *m, io_mask_found *out)
{
    struct stat st;
    io_mask_files files = { .ctx = d->ctx };
    const io_mask_options *o = &m->options;
    out->first = io_alloc(d->ctx, d->count + 1, sizeof *out->first);
    if (!out->first) return io_nomem("masks");
    if (path && !stat(path, &st) && S_ISREG(st.st_mode)) return find_one(d, path, m, out);
    if (!path && (d->opened ? d->opened : d)->mask_names.count) {
        if (o->per_class || *o->suffix)
            return io_fail(PEFT_E_OPTION, "masks: the table names the files of masks; leave suffix and per_class out, "
                           "or give the folder of the masks");
        peft_status named = take_named(d, m, out);
        return named ? named : check_claims(d, m, out);
    }
    if (!path && o->per_class == IO_PER_CLASS_FOLDER)
        return io_fail(PEFT_E_OPTION, "masks: per_class=folder needs the folder of the classes' folders");
    if (!path && !*o->suffix && !o->per_class)
        return io_fail(PEFT_E_OPTION, "masks: beside the images they need a name of their own; give suffix, such as "
                       "suffix=_mask, or their folder");
    peft_status s = path ? io_mask_files_below(d->ctx, path, &files) : io_mask_files_beside(d, &files);
    if (!s) s = find_all(d, &files, !path, m, out);
    if (!s) s = io_mask_files_keep(&files, &m->files);
    if (!s) s = check_claims(d, m, out);
    io_mask_files_clear(&files);
    return s;
}
