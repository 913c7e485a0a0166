/* SPDX-License-Identifier: Apache-2.0
 * jpeg.c -- the picture format JPEG, decoded by libjpeg with its accurate integer DCT, so that every build gives the
 * same pixels. Where data are damaged or end early, libjpeg warns and fills in grey; here such a file is refused. */
#include "io/format/formats.h"
#include "io/format/pixels/cmyk.h"
#include "io/format/pixels/exif.h"
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>

enum { MAX_SCANS = 100 };

typedef struct decoder {
    struct jpeg_decompress_struct j;                          /* the first member: callbacks get its address */
    peft_context *ctx;                                        /* of the image; libjpeg allocates with malloc */
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;                                           /* where an error in a callback jumps to */
    peft_status status;
    const uint8_t *end;                                       /* of the file's data */
    peft_image *im;
    bool no_end_marker;                                       /* the data ended before an end marker (EOI) */
    bool zeros_after_scan;                                    /* zeros lie between a scan and the next marker */
} decoder;

/* Errors for which libjpeg's text does not tell the user what to do: text and status in place of libjpeg's. */
static const struct { int code; peft_status status; const char *text; } explained[] = {
    { JERR_OUT_OF_MEMORY, PEFT_E_NOMEM, "out of memory" },
    { JERR_BAD_PRECISION, PEFT_E_UNSUPPORTED, "samples of other than 8 bits are not read; convert the picture to a "
                                              "16-bit PNG" },
    { JERR_SOF_UNSUPPORTED, PEFT_E_UNSUPPORTED, "a lossless or hierarchical picture is not read; convert it to PNG" },
    { JERR_FRACT_SAMPLE_NOTIMPL, PEFT_E_UNSUPPORTED, "a fractional sampling factor is not read; convert the picture to "
                                                     "PNG" },
    { JERR_INPUT_EOF, PEFT_E_FORMAT, "the file ends early; fetch it again" },
};

/* libjpeg's callback for errors. Like all failures here it leaves libjpeg by longjmp. */
static void on_error(j_common_ptr j)
{
    decoder *d = (decoder *)j;
    char text[JMSG_LENGTH_MAX];
    const char *message = NULL;                               /* NULL: libjpeg's, of a damaged file */
    d->status = PEFT_E_FORMAT;
    d->errors.format_message(j, text);
    for (size_t i = 0; i < sizeof explained / sizeof *explained; i++)
        if (explained[i].code == d->errors.msg_code) {
            d->status = explained[i].status;
            message = explained[i].text;
        }
    io_fail(d->status, "JPEG: %s%s", message ? "" : "the file is damaged, fetch it again: ", message ? message : text);
    longjmp(d->failed, 1);
}

/* Reports the error and ends decoding: jumps to the setjmp of decode. */
static void fail_with(decoder *d, peft_status s, const char *message)
{
    d->status = io_fail(s, "JPEG: %s", message);
    longjmp(d->failed, 1);
}

/* For libjpeg's warning that it skipped bytes before a marker; its parameters are their number and the marker. Bytes
 * skipped before the first scan change no pixel and are accepted. After a scan, zeros are accepted, because some
 * programs pad files with them, and so is 0xff, which may precede any marker. Other bytes are picture data that were
 * not decoded: an error. In front of a restart marker even zeros are an error. */
static void check_skipped(decoder *d)
{
    size_t skipped = (size_t)d->errors.msg_parm.i[0];
    int marker = d->errors.msg_parm.i[1];
    /* The byte behind the skipped ones. In a file without an end marker libjpeg reads one that on_end_of_data (below)
     * supplies from a static array, so that next_input_byte no longer points into the file. */
    const uint8_t *skipped_end = d->no_end_marker ? d->end : d->source.next_input_byte;
    bool accepted = marker < JPEG_RST0 || marker > JPEG_RST0 + 7;             /* not one of the restart markers 0..7 */
    if (d->j.input_scan_number == 0) return;
    for (size_t i = 1; i <= skipped && accepted; i++) {
        const uint8_t byte = skipped_end[-(ptrdiff_t)i];
        accepted = byte == 0 || byte == 0xff;
    }
    if (!accepted) on_error((j_common_ptr)&d->j);
    d->zeros_after_scan = true;
}

/* libjpeg's callback for warnings (level -1) and notes. Warnings of what changes no pixel are ignored; all others are
 * errors. */
static void on_warning(j_common_ptr j, int level)
{
    decoder *d = (decoder *)j;
    if (level >= 0) return;
    switch (d->errors.msg_code) {
    case JWRN_JFIF_MAJOR:                                     /* an unknown revision of JFIF */
    case JWRN_ADOBE_XFORM:                                    /* an unknown colour code: taken as YCbCr */
    case JWRN_NOT_SEQUENTIAL: return;                         /* a field that sequential files do not use */
    case JWRN_EXTRANEOUS_DATA: check_skipped(d); return;
    default: on_error(j);
    }
}

