/* SPDX-License-Identifier: Apache-2.0
 * box.c -- io_tiff_read_box: decodes the tiles or strips that a box of a page meets, one after the other, and copies
 * their rows to an image. */
#include "io/format/pixels/cmyk.h"
#include "io/format/tiff/tiff.h"

/* Buffers of a call: a decoded tile or strip, and the samples of one row of it. */
typedef struct job {
    io_tiff *t;
    const io_tiff_layout *l;
    const io_box *box;
    peft_image *im;
    uint8_t *chunk;
    void *line;                                               /* [chunk_width, stored] of the image's type */
} job;

/* Unpacks n samples of fewer than 8 bits, from the sample number `first` of the row on. */
static void unpack_bits(const uint8_t *row, int bits, int64_t first, int64_t n, uint8_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t bit = (first + i) * bits;
        to[i] = (uint8_t)(row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1));
    }
}

/* Converts n pixels of the row, from the pixel number `first` on, to samples in j->line. */
static peft_status read_line(const job *j, const uint8_t *row, int64_t first, int64_t n)
{
    const io_tiff_layout *l = j->l;
    if (l->bits >= 8)
        return io_samples_convert("TIFF", l->number, row + first * l->stored * l->number.bytes, n * l->stored, j->line);
    unpack_bits(row, l->bits, first * l->stored, n * l->stored, j->line);
    return PEFT_OK;
}

/* Copies sample `from` of the n pixels of the line to sample `to` of the pixels at out, which have `step` samples. */
static void copy_samples(const job *j, int from, int64_t n, void *out, int to, int step)
{
    const size_t bytes = io_types[j->im->type].bytes;
    const uint8_t *p = (const uint8_t *)j->line + (size_t)from * bytes;
    uint8_t *q = (uint8_t *)out + (size_t)to * bytes;
    for (int64_t i = 0; i < n; i++, p += (size_t)j->l->stored * bytes, q += (size_t)step * bytes) memcpy(q, p, bytes);
}

/* Scales samples of fewer than 8 bits to 8, and turns those whose 0 is white. */
static void finish_grey(const job *j, int64_t count, void *samples)
{
    const int largest = j->l->bits < 8 ? (1 << j->l->bits) - 1 : 255;
    uint8_t *bytes = samples;
    uint16_t *words = samples;
    for (int64_t i = 0; i < count && j->l->bits < 8; i++) bytes[i] = (uint8_t)(bytes[i] * (255 / largest));
    for (int64_t i = 0; i < count && j->l->colours == IO_TIFF_WHITE_0; i++)
        if (j->im->type == IO_U8) bytes[i] = (uint8_t)(255 - bytes[i]);
        else words[i] = (uint16_t)(65535 - words[i]);
}

/* Divides colours by alpha, as Pillow does. */
static void divide_by_alpha(uint8_t *rgb, int channels, const uint8_t *alpha, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < channels && alpha[i] && alpha[i] < 255; c++) {
            const int v = 255 * rgb[i * channels + c] / alpha[i];
            rgb[i * channels + c] = (uint8_t)(v > 255 ? 255 : v);
        }
}

/* Writes the line to n pixels of the image: all samples, or those of one plane. */
static void write_line(const job *j, int plane, int64_t x, int64_t y, int64_t n)
{
    const io_tiff_layout *l = j->l;
    peft_image *im = j->im;
    const size_t sample = io_types[im->type].bytes;
    uint8_t *to = (uint8_t *)im->pixels + (size_t)y * io_image_row_bytes(im) + (size_t)x * io_image_pixel_bytes(im);
    uint8_t *alpha = im->alpha ? (uint8_t *)im->alpha + (size_t)(y * im->width + x) * sample : NULL;
    const uint8_t *bytes = j->line;
    if (l->colours == IO_TIFF_CMYK && l->stored == 4) {
        io_cmyk_to_rgb(bytes, (size_t)n, IO_INK_FULL, to);
    } else if (l->colours == IO_TIFF_CMYK) {
        for (int64_t i = 0; i < n; i++) io_cmyk_to_rgb(bytes + i * l->stored, 1, IO_INK_FULL, to + 3 * i);
    } else if (l->colours == IO_TIFF_PALETTE) {
        for (int64_t i = 0; i < 3 * n; i++) to[i] = (uint8_t)(l->map[i % 3][bytes[i / 3]] >> 8);
    } else if (l->planes > 1) {
        if (plane < l->channels) copy_samples(j, 0, n, to, plane, l->channels);
    } else {
        for (int c = 0; c < l->channels; c++) copy_samples(j, c, n, to, c, l->channels);
    }
    if (alpha && l->planes > 1 && plane == l->alpha) copy_samples(j, 0, n, alpha, 0, 1);
    if (alpha && l->planes == 1) copy_samples(j, l->alpha, n, alpha, 0, 1);
    if (alpha && l->multiplied) divide_by_alpha(to, l->channels, alpha, n);
}

