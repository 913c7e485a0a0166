/* SPDX-License-Identifier: Apache-2.0
 * format.c -- the picture format TIFF and BigTIFF, read by libtiff: pages (slices), levels of slides, and regions, of
 * which only the tiles or strips that they meet are decoded. */
#include "io/format/formats.h"
#include "io/format/optional/signature.h"
#include "io/format/tiff/tiff.h"
#include <stdio.h>

static void close_file(io_encoded *f)
{
    io_tiff *t = f->state;
    peft_sys_free(f->ctx, t->page);
    io_tiff_close(t);
}

static peft_status open_file(io_encoded *f)
{
    io_tiff *t;
    peft_status s = io_tiff_open(f, &t);
    if (s) return s;
    s = io_tiff_find_pages(t);
    f->state = t;
    f->slices = t->slices;
    if (s) close_file(f);
    return s;
}

/* Adds to the last error, that of a picture above the limits, that a part of it can be read. */
static peft_status name_cures(peft_status s)
{
    char message[600];
    snprintf(message, sizeof message, "%s", peft_last_error());
    return io_fail(s, "%s; or read a part of it with the options region=x:y:width:height, or a smaller size of a slide "
                   "with level=N", message);
}

/* Refuses a box whose pixels, or one tile or strip, exceed the limits. */
static peft_status check_size(const io_encoded *f, const io_tiff_layout *l, const io_box *box)
{
    const int samples = l->channels + (l->alpha >= 0);
    peft_status s = io_check_limits(f->options, box->width, box->height, samples, (int)(8 * io_types[l->type].bytes));
    if (s) return name_cures(s);
    if (l->chunk_bytes > (uint64_t)f->options->max_bytes || l->chunk_width * l->stored > f->options->max_bytes)
        return io_fail(PEFT_E_UNSUPPORTED, "TIFF: a tile or strip takes %llu bytes decoded, the limit (max_bytes) is "
                       "%lld; load it with a larger max_bytes", (unsigned long long)l->chunk_bytes,
                       (long long)f->options->max_bytes);
    return PEFT_OK;
}

static peft_status read_page(const io_encoded *f, int64_t slice, peft_image **out)
{
    io_tiff *t = f->state;
    io_tiff_layout l;
    io_box seen, box;
    peft_image *im = NULL, *turned = NULL;
    peft_status s = io_tiff_go_to(t, slice, f->options->level);
    if (!s) s = io_tiff_read_layout(t, &l);
    if (s) return s;
    if (f->options->orientation == IO_ORIENTATION_STORED) l.turn = (io_turn){ false, false, false };
    s = io_region(f->options, l.turn.swap ? l.height : l.width, l.turn.swap ? l.width : l.height, &seen);
    if (s) return s;
    box = io_turn_box(seen, l.turn, l.width, l.height);
    s = check_size(f, &l, &box);
    if (!s) s = io_image_new(f->ctx, box.width, box.height, l.channels, l.type, &im);
    if (s) return s;
    s = io_tiff_read_box(t, &l, &box, im);
    if (s || !io_turns(l.turn)) {
        if (s) peft_image_free(im);
        else *out = im;
        return s;
    }
    s = io_image_turn(im, l.turn, &turned);
    peft_image_free(im);
    if (s) return s;
    turned->turned = true;
    *out = turned;
    return PEFT_OK;
}

const io_format io_format_tiff = { .name = "TIFF", .endings = IO_TIFF_ENDINGS, .takes = "level|region",
                                   .probe = io_is_tiff, .reads_parts = true, .open = open_file, .read = read_page,
                                   .close = close_file };