/* libjpeg's callback that would print a message to standard error. */
static void print_nothing(j_common_ptr j) { (void)j; }

/* libjpeg's callback for progress: limits the scans, each of which decodes the whole picture. */
static void count_scans(j_common_ptr j)
{
    decoder *d = (decoder *)j;
    if (d->j.input_scan_number > MAX_SCANS)
        fail_with(d, PEFT_E_UNSUPPORTED, "more than 100 scans; convert the picture to PNG");
}

/* libjpeg's callbacks at the beginning and end of reading: the whole file is in memory already. */
static void do_nothing(j_decompress_ptr j) { (void)j; }

/* libjpeg's callback at the end of the data: gives it an end marker. It then warns (JWRN_HIT_MARKER) if bits of a pixel
 * are missing. */
static boolean on_end_of_data(j_decompress_ptr j)
{
    static const JOCTET end[2] = { 0xff, JPEG_EOI };
    decoder *d = (decoder *)j;
    if (d->j.input_scan_number == 0) fail_with(d, PEFT_E_FORMAT, "the file ends early; fetch it again");
    d->no_end_marker = true;
    d->source.next_input_byte = end;
    d->source.bytes_in_buffer = sizeof end;
    return TRUE;
}

/* libjpeg's callback that skips n bytes of the data. */
static void skip(j_decompress_ptr j, long n)
{
    decoder *d = (decoder *)j;
    if (n <= 0) return;
    if ((size_t)n > d->source.bytes_in_buffer) fail_with(d, PEFT_E_FORMAT, "the file ends early; fetch it again");
    d->source.next_input_byte += n;
    d->source.bytes_in_buffer -= (size_t)n;
}

/* Refuses a picture above the limits, and one whose header states more blocks of 8 x 8 coefficients than `size` bytes
 * can code: with Huffman coding a block takes at least one bit, in sequential files two. Files in several scans need
 * memory for all coefficients too. */
static void check_size(decoder *d, size_t size, const io_load_options *limits, int channels)
{
    struct jpeg_decompress_struct *j = &d->j;
    int64_t blocks = 0, pixels = (int64_t)j->image_width * j->image_height * channels;
    d->status = io_check_limits(limits, j->image_width, j->image_height, channels, 8);
    if (d->status) longjmp(d->failed, 1);
    for (int c = 0; c < j->num_components; c++)
        blocks += (int64_t)j->comp_info[c].width_in_blocks * j->comp_info[c].height_in_blocks;
    if (!j->arith_code && (uint64_t)(blocks * (j->progressive_mode ? 1 : 2)) > 8 * (uint64_t)size) {
        d->status = io_fail(PEFT_E_FORMAT, "JPEG: %zu bytes cannot hold %ux%u pixels (height x width)", size,
                            j->image_height, j->image_width);
        longjmp(d->failed, 1);
    }
    int64_t bytes = pixels + (jpeg_has_multiple_scans(j) ? blocks * DCTSIZE2 * (int64_t)sizeof(JCOEF) : 0);
    if (bytes > limits->max_bytes) {
        d->status = io_fail(PEFT_E_UNSUPPORTED, "JPEG: decoding takes %lld bytes, because the picture has several "
                            "scans; the limit (max_bytes) is %lld; load it with a larger max_bytes", (long long)bytes,
                            (long long)limits->max_bytes);
        longjmp(d->failed, 1);
    }
}

/* Chooses grey, RGB or CMYK as the output of libjpeg; returns its number of channels. */
static int choose_colours(decoder *d)
{
    switch (d->j.jpeg_color_space) {
    case JCS_GRAYSCALE: d->j.out_color_space = JCS_GRAYSCALE; return 1;
    case JCS_YCbCr:
    case JCS_RGB: d->j.out_color_space = JCS_RGB; return 3;
    case JCS_CMYK:
    case JCS_YCCK: d->j.out_color_space = JCS_CMYK; return 4;
    default:
        fail_with(d, PEFT_E_UNSUPPORTED, "colours other than grey, RGB, YCbCr, CMYK and YCCK are not read; convert to "
                  "RGB or grey");
        return 0;                                             /* not reached */
    }
}

/* Checks that a picture in several scans is complete: every component had a scan and, in a progressive file without an
 * end marker, every bit of every coefficient was decoded (coef_bits counts those that are missing). */
static void check_scans(decoder *d)
{
    for (int c = 0; c < d->j.num_components; c++) {
        if (!d->j.comp_info[c].quant_table) fail_with(d, PEFT_E_FORMAT, "the scan of a colour component is missing");
        for (int k = 0; d->no_end_marker && d->j.progressive_mode && k < DCTSIZE2; k++)
            if (d->j.coef_bits[c][k]) fail_with(d, PEFT_E_FORMAT, "the file ends before its last scan");
    }
}

/* Decodes into a new image d->im. Each failure jumps out of this function. Samples of CMYK are taken as Adobe's
 * programs write them, 255 for no ink; the row before its conversion to RGB lies in memory of libjpeg. */
