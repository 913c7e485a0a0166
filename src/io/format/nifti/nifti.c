/* SPDX-License-Identifier: Apache-2.0
 * nifti.c -- the picture format NIfTI-1 and NIfTI-2 (.nii, .nii.gz): slices of a volume. The reader is our own, because
 * Debian's libnifti (3.0.1) reads only files with a name, prints to the standard output, and has no limit of memory;
 * the format is a header of fixed fields and the voxels. A slice is read with memory for the slice: a compressed file
 * is unpacked up to the slice in a window of 64 KiB.
 * A voxel [i, j, k] with the slice axis 2 is pixel (column i, row j) of slice k; with axis 1 (column i, row k) of slice
 * j; with axis 0 (column j, row k) of slice i. */
#include "io/format/formats.h"
#include "io/format/nifti/header.h"
#include "io/format/nifti/stream.h"

/* The state of an open file. */
typedef struct volume { io_nifti header; io_axes axes; char letter[3]; } volume;    /* letter: of io_nifti_letters */

/* A compressed file is taken by this format, which is the only one with compressed files. */
static bool probe(const uint8_t *data, size_t size)
{
    bool little;
    return io_is_gzip(data, size) || io_nifti_probe(data, size, &little);
}

/* Reads the header; of a compressed file all of it is unpacked. */
static peft_status read_header(io_stream *stream, io_nifti *out)
{
    uint8_t head[IO_NIFTI_2];
    bool little;
    size_t size = IO_NIFTI_1;
    peft_status s = io_stream_read(stream, 0, size, head);
    if (s) return s;
    const int bytes = io_nifti_probe(head, size, &little);
    if (!bytes)
        return io_fail(PEFT_E_FORMAT, "a file compressed by gzip that holds no NIfTI volume; unpack it with gunzip");
    if (bytes == IO_NIFTI_2) {
        s = io_stream_read(stream, IO_NIFTI_1, IO_NIFTI_2 - IO_NIFTI_1, head + IO_NIFTI_1);
        size = IO_NIFTI_2;
    }
    return s ? s : io_nifti_read_header(head, size, out);
}

/* The axes in the order of the option orient. */
static peft_status choose_axes(const io_encoded *f, volume *v)
{
    v->axes = (io_axes){ .axis = { 0, 1, 2 } };
    return f->options->orient == IO_ORIENT_RAS ? io_nifti_axes(&v->header, &v->axes) : PEFT_OK;
}

/* Refuses a file that is too small for its voxels, where that is known: gzip packs by a factor of at most 1032. */
static peft_status check_size(const io_encoded *f, const io_nifti *n)
{
    const bool packed = io_is_gzip(f->data, f->size);
    const double most = (packed ? 1040.0 : 1.0) * (double)f->size, needed = (double)n->offset + (double)n->bytes;
    if (needed <= most) return PEFT_OK;
    return io_fail(PEFT_E_FORMAT, "NIfTI: %lld x %lld x %lld x %lld voxels take %.0f bytes, the file has %zu%s",
                   (long long)n->dim[0], (long long)n->dim[1], (long long)n->dim[2], (long long)n->volumes, needed,
                   f->size, packed ? ", compressed" : "");
}

static peft_status open_volume(io_encoded *f)
{
    io_stream *stream;
    volume *v = io_alloc(f->ctx, 1, sizeof *v);
    if (!v) return io_nomem("NIfTI");
    peft_status s = io_stream_open(f->ctx, f->data, f->size, &stream);
    if (!s) {
        s = read_header(stream, &v->header);
        io_stream_close(stream);
    }
    if (!s) s = check_size(f, &v->header);
    if (!s) s = choose_axes(f, v);
    if (s) {
        peft_sys_free(f->ctx, v);
        return s == PEFT_E_NOMEM ? s : io_fail_in(s, "NIfTI");
    }
    io_nifti_letters(&v->header, v->letter);
    f->state = v;
    f->slices = v->header.dim[v->axes.axis[f->options->axis]];
    return PEFT_OK;
}

/* A plane of voxels: index `at` on axis `across` of the file; the other two axes are first and second. */
typedef struct plane { int across, first, second; int64_t at; } plane;

/* Reads the voxels of a plane, [second, first], from volume number t. */
static peft_status read_plane(io_stream *stream, const io_nifti *n, const plane *p, int64_t t, uint8_t *to)
{
    const int64_t voxel = (int64_t)n->number.bytes * n->channels;
    const int64_t stride[3] = { voxel, voxel * n->dim[0], voxel * n->dim[0] * n->dim[1] };
    const int64_t begin = n->offset + t * stride[2] * n->dim[2] + p->at * stride[p->across];
    const int64_t run = p->across == 0 ? 1 : n->dim[0];       /* voxels that follow each other in the file */
    peft_status s = PEFT_OK;
    for (int64_t j = 0; j < n->dim[p->second] && !s; j++)
        for (int64_t i = 0; i < n->dim[p->first] && !s; i += run, to += run * voxel)
            s = io_stream_read(stream, begin + j * stride[p->second] + i * stride[p->first], (size_t)(run * voxel), to);
    return s;
}

