/* SPDX-License-Identifier: Apache-2.0
 * load.c -- peft_image_load, peft_image_load_memory and peft_image_slices: read the options, find the format of the
 * file by its content, and decode one image. */
#include "io/format/formats.h"
#include <unistd.h>

/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. Kinds: 'i' integer, 's'
 * text of less than `highest` bytes. */
#define STORED_IN(field) offsetof(io_load_options, field)
enum { WINDOW_SIZE = sizeof ((io_load_options *)0)->window };
static const peft_opt_key keys[] = {
    { { "max_side", 'i', "65536", 1, 1 << 24, "largest width and height in pixels" },
      STORED_IN(max_side), NULL },
    { { "max_bytes", 'i', "1073741824", 1, 1ll << 46, "most bytes of the file (TIFF: of a tile or strip), and "
        "of the decoded picture" },
      STORED_IN(max_bytes), NULL },
    { { "slice", 'i', "", 0, 1 << 24, "index, from 0, of the picture in a file of several; none: the file must hold "
        "one" }, STORED_IN(slice), NULL },
    { { "orientation", 'c', "exif", 0, 0, "exif: pictures are turned as their EXIF data say; stored: they are not" },
      STORED_IN(orientation), "exif|stored" },
    { { "axis", 'i', "2", 0, 2, "NIfTI: the axis of the volume along which its slices lie" }, STORED_IN(axis), NULL },
    { { "volume", 'i', "", 0, 1 << 24, "NIfTI: index, from 0, of the volume in a file of several; none: the file must "
        "hold one" }, STORED_IN(volume), NULL },
    { { "orient", 'c', "stored", 0, 0, "NIfTI: axes as they are stored; ras: turned to right, anterior, superior" },
      STORED_IN(orient), "stored|ras" },
    { { "level", 'i', "0", 0, 1000, "TIFF: which size of a slide; 0: the largest" }, STORED_IN(level), NULL },
    { { "region", '4', "", 0, 1 << 30, "x:y:width:height of the part to read, in pixels of the level; none: all" },
      STORED_IN(region), NULL },
    { { "window", 's', "first", 0, WINDOW_SIZE, "DICOM: first, none (values of the modality, such as Hounsfield "
        "units), the number of a window from 0, or its name" }, STORED_IN(window), NULL },
    { { "samples", 'c', "shown", 0, 0, "PNG: shown: colours of a palette, and greys of 1 to 4 bits as 0 to 255; "
        "stored: indices of the palette, and greys as they are, for masks" }, STORED_IN(samples), "shown|stored" },
    { { 0 }, 0, NULL }
};
#undef STORED_IN

const peft_option *peft_image_option(size_t i) { return peft_sys_opt_row(keys, i); }

/* given: which options the text names, as bits; may be NULL. */
static peft_status parse_options(const char *options, io_load_options *o, uint64_t *given)
{
    *o = (io_load_options){ .slice = IO_NO_SLICE, .volume = IO_NO_VOLUME };
    peft_status s = peft_sys_opt_defaults(keys, o);
    return s ? s : peft_sys_opt_read(keys, options, "image", o, given);
}

peft_status io_image_check_options(const char *options, bool *any)
{
    io_load_options o;
    uint64_t given = 0;
    const peft_status s = parse_options(options, &o, &given);
    *any = given != 0;
    return s;
}

peft_status io_image_check_no_slice(const char *options)
{
    io_load_options o;
    peft_status s = parse_options(options, &o, NULL);
    if (s || o.slice == IO_NO_SLICE) return s;
    return io_fail(PEFT_E_OPTION, "image options '%.80s': they choose slice %lld, and all slices are to be read; leave "
                   "slice out", options, (long long)o.slice);
}

/* volume and window choose what an image shows; its mask has one volume and no window. */
static bool is_of_image_alone(const peft_opt_key *key)
{
    return key->offset == offsetof(io_load_options, volume) || key->offset == offsetof(io_load_options, window);
}