static void decode_pixels(decoder *d, size_t size, const io_load_options *limits)
{
    struct jpeg_decompress_struct *j = &d->j;
    const boolean require_image = TRUE;                       /* a file of tables alone is an error */
    jpeg_read_header(j, require_image);
    const int channels = choose_colours(d), kept = channels == 4 ? 3 : channels;
    check_size(d, size, limits, kept);
    d->status = io_image_new(d->ctx, j->image_width, j->image_height, kept, IO_U8, &d->im);
    if (d->status) longjmp(d->failed, 1);
    j->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(j);
    if (jpeg_has_multiple_scans(j)) check_scans(d);
    const JSAMPARRAY inks = channels == 4
        ? j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE, 4 * j->output_width, 1) : NULL;
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = (JSAMPROW)d->im->pixels + (size_t)j->output_scanline * io_image_row_bytes(d->im);
        jpeg_read_scanlines(j, inks ? inks : &row, 1);
        if (inks) io_cmyk_to_rgb(inks[0], j->output_width, IO_INK_LIGHT, row);
    }
    jpeg_finish_decompress(j);
}

/* Decodes the first size bytes of the file once: sets d->im, or d->status on failure. */
static void decode(decoder *d, const io_encoded *f, size_t size)
{
    *d = (decoder){ .ctx = f->ctx, .end = f->data + size, .progress = { .progress_monitor = count_scans } };
    d->source = (struct jpeg_source_mgr){ .next_input_byte = f->data, .bytes_in_buffer = size,
        .init_source = do_nothing, .fill_input_buffer = on_end_of_data, .skip_input_data = skip,
        .resync_to_restart = jpeg_resync_to_restart, .term_source = do_nothing };
    d->j.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_warning;
    d->errors.output_message = print_nothing;
    if (!setjmp(d->failed)) {
        jpeg_create_decompress(&d->j);
        d->j.src = &d->source;
        d->j.progress = &d->progress;
        decode_pixels(d, size, f->options);
    }
    jpeg_destroy_decompress(&d->j);
    if (!d->status) return;
    peft_image_free(d->im);
    d->im = NULL;
}

/* The size of the data without the zeros at its end. If an end marker (EOI) follows the zeros, it is left out too. */
static size_t size_without_zeros(const uint8_t *data, size_t size)
{
    size_t end = size;
    if (end >= 2 && data[end - 2] == 0xff && data[end - 1] == JPEG_EOI) end -= 2;
    size_t last = end;
    while (last && !data[last - 1]) last--;
    if (last == end) return size;
    return last && data[last - 1] == 0xff ? last + 1 : last;  /* a zero behind 0xff is coded data, and stays */
}

/* The orientation in the first EXIF segment (marker APP1) of the headers. */
static int orientation_of(const uint8_t *data, size_t size)
{
    enum { HEADER = 4, NAME = 6, APP1 = 0xe1, START_OF_SCAN = 0xda };
    size_t at = 2;                                            /* behind the marker SOI */
    while (at < size && size - at >= HEADER + NAME) {
        const uint8_t *p = data + at;
        const size_t length = (size_t)p[2] << 8 | p[3];       /* with its own two bytes */
        if (p[0] == 0xff && p[1] != 0xff && (p[1] == START_OF_SCAN || length < 2)) return 1;
        const bool fits = p[0] == 0xff && p[1] == APP1 && length >= 2 + NAME && length <= size - at - 2;
        if (fits && !memcmp(p + HEADER, "Exif\0\0", NAME))
            return io_exif_orientation(p + HEADER + NAME, length - 2 - NAME);
        at += p[0] != 0xff || p[1] == 0xff ? 1 : 2 + length;  /* extra bytes and 0xff before a marker are skipped */
    }
    return 1;
}

/* A file without an end marker, or with zeros before it, may have been cut and then padded with zeros. libjpeg can
 * decode such zeros as pixels without a warning. So the file is decoded a second time without the zeros, and refused if
 * it is then incomplete. */
static peft_status decode_complete(const io_encoded *f, int64_t slice, peft_image **out)
{
    (void)slice;
    decoder *d = io_alloc(f->ctx, 1, sizeof *d);
    if (!d) return io_nomem("JPEG");
    decode(d, f, f->size);
    if (!d->status && (d->zeros_after_scan || d->no_end_marker)) {
        size_t shorter = size_without_zeros(f->data, f->size);
        if (shorter < f->size) {
            peft_image_free(d->im);
            decode(d, f, shorter);
        }
    }
    peft_status s = d->status;
    if (!s) s = io_exif_apply(f, orientation_of(f->data, f->size), &d->im);
    if (!s) *out = d->im;
    peft_sys_free(f->ctx, d);
    return s;
}

static bool probe(const uint8_t *data, size_t size) { return size >= 3 && !memcmp(data, "\xff\xd8\xff", 3); }

const io_format io_format_jpeg = {
    .name = "JPEG", .endings = "jpg|jpeg|jpe|jfif", .probe = probe, .read = decode_complete };