/* Makes an image of the plane's voxels. Only 8-bit samples without a scale are known to fill their range. */
static peft_status image_of(const io_encoded *f, const io_nifti *n, const plane *p, const uint8_t *voxels,
                            peft_image **out)
{
    const int64_t width = n->dim[p->first], height = n->dim[p->second];
    peft_image *im;
    peft_status s = io_image_new(f->ctx, width, height, n->channels, io_samples_type(n->number), &im);
    if (s) return s;
    s = io_samples_convert("NIfTI", n->number, voxels, width * height * n->channels, im->pixels);
    if (s) {
        peft_image_free(im);
        return s;
    }
    io_image_scale(im, n->slope, n->intercept);
    im->spacing[0] = n->spacing[p->across];
    im->spacing[1] = n->spacing[p->second];
    im->spacing[2] = n->spacing[p->first];
    if (im->type != IO_U8) io_image_range_unknown(im);
    *out = im;
    return PEFT_OK;
}

/* The volume that the option chooses; the file must hold one if it is not given. */
static peft_status choose_volume(const io_encoded *f, const io_nifti *n, int64_t *out)
{
    const int64_t chosen = f->options->volume, last = n->volumes - 1;
    *out = chosen == IO_NO_VOLUME ? 0 : chosen;
    if (chosen == IO_NO_VOLUME && last)
        return io_fail(PEFT_E_UNSUPPORTED, "NIfTI: the file holds %lld volumes; choose one of them with the option "
                       "volume=N, N in 0..%lld", (long long)n->volumes, (long long)last);
    if (chosen > last)
        return io_fail(PEFT_E_OPTION, "NIfTI: volume=%lld, the file holds %lld; expected 0..%lld", (long long)chosen,
                       (long long)n->volumes, (long long)last);
    return PEFT_OK;
}

/* Reads plane p of volume t into memory of its own, and makes the image of it. */
static peft_status read_image(const io_encoded *f, const io_nifti *n, const plane *p, int64_t t, peft_image **out)
{
    io_stream *stream;
    const int64_t bytes = n->dim[p->first] * n->dim[p->second] * n->channels * n->number.bytes;
    uint8_t *voxels = peft_sys_alloc(f->ctx, (size_t)bytes);
    if (!voxels) return io_nomem("NIfTI");
    peft_status s = io_stream_open(f->ctx, f->data, f->size, &stream);
    if (!s) {
        s = read_plane(stream, n, p, t, voxels);
        io_stream_close(stream);
        if (s) s = s == PEFT_E_NOMEM ? s : io_fail_in(s, "NIfTI");
    }
    if (!s) s = image_of(f, n, p, voxels, out);
    peft_sys_free(f->ctx, voxels);
    return s;
}

/* Sets the directions of columns, rows and slices, which are these axes of volume v. */
static void set_directions(const volume *v, const int axis[3], peft_image *im)
{
    for (int i = 0; i < 3; i++) {
        const char letter = v->letter[v->axes.axis[axis[i]]];
        im->directions[i] = v->axes.reversed[axis[i]] ? io_opposite_letter(letter) : letter;
    }
}

static peft_status read_slice(const io_encoded *f, int64_t slice, peft_image **out)
{
    const volume *v = f->state;
    const io_nifti *n = &v->header;
    const int axis = (int)f->options->axis;
    const int of_picture[3] = { axis == 0 ? 1 : 0, axis == 2 ? 1 : 2, axis };   /* columns, rows, slices */
    const int column = v->axes.axis[of_picture[0]], row = v->axes.axis[of_picture[1]];
    const int across = v->axes.axis[axis];
    const bool swap = column > row;
    plane p = { across, swap ? row : column, swap ? column : row,
                v->axes.reversed[axis] ? f->slices - 1 - slice : slice };
    const bool first_reversed = v->axes.reversed[of_picture[0]];
    const bool second_reversed = v->axes.reversed[of_picture[1]];
    const io_turn turn = { swap, swap ? second_reversed : first_reversed, swap ? first_reversed : second_reversed };
    int64_t t;
    peft_image *im = NULL, *turned = NULL;
    peft_status s = choose_volume(f, n, &t);
    /* The voxels as they are read and the samples are in memory at once; f64 takes more than its samples. */
    if (!s) s = io_check_limits(f->options, n->dim[p.first], n->dim[p.second], n->channels,
                                n->number.bytes > 4 ? 64 : (int)(8 * io_types[io_samples_type(n->number)].bytes));
    if (!s) s = read_image(f, n, &p, t, &im);
    if (!s && io_turns(turn)) {
        s = io_image_turn(im, turn, &turned);
        peft_image_free(im);
        im = turned;
    }
    if (s) return s;
    set_directions(v, of_picture, im);
    *out = im;
    return PEFT_OK;
}

static void close_volume(io_encoded *f) { peft_sys_free(f->ctx, f->state); }

const io_format io_format_nifti = { .name = "NIfTI", .endings = "nii|nii.gz", .takes = "axis|volume|orient",
                                    .probe = probe, .open = open_volume,
                                    .read = read_slice, .close = close_volume };
