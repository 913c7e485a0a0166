/* SPDX-License-Identifier: Apache-2.0
 * layout.c -- io_tiff_read_layout: what the tags of a directory say of its pixels; what is not read is refused by its
 * name. */
#include "io/format/tiff/tiff.h"

/* The values of tags that are used here. */
typedef struct tags { uint16_t bits, samples, format, photometric, planar, compression, orientation, extras; } tags;

static peft_status refuse(const char *what, int value)
{
    return io_fail(PEFT_E_UNSUPPORTED,
                   "TIFF: %s (%d) is not read; convert the picture to one of unsigned grey or RGB", what,
                   value);
}

/* Names the compression that libtiff, as it is built, cannot undo. */
static peft_status check_compression(int compression)
{
    enum { APERIO_JPEG_2000_YCC = 33003, APERIO_JPEG_2000_RGB = 33005 };
    if (compression == APERIO_JPEG_2000_YCC || compression == APERIO_JPEG_2000_RGB || compression == COMPRESSION_JP2000)
        return refuse("compression by JPEG 2000", compression);
    if (!TIFFIsCODECConfigured((uint16_t)compression)) return refuse("this compression", compression);
    return PEFT_OK;
}

/* The type of the numbers in the file: bits and their meaning. */
static peft_status read_number(const tags *g, io_tiff_layout *l)
{
    const uint16_t probe = 1;
    const bool host_little = *(const uint8_t *)&probe == 1;   /* libtiff gives samples in the order of the machine */
    l->bits = g->bits;
    l->number = (io_number){ 'u', g->bits / 8, host_little };
    if (g->format == SAMPLEFORMAT_INT) l->number.kind = 'i';
    else if (g->format == SAMPLEFORMAT_IEEEFP) l->number.kind = 'f';
    else if (g->format != SAMPLEFORMAT_UINT && g->format != SAMPLEFORMAT_VOID)
        return refuse("complex samples, tag SampleFormat", g->format);
    if (l->number.kind == 'u' && (g->bits == 1 || g->bits == 2 || g->bits == 4)) return l->type = IO_U8, PEFT_OK;
    l->type = g->bits % 8 ? IO_TYPES : io_samples_type(l->number);
    return l->type == IO_TYPES ? refuse("this number of bits, tag BitsPerSample", g->bits) : PEFT_OK;
}