peft_status io_image_mask_options(peft_context *ctx, const char *options, bool of_image, bool stored, int64_t slice,
                                  char **out)
{
    enum { SIZE = 1024 };
    io_load_options o;
    uint64_t given;
    peft_status s = parse_options(options, &o, &given);
    if (s) return s;
    char *text = peft_sys_alloc(ctx, SIZE);
    if (!text) return io_nomem("options of a mask");
    o.samples = stored ? IO_SAMPLES_STORED : IO_SAMPLES_SHOWN;
    if (slice != IO_NO_SLICE) o.slice = slice;
    int n = 0;
    for (int i = 0; keys[i].option.name; i++) {
        const bool sets_slice = keys[i].offset == offsetof(io_load_options, slice) && o.slice != IO_NO_SLICE;
        const bool sets_samples = keys[i].offset == offsetof(io_load_options, samples);
        if ((!(given >> i & 1) && !sets_slice && !sets_samples) || (of_image && is_of_image_alone(&keys[i]))) continue;
        const peft_opt_key row[] = { keys[i], { { 0 }, 0, NULL } };
        if (n) text[n++] = ',';
        n += (int)peft_sys_opt_print(row, &o, text + n, SIZE - (size_t)n);
    }
    *out = text;
    return PEFT_OK;
}

/* Whether the format reads the option of this name beside those of all formats. */
static bool takes(const io_format *format, const char *name)
{
    return format->takes && peft_sys_opt_choice(format->takes, name, strlen(name)) >= 0;
}

/* Refuses an option with another value than its default that this format does not read. window is accepted: the options
 * of a data set hold for DICOM files and for the other pictures beside them. */
static peft_status check_taken(const io_format *format, const io_load_options *o)
{
    const struct { const char *name; bool changed; } rows[] = {
        { "level", o->level != 0 }, { "axis", o->axis != 2 }, { "volume", o->volume != IO_NO_VOLUME },
        { "orient", o->orient != IO_ORIENT_STORED } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].changed && !takes(format, rows[i].name))
            return io_fail(PEFT_E_OPTION, "image: the option %s has no meaning for a file of the format %s; leave it "
                           "out", rows[i].name, format->name);
    return PEFT_OK;
}

/* Replaces an image by the part that the option region asks for; frees it on failure. */
static peft_status cut_region(const io_load_options *o, peft_image **im)
{
    io_box box;
    peft_image *part = NULL;
    peft_status s = io_region(o, (*im)->width, (*im)->height, &box);
    if (!s && box.width == (*im)->width && box.height == (*im)->height) return PEFT_OK;
    if (!s) s = io_image_part(*im, &box, &part);
    peft_image_free(*im);
    *im = part;
    return s;
}

/* Decodes the image that the option slice chooses. Programs recognise the first error by its words (asks_for_slice in
 * examples/common/data/image_options.c). */
static peft_status read_slice(const io_format *format, const io_encoded *f, int64_t slice, peft_image **out)
{
    if (slice == IO_NO_SLICE && f->slices > 1)
        return io_fail(PEFT_E_UNSUPPORTED, "image: the file holds %lld slices; choose one of them with the option "
                       "slice=N, N in 0..%lld", (long long)f->slices, (long long)f->slices - 1);
    if (slice >= f->slices)
        return io_fail(PEFT_E_OPTION, "image: slice=%lld, the file holds %lld slice%s; expected 0..%lld",
                       (long long)slice, (long long)f->slices, f->slices == 1 ? "" : "s", (long long)f->slices - 1);
    peft_status s = format->read(f, slice == IO_NO_SLICE ? 0 : slice, out);
    return s || takes(format, "region") ? s : cut_region(f->options, out);
}

/* Opens a file with its format (NULL: none was found, an error). f has data or fd, and size. After success the caller
 * calls format->close, unless it is NULL. */
static peft_status open_encoded(peft_context *ctx, const io_format *format, const io_load_options *o, io_encoded *f)
{
    f->ctx = ctx;
    f->options = o;
    f->slices = 1;
    if (!format) return io_no_format(f->data, f->size);
    if (format->missing)
        return io_fail(PEFT_E_UNSUPPORTED, "image: a %s file; this build of libpeft-io has no %s to read it; install "
                       "it and build libpeft-io again, or convert the file to PNG", format->name, format->missing);
    peft_status s = check_taken(format, o);
    return s || !format->open ? s : format->open(f);
}

