/* SPDX-License-Identifier: Apache-2.0
 * bmp.c -- the picture format BMP: palettes of 1, 2, 4 and 8 bits, and colours of 16, 24 and 32 bits, also by masks
 * (BITFIELDS). A palette of greys alone gives a grey picture. A mask for alpha is read; without one the fourth byte of
 * 32 bits has no meaning. Colours of fewer than 8 bits are scaled as in Pillow, v * 255 / largest, rounded down. */
#include "io/format/formats.h"

enum { FILE_HEADER = 14, OLD_HEADER = 12, HEADER = 40, HEADER_WITH_ALPHA = 56 };                /* bytes */
enum { BI_RGB, BI_RLE8, BI_RLE4, BI_BITFIELDS, BI_JPEG, BI_PNG, BI_ALPHABITFIELDS };
enum { ALPHA = 3 };                                           /* index of its mask */

typedef struct bmp {
    int64_t width, height;
    bool top_down;
    int bits;
    uint32_t compression, mask[4];                            /* of red, green, blue and alpha; 0: none */
    const uint8_t *palette, *rows;
    int64_t colours, entry, row_bytes;                        /* of the palette: number, and bytes of each */
    bool grey;                                                /* the palette has greys alone */
} bmp;

static uint32_t number(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes; i--;) v = v << 8 | p[i];
    return v;
}

static peft_status broken(const char *what) { return io_fail(PEFT_E_FORMAT, "BMP: %s", what); }

static peft_status not_read(const char *what)
{
    return io_fail(PEFT_E_UNSUPPORTED, "BMP: %s; convert the picture to PNG", what);
}

/* Names the way of storing pixels that is not read; NULL: it is read. */
static const char *refused_compression(const bmp *b)
{
    switch (b->compression) {
    case BI_RGB: return NULL;
    case BI_BITFIELDS:
    case BI_ALPHABITFIELDS: return b->bits == 16 || b->bits == 32 ? NULL : "masks are for 16 and 32 bits";
    case BI_RLE8:
    case BI_RLE4: return "run-length encoding (RLE) is not read";
    case BI_JPEG: return "a JPEG picture inside is not read";
    case BI_PNG: return "a PNG picture inside is not read";
    default: return "this compression is not known";
    }
}

/* Reads the masks of colours: those of the file, or the usual ones. d: the header of n bytes; masks may follow it. */
static void read_masks(bmp *b, const uint8_t *d, size_t n, size_t left)
{
    static const uint32_t usual[2][3] = { { 0x7c00, 0x3e0, 0x1f }, { 0xff0000, 0xff00, 0xff } };
    memcpy(b->mask, usual[b->bits != 16], sizeof usual[0]);
    if (b->compression != BI_BITFIELDS && b->compression != BI_ALPHABITFIELDS) return;
    const bool with_alpha = n >= HEADER_WITH_ALPHA || b->compression == BI_ALPHABITFIELDS;
    for (int c = 0; c < (with_alpha ? 4 : 3); c++)
        b->mask[c] = left >= (size_t)(HEADER + 4 * c + 4) ? number(d + HEADER + 4 * c, 4) : 0;
}

/* Finds the palette behind the headers, at d + offset. A stated number of colours is as in the file, unless the rows
 * begin before their end. */
static peft_status find_palette(bmp *b, const uint8_t *d, size_t offset, size_t end, uint32_t stated)
{
    if (b->bits > 8) return PEFT_OK;
    b->colours = stated && stated < 1u << b->bits ? (int64_t)stated : 1 << b->bits;
    if (offset > end) return broken("the palette begins behind the pixels");
    if (b->colours * b->entry > (int64_t)(end - offset)) b->colours = (int64_t)(end - offset) / b->entry;
    if (!b->colours) return broken("the palette is missing");
    b->palette = d + offset;
    b->grey = true;
    for (int64_t i = 0; i < b->colours; i++) {
        const uint8_t *p = b->palette + i * b->entry;
        b->grey &= p[0] == p[1] && p[1] == p[2];
    }
    return PEFT_OK;
}