/* The colours, and how many samples of a pixel they take. */
static peft_status read_colours(io_tiff *t, const tags *g, io_tiff_layout *l)
{
    const bool bytes = l->number.kind == 'u' && l->bits <= 8;
    uint16_t *map[3];
    switch (g->photometric) {
    case PHOTOMETRIC_MINISBLACK: l->colours = IO_TIFF_GREY; break;
    case PHOTOMETRIC_MINISWHITE:
        if (l->number.kind != 'u' || l->type == IO_F32)
            return refuse("white as 0 in such samples, tag BitsPerSample", l->bits);
        l->colours = IO_TIFF_WHITE_0;
        break;
    case PHOTOMETRIC_YCBCR:
        if (g->compression != COMPRESSION_JPEG || g->planar != PLANARCONFIG_CONTIG)
            return refuse("YCbCr colours without JPEG compression, tag Compression", g->compression);
        TIFFSetField(t->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        l->colours = IO_TIFF_RGB;
        break;
    case PHOTOMETRIC_RGB: l->colours = IO_TIFF_RGB; break;
    case PHOTOMETRIC_PALETTE:
        if (!bytes || g->samples != 1) return refuse("a palette of more than 8 bits, tag BitsPerSample", l->bits);
        if (!TIFFGetField(t->tif, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
            return io_fail(PEFT_E_FORMAT, "TIFF: the palette is missing");
        for (int c = 0; c < 3; c++) l->map[c] = map[c];
        l->colours = IO_TIFF_PALETTE;
        break;
    case PHOTOMETRIC_SEPARATED:
        if (!bytes || l->bits != 8 || g->planar != PLANARCONFIG_CONTIG)
            return refuse("CMYK in separate planes or in other than 8 bits, tag BitsPerSample", l->bits);
        l->colours = IO_TIFF_CMYK;
        break;
    default: return refuse("the colours, tag PhotometricInterpretation", g->photometric);
    }
    l->channels = l->colours == IO_TIFF_GREY || l->colours == IO_TIFF_WHITE_0 ? 1 : 3;
    return PEFT_OK;
}

/* Samples beside the colours: the first may be alpha. One of unknown meaning, such as a second stain, is not left
 * out. */
static peft_status read_extras(io_tiff *t, const tags *g, io_tiff_layout *l)
{
    const int colours = l->colours == IO_TIFF_CMYK ? 4 : l->colours == IO_TIFF_PALETTE ? 1 : l->channels;
    uint16_t count = 0, *kind = NULL;
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_EXTRASAMPLES, &count, &kind);
    l->alpha = -1;
    if (g->samples < colours)
        return io_fail(PEFT_E_FORMAT, "TIFF: %d samples in a pixel; its colours need %d", g->samples, colours);
    if (g->samples == colours) return PEFT_OK;
    if (g->samples > colours + count || g->samples > 16)
        return refuse("this number of channels, tag SamplesPerPixel", g->samples);
    for (int i = 0; i < g->samples - colours; i++)
        if (kind[i] != EXTRASAMPLE_ASSOCALPHA && kind[i] != EXTRASAMPLE_UNASSALPHA)
            return io_fail(PEFT_E_UNSUPPORTED, "TIFF: %d samples in a pixel, %d of them colours; tag ExtraSamples is "
                           "%d for sample %d, expected 1 or 2 (alpha); save the channels that are wanted as a picture "
                           "of their own", g->samples, colours, kind[i], colours + i);
    if (l->bits < 8 || (l->type != IO_U8 && l->type != IO_U16))
        return refuse("alpha in such samples, tag BitsPerSample", l->bits);
    l->alpha = colours;
    l->multiplied = kind[0] == EXTRASAMPLE_ASSOCALPHA;
    if (l->multiplied && (l->type != IO_U8 || l->bits != 8 || l->colours == IO_TIFF_WHITE_0 ||
                          g->planar != PLANARCONFIG_CONTIG))
        return refuse("colours multiplied by alpha in other than 8 bits, tag BitsPerSample", l->bits);
    return PEFT_OK;
}

/* The tiles or strips, with their sizes in memory. */
static peft_status read_chunks(io_tiff *t, const tags *g, io_tiff_layout *l)
{
    uint32_t width = 0, height = 0, w = 0, h = 0;
    TIFFGetField(t->tif, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(t->tif, TIFFTAG_IMAGELENGTH, &height);
    if (!width || !height) return io_fail(PEFT_E_FORMAT, "TIFF: width or height is 0 or missing");
    l->width = width;
    l->height = height;
    l->planes = g->planar == PLANARCONFIG_SEPARATE ? g->samples : 1;
    l->stored = g->planar == PLANARCONFIG_SEPARATE ? 1 : g->samples;
    l->tiled = TIFFIsTiled(t->tif);
    if (l->tiled) {
        TIFFGetField(t->tif, TIFFTAG_TILEWIDTH, &w);
        TIFFGetField(t->tif, TIFFTAG_TILELENGTH, &h);
    } else {
        w = width;
        TIFFGetFieldDefaulted(t->tif, TIFFTAG_ROWSPERSTRIP, &h);
        if (h > height) h = height;
    }
    if (!w || !h) return io_fail(PEFT_E_FORMAT, "TIFF: the size of a tile or strip is 0 or missing");
    l->chunk_width = w;
    l->chunk_height = h;
    l->row_bytes = (int64_t)(l->tiled ? TIFFTileRowSize64(t->tif) : TIFFScanlineSize64(t->tif));
    l->chunk_bytes = l->tiled ? TIFFTileSize64(t->tif) : TIFFStripSize64(t->tif);
    const int64_t needed = (l->chunk_width * l->stored * l->bits + 7) / 8;
    if (l->row_bytes < needed || l->chunk_bytes / h < (uint64_t)l->row_bytes)
        return *t->message ? io_tiff_failed(t, "") : io_fail(PEFT_E_FORMAT, "TIFF: a row has %lld bytes; expected %lld",
                                                            (long long)l->row_bytes, (long long)needed);
    return PEFT_OK;
}

peft_status io_tiff_read_layout(io_tiff *t, io_tiff_layout *out)
{
    tags g = { 0 };
    uint32_t depth = 1;
    *t->message = 0;
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_BITSPERSAMPLE, &g.bits);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_SAMPLESPERPIXEL, &g.samples);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_SAMPLEFORMAT, &g.format);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_PLANARCONFIG, &g.planar);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_COMPRESSION, &g.compression);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_ORIENTATION, &g.orientation);
    TIFFGetFieldDefaulted(t->tif, TIFFTAG_IMAGEDEPTH, &depth);
    if (!TIFFGetField(t->tif, TIFFTAG_PHOTOMETRIC, &g.photometric))
        return io_fail(PEFT_E_FORMAT, "TIFF: the tag PhotometricInterpretation is missing");
    if (depth > 1) return refuse("a volume in one page, tag ImageDepth", (int)depth);
    *out = (io_tiff_layout){ .turn = io_turn_of_exif(g.orientation) };
    peft_status s = check_compression(g.compression);
    if (!s) s = read_number(&g, out);
    if (!s) s = read_colours(t, &g, out);
    if (!s) s = read_extras(t, &g, out);
    return s ? s : read_chunks(t, &g, out);
}
