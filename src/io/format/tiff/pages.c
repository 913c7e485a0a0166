/* SPDX-License-Identifier: Apache-2.0
 * pages.c -- the pages of a TIFF file. A page that is not marked as a reduced image is a slice; the reduced ones behind
 * it, and those among its sub-directories, are its levels. Slides by Aperio (.svs) mark none: there the first page is
 * the only slice, the other tiled pages are its levels, and those in strips are a thumbnail, a label and a view of the
 * glass. */
#include "io/format/tiff/tiff.h"
#include <stdio.h>

enum { MOST_PAGES = 65535, MOST_LEVELS = 64 };

/* Adds the current directory to t->page. */
static peft_status add_page(io_tiff *t)
{
    uint32_t kind = 0;
    if (t->pages == MOST_PAGES) return io_fail(PEFT_E_UNSUPPORTED, "TIFF: more than %d pages", MOST_PAGES);
    if (!(t->pages & (t->pages - 1))) {                       /* 0, 1, 2, 4, 8, ..: the table is full */
        const size_t count = t->pages ? 2 * (size_t)t->pages : 1;
        io_tiff_page *grown = peft_sys_realloc(t->ctx, t->page, count * sizeof *grown);
        if (!grown) return io_nomem("TIFF");
        t->page = grown;
    }
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_SUBFILETYPE, &kind);
    t->page[t->pages++] = (io_tiff_page){ TIFFCurrentDirOffset(t->tif), kind & FILETYPE_REDUCEDIMAGE,
                                          TIFFIsTiled(t->tif) };
    return PEFT_OK;
}

/* Whether page i is a slice; in a file of reduced images alone each is. */
static bool is_slice(const io_tiff *t, int64_t i, bool all_reduced)
{
    return t->slide ? i == 0 : all_reduced || !t->page[i].reduced;
}

static bool all_reduced(const io_tiff *t)
{
    for (int64_t i = 0; i < t->pages; i++)
        if (!t->page[i].reduced) return false;
    return true;
}

peft_status io_tiff_find_pages(io_tiff *t)
{
    const char *text = NULL;
    peft_status s = PEFT_OK;
    t->slide = TIFFGetField(t->tif, TIFFTAG_IMAGEDESCRIPTION, &text) && !strncmp(text, "Aperio", 6) &&
               TIFFIsTiled(t->tif);
    while (!(s = add_page(t)) && !TIFFLastDirectory(t->tif))
        if (!TIFFReadDirectory(t->tif)) {
            char what[80];
            snprintf(what, sizeof what, "the directory of page %lld is damaged", (long long)t->pages);
            return io_tiff_failed(t, what);
        }
    const bool all = all_reduced(t);
    for (int64_t i = 0; i < t->pages; i++) t->slices += is_slice(t, i, all);
    return s;
}

/* Makes the directory at the offset the current one. */
static peft_status open_directory(io_tiff *t, uint64_t offset)
{
    *t->message = 0;
    return TIFFSetSubDirectory(t->tif, offset) ? PEFT_OK : io_tiff_failed(t, "a directory is damaged");
}

/* The sub-directories of the current directory that hold reduced images; returns their number. */
static peft_status reduced_below(io_tiff *t, uint64_t *offset, int *count)
{
    uint16_t n = 0;
    const uint64_t *listed = NULL;
    uint64_t all[MOST_LEVELS];
    *count = 0;
    if (!TIFFGetField(t->tif, TIFFTAG_SUBIFD, &n, &listed)) return PEFT_OK;
    if (n > MOST_LEVELS) n = MOST_LEVELS;
    memcpy(all, listed, n * sizeof *all);                     /* listed is gone with the directory */
    for (int i = 0; i < n; i++) {
        uint32_t kind = 0;
        peft_status s = open_directory(t, all[i]);
        if (s) return s;
        TIFFGetFieldDefaulted(t->tif, TIFFTAG_SUBFILETYPE, &kind);
        if (kind & FILETYPE_REDUCEDIMAGE) offset[(*count)++] = all[i];
    }
    return PEFT_OK;
}

/* The pages behind page i that are its levels, added to offset[*count]. */
static void levels_behind(const io_tiff *t, int64_t i, uint64_t *offset, int *count)
{
    const bool all = all_reduced(t);
    for (int64_t k = i + 1; k < t->pages && !is_slice(t, k, all) && *count < MOST_LEVELS; k++)
        if (!t->slide || t->page[k].tiled) offset[(*count)++] = t->page[k].offset;
}

/* Refuses a level that the slice does not have. */
static peft_status no_level(int64_t level, int count)
{
    return io_fail(PEFT_E_OPTION, "TIFF: level=%lld, the picture has %d level%s; expected 0%s", (long long)level,
                   count + 1,
                   count ? "s" : "", count ? ", the whole size, to one less than their number" : "");
}

peft_status io_tiff_go_to(io_tiff *t, int64_t slice, int64_t level)
{
    const bool all = all_reduced(t);
    uint64_t offset[MOST_LEVELS];
    int count = 0;
    int64_t i = 0;
    for (int64_t before = slice; !is_slice(t, i, all) || before--;) i++;
    peft_status s = open_directory(t, t->page[i].offset);
    if (s || !level) return s;
    s = reduced_below(t, offset, &count);
    if (s) return s;
    levels_behind(t, i, offset, &count);
    return level > count ? no_level(level, count) : open_directory(t, offset[level - 1]);
}