/* Decodes the tile or strip of the plane that holds the pixel (x, y). */
static peft_status decode_chunk(job *j, int plane, int64_t x, int64_t y, int64_t rows)
{
    TIFF *tif = j->t->tif;
    const io_tiff_layout *l = j->l;
    const tmsize_t needed = (tmsize_t)(rows * l->row_bytes), size = (tmsize_t)l->chunk_bytes;
    *j->t->message = 0;
    j->t->strict = true;
    const uint32_t column = (uint32_t)x, row = (uint32_t)y;
    const tmsize_t got = l->tiled
        ? TIFFReadEncodedTile(tif, TIFFComputeTile(tif, column, row, 0, (uint16_t)plane), j->chunk, size)
        : TIFFReadEncodedStrip(tif, TIFFComputeStrip(tif, row, (uint16_t)plane), j->chunk, size);
    j->t->strict = false;
    if (got < needed || *j->t->message) return io_tiff_failed(j->t, "a tile or strip ends early");
    return PEFT_OK;
}

/* Decodes one tile or strip, whose first pixel is (x, y), and copies what of it lies in the box. */
static peft_status read_chunk(job *j, int plane, int64_t x, int64_t y)
{
    const io_tiff_layout *l = j->l;
    const io_box *b = j->box;
    const int64_t right = x + l->chunk_width < b->x + b->width ? x + l->chunk_width : b->x + b->width;
    const int64_t bottom = y + l->chunk_height < b->y + b->height ? y + l->chunk_height : b->y + b->height;
    const int64_t left = x > b->x ? x : b->x, top = y > b->y ? y : b->y;
    peft_status s = decode_chunk(j, plane, x, y, bottom - y);
    for (int64_t row = top; row < bottom && !s; row++) {
        s = read_line(j, j->chunk + (row - y) * l->row_bytes, left - x, right - left);
        if (!s) write_line(j, plane, left - b->x, row - b->y, right - left);
    }
    return s;
}

/* Reads all chunks that meet the box. */
static peft_status read_chunks(job *j)
{
    const io_tiff_layout *l = j->l;
    const io_box *b = j->box;
    const int needed = l->alpha >= 0 ? l->alpha + 1 : l->channels;            /* planes that are read */
    peft_status s = PEFT_OK;
    for (int plane = 0; plane < (l->planes > 1 ? needed : 1) && !s; plane++)
        for (int64_t y = b->y / l->chunk_height * l->chunk_height; y < b->y + b->height && !s; y += l->chunk_height)
            for (int64_t x = b->x / l->chunk_width * l->chunk_width; x < b->x + b->width && !s; x += l->chunk_width)
                s = read_chunk(j, plane, x, y);
    return s;
}

peft_status io_tiff_read_box(io_tiff *t, const io_tiff_layout *l, const io_box *box, peft_image *im)
{
    const size_t sample = io_types[im->type].bytes;
    job j = { .t = t, .l = l, .box = box, .im = im, .chunk = peft_sys_alloc(t->ctx, (size_t)l->chunk_bytes),
              .line = io_alloc(t->ctx, l->chunk_width * l->stored, sample) };
    if (l->alpha >= 0) im->alpha = io_alloc(t->ctx, im->width * im->height, sample);
    peft_status s = j.chunk && j.line && (l->alpha < 0 || im->alpha) ? read_chunks(&j) : io_nomem("TIFF");
    if (!s) {
        if (l->colours != IO_TIFF_PALETTE) finish_grey(&j, im->width * im->height * im->channels, im->pixels);
        io_image_drop_opaque(im);
    }
    peft_sys_free(t->ctx, j.chunk);
    peft_sys_free(t->ctx, j.line);
    return s;
}