/* Counts the slices of a file, or decodes one: slices or out is NULL. f has data or fd, and size. */
static peft_status count_or_decode(peft_context *ctx, const io_format *format, const io_load_options *o, io_encoded *f,
                                   int64_t *slices, peft_image **out)
{
    peft_status s = open_encoded(ctx, format, o, f);
    if (s) return s;
    if (slices) *slices = f->slices;
    else s = read_slice(format, f, o->slice, out);
    if (format->close) format->close(f);
    return s;
}

peft_status peft_image_load_memory(peft_context *ctx, const void *data, size_t size, const char *options,
                                   peft_image **out)
{
    io_load_options o;
    if (!ctx || !data || !out)
        return io_fail(PEFT_E_INVALID, "image from memory: %s is NULL", !ctx ? "ctx" : data ? "out" : "data");
    peft_status s = parse_options(options, &o, NULL);
    io_encoded f = { .data = data, .size = size, .fd = -1 };
    return s ? s : count_or_decode(ctx, io_format_of(data, size), &o, &f, NULL, out);
}

/* The format by the first bytes of an open file; NULL: unknown. */
static const io_format *format_of_file(int fd)
{
    enum { HEAD_BYTES = 4096 };
    uint8_t head[HEAD_BYTES];
    const int64_t n = io_read_part(fd, head, HEAD_BYTES, 0);
    return n > 0 ? io_format_of(head, (size_t)n) : NULL;
}

bool io_reads_parts(const char *path)
{
    int fd;
    uint64_t size;
    if (io_open_file(path, &fd, &size)) return false;
    const io_format *format = format_of_file(fd);
    close(fd);
    return format && format->reads_parts;
}

/* As count_or_decode, of a file on disk, which is read into memory unless its format reads parts, or is known to hold
 * one image where slices are counted. */
static peft_status count_or_decode_file(peft_context *ctx, const char *path, const char *options, int64_t *slices,
                                        peft_image **out)
{
    io_load_options o;
    io_encoded f = { .fd = -1 };
    uint8_t *data = NULL;
    uint64_t on_disk = 0;
    peft_status s = parse_options(options, &o, NULL);
    if (!s) s = io_open_file(path, &f.fd, &on_disk);
    if (s) return s;
    f.size = (size_t)on_disk;
    const io_format *format = format_of_file(f.fd);
    const bool in_parts = format && (format->reads_parts || (slices && !format->open));
    if (!in_parts) s = io_read_open_file(ctx, f.fd, path, on_disk, o.max_bytes, &data);
    if (data) {
        f.data = data;
        format = io_format_of(data, f.size);
    }
    if (!s) s = count_or_decode(ctx, format, &o, &f, slices, out);
    peft_sys_free(ctx, data);
    close(f.fd);
    return s ? io_fail_in(s, path) : PEFT_OK;
}

peft_status peft_image_load(peft_context *ctx, const char *path, const char *options, peft_image **out)
{
    if (!ctx || !path || !out)
        return io_fail(PEFT_E_INVALID, "image: %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    return count_or_decode_file(ctx, path, options, NULL, out);
}

peft_status peft_image_slices(peft_context *ctx, const char *path, const char *options, int64_t *slices)
{
    if (!ctx || !path || !slices)
        return io_fail(PEFT_E_INVALID, "image slices: %s is NULL", !ctx ? "ctx" : path ? "slices" : "path");
    return count_or_decode_file(ctx, path, options, slices, NULL);
}

peft_status io_image_slices_memory(peft_context *ctx, const uint8_t *data, size_t size, const char *options,
                                   int64_t *slices)
{
    io_load_options o;
    io_encoded f = { .data = data, .size = size, .fd = -1 };
    peft_status s = parse_options(options, &o, NULL);
    return s ? s : count_or_decode(ctx, io_format_of(data, size), &o, &f, slices, NULL);
}
