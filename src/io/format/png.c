/* SPDX-License-Identifier: Apache-2.0
 * png.c -- the picture format PNG, read by libspng; png/save.c writes it. Sizes are checked before pixels are
 * allocated. The checksums of all chunks up to the last one with pixels (IDAT) are verified. What follows that chunk is
 * not read: damage there changes no pixel. */
#include "io/format/formats.h"
#include "io/format/pixels/exif.h"
#include "io/format/png/spng.h"
#include <zlib.h>

enum { DECODER = 0 };                                         /* flags of a spng_ctx that reads */
static const char damaged[] = "the file is damaged, fetch it again: ";

/* How libspng decodes the pixels, and what it writes. */
typedef struct layout {
    int format, flags;                                        /* arguments of spng_decode_image */
    int stored, channels;                                     /* samples of a pixel: with alpha (if any), and without */
    int depth;                                                /* bits of a sample: 8 or 16 */
    int small;                                                /* bits of a sample that stays as it is stored; 0: the
                                                                 decoded buffer has it */
    bool keyed;                                               /* no alpha, but a colour (tRNS) that is transparent */
    uint16_t key[3];                                          /* the samples of that colour */
} layout;

/* With samples=stored: the indices of a palette, or greys of up to 8 bits, without alpha. */
static bool is_stored(const struct spng_ihdr *h, const io_load_options *o)
{
    return o->samples == IO_SAMPLES_STORED && h->bit_depth <= 8 &&
           (h->color_type == SPNG_COLOR_TYPE_INDEXED || h->color_type == SPNG_COLOR_TYPE_GRAYSCALE);
}

/* Palettes are decoded to RGB, greys below 8 bits to 8 bits, all else as in the file. t: the tRNS chunk, or NULL. */
static layout layout_of(const struct spng_ihdr *h, const struct spng_trns *t, const io_load_options *o)
{
    if (is_stored(h, o)) {
        const bool small = h->bit_depth < 8, indexed = h->color_type == SPNG_COLOR_TYPE_INDEXED;
        return (layout){ .format = !small ? SPNG_FMT_PNG : indexed ? SPNG_FMT_RGB8 : SPNG_FMT_G8,
                         .stored = small && indexed ? 3 : 1, .channels = 1, .depth = 8,
                         .small = small ? h->bit_depth : 0 };
    }
    const int depth = h->bit_depth == 16 ? 16 : 8;
    const int scale = h->bit_depth < 8 ? 255 / ((1 << h->bit_depth) - 1) : 1;     /* 85 for greys 0..3 of 2 bits */
    switch (h->color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE:
        return (layout){ .format = depth == 16 ? SPNG_FMT_PNG : SPNG_FMT_G8, .stored = 1, .channels = 1,
                         .depth = depth, .keyed = t, .key = { (uint16_t)(t ? t->gray * scale : 0) } };
    case SPNG_COLOR_TYPE_INDEXED:
        if (!t) return (layout){ .format = SPNG_FMT_RGB8, .stored = 3, .channels = 3, .depth = 8 };
        return (layout){ .format = SPNG_FMT_RGBA8, .flags = SPNG_DECODE_TRNS, .stored = 4, .channels = 3, .depth = 8 };
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
        return (layout){ .format = SPNG_FMT_PNG, .stored = 2, .channels = 1, .depth = depth };
    case SPNG_COLOR_TYPE_TRUECOLOR:
        if (!t) return (layout){ .format = SPNG_FMT_PNG, .stored = 3, .channels = 3, .depth = depth };
        return (layout){ .format = SPNG_FMT_PNG, .stored = 3, .channels = 3, .depth = depth, .keyed = true,
                         .key = { t->red, t->green, t->blue } };
    default: return (layout){ .format = SPNG_FMT_PNG, .stored = 4, .channels = 3, .depth = depth };
    }
}

/* Sample i of the decoded buffer. */
static unsigned stored_at(const void *buffer, int depth, size_t i)
{
    return depth == 8 ? ((const uint8_t *)buffer)[i] : ((const uint16_t *)buffer)[i];
}

/* The alpha of pixel i of the decoded buffer. */
static unsigned alpha_at(const layout *l, const void *buffer, size_t i)
{
    const unsigned full = l->depth == 8 ? 255 : 65535;        /* opaque; also the bits of key that count */
    if (l->stored > l->channels) return stored_at(buffer, l->depth, i * (size_t)l->stored + (size_t)l->channels);
    for (int c = 0; c < l->channels; c++)
        if (stored_at(buffer, l->depth, i * (size_t)l->channels + (size_t)c) != (l->key[c] & full)) return full;
    return 0;
}

/* Splits the decoded buffer [pixels, stored] into samples and alpha of im. An image without a transparent pixel gets no
 * alpha. With stored == channels, from is im->pixels and only alpha is made. */
