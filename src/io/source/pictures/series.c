/* SPDX-License-Identifier: Apache-2.0
 * series.c -- DICOM files of a folder in the order of their slices, and the series they are cases of (found.h). */
#include "io/format/formats.h"
#include "io/source/pictures/found.h"
#include "io/words.h"

/* The DICOM files of one folder: their places in the list, ascending, and what their headers say. */
typedef struct folder_files {
    found_list *l;
    const char *folder;                                       /* without a slash at its end */
    int64_t count, *place, *order, *series;                   /* [count] */
    peft_dicom_header **header;                               /* [count]; NULL: it could not be read */
    bool several;                                             /* series are in this folder */
} folder_files;

/* The case of a slice; h NULL: one whose header cannot be read, in a folder of one series. */
static char *series_name(const folder_files *r, const peft_dicom_header *h)
{
    peft_context *ctx = r->l->ctx;
    if (!r->several) return io_copy(ctx, r->folder);
    char *mark = io_join(ctx, r->folder, "//");               /* no path of a folder has two slashes */
    char *name = mark ? io_join(ctx, mark, peft_dicom_header_text(h, "series")) : NULL;
    peft_sys_free(ctx, mark);
    return name;
}

static peft_status name_series(folder_files *r)
{
    const char *first = NULL;
    for (int64_t i = 0; i < r->count; i++) {
        const char *uid = r->header[i] ? peft_dicom_header_text(r->header[i], "series") : "";
        if (!*uid) continue;
        if (!first) first = uid;
        r->several |= strcmp(first, uid) != 0;
    }
    for (int64_t i = 0; i < r->count; i++) {
        const peft_dicom_header *h = r->header[i];
        const bool in_series = h ? *peft_dicom_header_text(h, "series") != 0 : first && !r->several;
        if (!in_series) continue;
        if (!(r->l->item[r->place[i]].series = series_name(r, h))) return io_nomem("series");
    }
    return PEFT_OK;
}

/* Puts the files in the order of slices into the places that they have. */
static peft_status reorder_files(folder_files *r)
{
    found *sorted = io_alloc(r->l->ctx, r->count, sizeof *sorted);
    if (!sorted) return io_nomem("series");
    peft_status s = peft_dicom_header_sort(r->l->ctx, (const peft_dicom_header *const *)r->header, r->count, r->order,
                                           r->series);
    for (int64_t i = 0; i < r->count && !s; i++) sorted[i] = r->l->item[r->place[r->order[i]]];
    for (int64_t i = 0; i < r->count && !s; i++) r->l->item[r->place[i]] = sorted[i];
    peft_sys_free(r->l->ctx, sorted);
    return s;
}

static peft_status read_series(folder_files *r, bool reorder)
{
    for (int64_t i = 0; i < r->count; i++)                    /* loading a broken file tells what is wrong with it */
        if (peft_dicom_header_read(r->l->ctx, r->l->item[r->place[i]].name, &r->header[i])) r->header[i] = NULL;
    peft_status s = name_series(r);
    if (!s && reorder) s = reorder_files(r);
    for (int64_t i = 0; i < r->count; i++) peft_dicom_header_free(r->header[i]);
    return s;
}

/* Reads the headers of the files by_folder[n] of one folder, sets their series and, if asked, sorts them. */
static peft_status sort_folder(found_list *l, const io_named *by_folder, int64_t n, bool reorder)
{
    peft_context *ctx = l->ctx;
    folder_files r = { .l = l, .folder = by_folder[0].name, .count = n, .place = io_alloc(ctx, 3 * n, sizeof(int64_t)),
               .header = io_alloc(ctx, n, sizeof *r.header) };
    peft_status s = r.place && r.header ? PEFT_OK : io_nomem("series");
    for (int64_t i = 0; i < n && !s; i++) r.place[i] = by_folder[i].i;
    if (!s) {
        r.order = r.place + n;
        r.series = r.order + n;
        s = read_series(&r, reorder);
    }
    peft_sys_free(ctx, r.place);
    peft_sys_free(ctx, r.header);
    return s;
}

peft_status io_found_series(found_list *l, bool reorder)
{
    io_strings folders = { .ctx = l->ctx };
    io_named *by_folder = io_alloc(l->ctx, l->count + 1, sizeof *by_folder);
    int64_t count = 0;                                        /* of DICOM files */
    peft_status s = by_folder ? PEFT_OK : io_nomem("series");
    for (int64_t i = 0; i < l->count && !s; i++) {
        if (!io_may_be_dicom(l->item[i].name)) continue;
        char *folder = io_folder_of(l->ctx, l->item[i].name);
        const size_t length = folder ? strlen(folder) : 0;
        if (length > 1) folder[length - 1] = 0;               /* without the slash at its end */
        if ((s = io_strings_add(&folders, folder))) break;
        by_folder[count++] = (io_named){ folder, i };
    }
    io_sort_named(by_folder, s ? 0 : count);
    for (int64_t i = 0, end; i < count && !s; i = end) {
        for (end = i; end < count && !strcmp(by_folder[end].name, by_folder[i].name);) end++;
        s = sort_folder(l, by_folder + i, end - i, reorder);
    }
    peft_sys_free(l->ctx, by_folder);
    io_strings_clear(&folders);
    return s;
}