static peft_status read_headers(const uint8_t *d, size_t size, bmp *b)
{
    if (size < FILE_HEADER + OLD_HEADER) return broken("the file ends within its header");
    const size_t n = number(d + FILE_HEADER, 4), rows = number(d + 10, 4);
    const bool old = n == OLD_HEADER;
    if (!old && (n < HEADER || n > 1 << 16)) return broken("the size of the header is none of a BMP");
    if (n > size - FILE_HEADER) return broken("the file ends within its header");
    const uint8_t *h = d + FILE_HEADER;
    const int64_t height = old ? (int64_t)number(h + 6, 2) : (int32_t)number(h + 8, 4);
    *b = (bmp){ .width = old ? (int64_t)number(h + 4, 2) : (int32_t)number(h + 4, 4), .top_down = height < 0,
                .height = height < 0 ? -height : height, .bits = (int)number(h + (old ? 10 : 14), 2),
                .compression = old ? BI_RGB : number(h + 16, 4), .entry = old ? 3 : 4 };
    if (b->width < 1 || b->height < 1) return broken("a side of 0 or less");
    if (b->bits < 1 || b->bits > 32 || !strchr("\1\2\4\10\20\30\40", b->bits))
        return broken("expected 1, 2, 4, 8, 16, 24 or 32 bits");
    const char *refused = refused_compression(b);
    if (refused) return not_read(refused);
    if (rows > size) return broken("the pixels begin behind the end of the file");
    const bool masks_follow = n == HEADER && b->compression != BI_RGB;
    read_masks(b, h, n, masks_follow ? size - FILE_HEADER : n);
    b->rows = d + rows;
    b->row_bytes = (b->width * b->bits + 31) / 32 * 4;
    return find_palette(b, d, FILE_HEADER + n, rows, old ? 0 : number(h + 32, 4));
}

/* The part of a pixel under the mask, scaled to 8 bits. */
static uint8_t under_mask(uint32_t pixel, uint32_t mask)
{
    if (!mask) return 0;
    const int shift = __builtin_ctz(mask);
    return (uint8_t)((uint64_t)((pixel & mask) >> shift) * 255 / (mask >> shift));
}

/* Writes one row of a palette. false: a pixel has a colour beyond the palette. */
static bool palette_row(const bmp *b, const uint8_t *row, uint8_t *to)
{
    const int channels = b->grey ? 1 : 3, per_byte = 8 / b->bits;
    for (int64_t x = 0; x < b->width; x++, to += channels) {
        const int shift = b->bits * (int)(per_byte - 1 - x % per_byte);
        const int64_t colour = row[x / per_byte] >> shift & ((1 << b->bits) - 1);
        if (colour >= b->colours) return false;
        for (int c = 0; c < channels; c++) to[c] = b->palette[colour * b->entry + (channels - 1 - c)];
    }
    return true;
}

/* Writes one row of colours, and its alpha where the file has a mask for it. */
static void colour_row(const bmp *b, const uint8_t *row, uint8_t *to, uint8_t *alpha)
{
    const int bytes = b->bits / 8;
    for (int64_t x = 0; x < b->width; x++, row += bytes, to += 3) {
        const uint32_t pixel = number(row, bytes);
        for (int c = 0; c < 3; c++) to[c] = under_mask(pixel, b->mask[c]);
        if (alpha) alpha[x] = under_mask(pixel, b->mask[ALPHA]);
    }
}

static bool read_rows(const bmp *b, peft_image *im)
{
    for (int64_t y = 0; y < b->height; y++) {
        const uint8_t *row = b->rows + (b->top_down ? y : b->height - 1 - y) * b->row_bytes;
        uint8_t *to = (uint8_t *)im->pixels + (size_t)y * io_image_row_bytes(im);
        if (b->bits > 8) colour_row(b, row, to, im->alpha ? (uint8_t *)im->alpha + y * b->width : NULL);
        else if (!palette_row(b, row, to)) return false;
    }
    return true;
}

static peft_status decode(const io_encoded *f, int64_t slice, peft_image **out)
{
    bmp b;
    peft_image *im;
    (void)slice;
    peft_status s = read_headers(f->data, f->size, &b);
    if (s) return s;
    const int channels = b.grey ? 1 : 3;
    s = io_check_limits(f->options, b.width, b.height, channels + (b.mask[ALPHA] != 0), 8);
    if (s) return s;
    /* Some programs leave out the padding of the last row. */
    const int64_t needed = (b.height - 1) * b.row_bytes + (b.width * b.bits + 7) / 8;
    if (needed > f->data + f->size - b.rows)
        return io_fail(PEFT_E_FORMAT, "BMP: %lld bytes of pixels, expected %lld; fetch the file again",
                       (long long)(f->data + f->size - b.rows), (long long)needed);
    s = io_image_new(f->ctx, b.width, b.height, channels, IO_U8, &im);
    if (s) return s;
    if (b.mask[ALPHA] && !(im->alpha = io_alloc(f->ctx, b.width * b.height, 1))) s = io_nomem("BMP");
    if (!s && !read_rows(&b, im)) s = broken("a pixel has a colour beyond the palette");
    if (s) {
        peft_image_free(im);
        return s;
    }
    io_image_drop_opaque(im);
    *out = im;
    return PEFT_OK;
}

static bool probe(const uint8_t *data, size_t size) { return size >= 2 && data[0] == 'B' && data[1] == 'M'; }

const io_format io_format_bmp = { .name = "BMP", .endings = "bmp|dib", .probe = probe, .read = decode };