static peft_status split_alpha(const layout *l, const uint8_t *from, peft_image *im)
{
    const size_t sample_bytes = (size_t)l->depth / 8, pixels = (size_t)(im->width * im->height);
    const size_t with_alpha = sample_bytes * (size_t)l->stored;               /* bytes of a pixel */
    const size_t without = sample_bytes * (size_t)l->channels;
    bool opaque = true;
    for (size_t i = 0; i < pixels && opaque; i++) opaque = alpha_at(l, from, i) == (l->depth == 8 ? 255 : 65535);
    if (!opaque && !(im->alpha = io_alloc(im->ctx, (int64_t)pixels, sample_bytes))) return io_nomem("PNG");
    for (size_t i = 0; i < pixels && !opaque; i++)
        if (l->depth == 8) ((uint8_t *)im->alpha)[i] = (uint8_t)alpha_at(l, from, i);
        else ((uint16_t *)im->alpha)[i] = (uint16_t)alpha_at(l, from, i);
    if (with_alpha != without)
        for (size_t i = 0; i < pixels; i++) memcpy((uint8_t *)im->pixels + i * without, from + i * with_alpha, without);
    return PEFT_OK;
}

/* Decodes samples of less than 8 bits as they are stored: greys, which libspng scales to 8 bits, and indices, as the
 * red of a palette whose red is the index. libspng 0.7.3 does not give packed samples of interlaced files right. */
static peft_status decode_small(spng_ctx *png, const layout *l, peft_image *im)
{
    const int64_t pixels = im->width * im->height;
    const int scale = l->stored == 1 ? 255 / ((1 << l->small) - 1) : 1;
    struct spng_plte indices = { .n_entries = 1u << l->small };
    for (int i = 0; i < 1 << l->small; i++) indices.entries[i].red = (uint8_t)i;
    uint8_t *buffer = io_alloc(im->ctx, pixels, (size_t)l->stored);
    if (!buffer) return io_nomem("PNG");
    int e = l->stored == 1 ? 0 : spng_set_plte(png, &indices);
    if (!e) e = spng_decode_image(png, buffer, (size_t)(pixels * l->stored), l->format, 0);
    if (!e) e = spng_decode_chunks(png);                                      /* verifies the last checksum */
    for (int64_t i = 0; i < pixels && !e; i++)
        ((uint8_t *)im->pixels)[i] = (uint8_t)(buffer[i * l->stored] / scale);
    peft_sys_free(im->ctx, buffer);
    return e ? io_spng_failed(e, damaged) : PEFT_OK;
}

/* Decodes into im, through a buffer where alpha has to be separated from the samples. */
static peft_status decode_pixels(spng_ctx *png, const layout *l, peft_image *im)
{
    if (l->small) return decode_small(png, l, im);
    size_t pixels = (size_t)(im->width * im->height), needed, bytes = pixels * (size_t)(l->depth / 8 * l->stored);
    uint8_t *buffer = (uint8_t *)im->pixels;
    int e = spng_decoded_image_size(png, l->format, &needed);
    if (e) return io_spng_failed(e, damaged);
    if (needed != bytes) return io_fail(PEFT_E_INTERNAL, "PNG: %zu bytes to decode, expected %zu", needed, bytes);
    if (l->stored != l->channels && !(buffer = peft_sys_alloc(im->ctx, needed))) return io_nomem("PNG");
    e = spng_decode_image(png, buffer, needed, l->format, l->flags);
    if (!e) e = spng_decode_chunks(png);                                      /* verifies the last checksum */
    peft_status s = e ? io_spng_failed(e, damaged) : PEFT_OK;
    if (!s && (l->keyed || l->stored != l->channels)) s = split_alpha(l, buffer, im);
    if (buffer != (uint8_t *)im->pixels) peft_sys_free(im->ctx, buffer);
    return s;
}

/* The chunk at data + *offset, and *offset behind it. false: none, or it is cut off. */
typedef struct chunk { const uint8_t *type, *data; size_t length; } chunk;
static bool next_chunk(const uint8_t *data, size_t size, size_t *offset, chunk *out)
{
    if (size - *offset < 12) return false;                    /* a chunk's length, type and checksum */
    const uint8_t *p = data + *offset;
    const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (length > size - *offset - 12) return false;
    *out = (chunk){ p + 4, p + 8, length };
    *offset += length + 12;
    return true;
}
enum { SIGNATURE = 8 };                                       /* bytes before the first chunk */

/* The offset at which the last chunk with pixels (IDAT) ends; 0: the file has none. Stops at a chunk that is cut
 * off. */
static size_t end_of_pixels(const uint8_t *data, size_t size)
{
    size_t end = 0, offset = SIGNATURE;
    chunk c;
    while (next_chunk(data, size, &offset, &c))
        if (!memcmp(c.type, "IDAT", 4)) end = offset;
        else if (!memcmp(c.type, "IEND", 4)) break;
    return end;
}

