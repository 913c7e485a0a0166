/* SPDX-License-Identifier: Apache-2.0
 * files.c -- lists the files of a folder of masks, or of the folders of images (files.h). */
#include "io/dataset/masks/files.h"
#include "io/below.h"
#include "io/format/formats.h"
#include <errno.h>
#include <sys/stat.h>

enum { DEPTH = 32 };                                          /* of folders below the folder of masks */

/* Makes the keys of all paths, which begin behind the first `skip` bytes. Files that are no pictures have none. */
static peft_status make_keys(io_mask_files *f, size_t skip)
{
    const io_strings *p = &f->path;
    int64_t pictures = 0;
    f->key = io_alloc(f->ctx, p->count, sizeof *f->key);
    f->by_key = io_alloc(f->ctx, p->count, sizeof *f->by_key);
    if (!f->key || !f->by_key) return io_nomem("masks");
    for (int64_t i = 0; i < p->count; i++) {
        const size_t ending = io_image_ending(p->item[i]);
        if (!ending) continue;
        f->key[i] = io_copy(f->ctx, p->item[i] + skip);
        if (!f->key[i]) return io_nomem("masks");
        f->key[i][strlen(f->key[i]) - ending] = 0;
        f->by_key[pictures++] = (io_named){ f->key[i], i };
    }
    f->pictures = pictures;
    io_sort_named(f->by_key, pictures);
    return PEFT_OK;
}

peft_status io_mask_files_below(peft_context *ctx, const char *folder, io_mask_files *out)
{
    struct stat st;
    *out = (io_mask_files){ .ctx = ctx, .path.ctx = ctx };
    if (stat(folder, &st)) return io_fail(PEFT_E_IO, "masks: %s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return io_fail(PEFT_E_IO, "masks: %s: expected a folder", folder);
    peft_status s = io_files_below(ctx, folder, DEPTH, &out->path);
    if (!s) s = make_keys(out, strlen(folder) + (folder[strlen(folder) - 1] != '/'));
    if (s || out->pictures) return s;
    char endings[200];
    return io_fail(PEFT_E_FORMAT, "masks: %s: the folder and those below it have no files of masks; expected %s",
                   folder, io_image_endings(endings, sizeof endings));
}

peft_status io_mask_files_beside(const peft_dataset *d, io_mask_files *out)
{
    peft_context *ctx = d->ctx;
    io_strings folders = { .ctx = ctx };
    peft_status s = PEFT_OK;
    *out = (io_mask_files){ .ctx = ctx, .path.ctx = ctx };
    for (int64_t i = 0; i < d->count && !s; i++)
        s = io_strings_add(&folders, io_folder_of(ctx, peft_dataset_name(d, i)));
    if (!s) io_strings_sort_unique(&folders);
    for (int64_t i = 0; i < folders.count && !s; i++) s = io_files_below(ctx, folders.item[i], 0, &out->path);
    if (!s) s = make_keys(out, 0);
    io_strings_clear(&folders);
    return s;
}

peft_status io_mask_files_keep(const io_mask_files *f, io_strings *to) { return io_strings_copy(to, &f->path, NULL); }

void io_mask_files_clear(io_mask_files *f)
{
    for (int64_t i = 0; f->key && i < f->path.count; i++) peft_sys_free(f->ctx, f->key[i]);
    peft_sys_free(f->ctx, f->key);
    peft_sys_free(f->ctx, f->by_key);
    io_strings_clear(&f->path);
}

int64_t io_mask_files_seek(const io_mask_files *f, const char *text)
{
    int64_t low = 0, high = f->pictures;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(f->by_key[middle].name, text) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}