/* The orientation in the chunk of EXIF data (eXIf), which may lie behind the pixels. A damaged chunk states none. */
static int orientation_of(const uint8_t *data, size_t size)
{
    size_t offset = SIGNATURE;
    chunk c;
    while (next_chunk(data, size, &offset, &c) && memcmp(c.type, "IEND", 4)) {
        if (memcmp(c.type, "eXIf", 4)) continue;
        const uint8_t *sum = c.data + c.length;
        const uint32_t stated = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
        const bool whole = c.length < 1 << 30 && crc32(0, c.type, (uInt)c.length + 4) == stated;
        return whole ? io_exif_orientation(c.data, c.length) : 1;
    }
    return 1;
}

/* What libspng reads: the file up to its last chunk with pixels (size bytes of data), then an end chunk (IEND) that is
 * added here. offset: where libspng reads next. */
typedef struct stream { const uint8_t *data; size_t size, offset; } stream;

/* libspng's callback: copies the next n bytes of the stream. */
static int read_stream(spng_ctx *png, void *user, void *to, size_t n)
{
    static const uint8_t end[12] = "\0\0\0\0IEND\xae\x42\x60\x82";
    (void)png;
    stream *s = user;
    if (n > s->size + sizeof end - s->offset) return SPNG_IO_EOF;
    for (uint8_t *p = to; n;) {
        bool in_data = s->offset < s->size;
        const size_t part = in_data && n > s->size - s->offset ? s->size - s->offset : n;
        memcpy(p, in_data ? s->data + s->offset : end + (s->offset - s->size), part);
        s->offset += part, p += part, n -= part;
    }
    return 0;
}

/* Reads the headers, checks the size, and decodes. */
static peft_status decode_stream(spng_ctx *png, stream *source, const io_encoded *f, peft_image **out)
{
    struct spng_ihdr h;
    struct spng_trns t;
    peft_image *im;
    const size_t max_chunk = 64 << 20;
    int e = spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    if (!e) e = spng_set_image_limits(png, INT32_MAX, INT32_MAX); /* io_check_limits has a better message */
    if (!e) e = spng_set_chunk_limits(png, max_chunk, max_chunk);
    if (!e) e = spng_set_png_stream(png, read_stream, source);
    if (!e) e = spng_get_ihdr(png, &h);
    if (e) return io_spng_failed(e, damaged);
    e = spng_get_trns(png, &t);
    if (e && e != SPNG_ECHUNKAVAIL) return io_spng_failed(e, damaged);
    layout l = layout_of(&h, e ? NULL : &t, f->options);
    const int copied = l.stored != l.channels ? l.channels + 1 : 0;           /* samples and alpha beside the buffer */
    peft_status s = io_check_limits(f->options, h.width, h.height, l.stored + copied, l.depth);
    if (s) return s;
    /* Deflate packs by a factor of at most 1032, here with a margin 1040: a file too small for its pixels is refused
     * before they are allocated. */
    const int stored = h.color_type == SPNG_COLOR_TYPE_INDEXED ? 1 : l.stored;
    if ((double)h.width * h.height * stored * h.bit_depth / 8 > 1040.0 * (double)source->size)
        return io_fail(PEFT_E_FORMAT, "PNG: %zu bytes cannot hold %ux%u pixels (height x width)", source->size,
                       h.height, h.width);
    s = io_image_new(f->ctx, h.width, h.height, l.channels, l.depth == 8 ? IO_U8 : IO_U16, &im);
    if (s) return s;
    s = decode_pixels(png, &l, im);
    if (s) {
        peft_image_free(im);
        return s;
    }
    *out = im;
    return PEFT_OK;
}

static bool probe(const uint8_t *data, size_t size) { return size >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8); }

static peft_status decode(const io_encoded *f, int64_t slice, peft_image **out)
{
    const uint8_t *data = f->data;
    const size_t size = f->size;
    (void)slice;
    stream source = { data, end_of_pixels(data, size), 0 };
    if (size >= 16 && !memcmp(data + 12, "CgBI", 4))
        return io_fail(PEFT_E_UNSUPPORTED, "PNG: Apple's variant of PNG (CgBI) is not read; convert it with: "
                       "pngcrush -revert-iphone-optimizations");
    if (!source.size) return io_fail(PEFT_E_FORMAT, "PNG: the file ends early, before any pixels; fetch it again");
    spng_ctx *png = io_spng_begin(f->ctx, DECODER);
    if (!png) return io_nomem("PNG");
    peft_status s = decode_stream(png, &source, f, out);
    io_spng_end(png);
    return s ? s : io_exif_apply(f, orientation_of(data, size), out);
}

const io_format io_format_png = { .name = "PNG", .endings = "png", .probe = probe, .read = decode };
