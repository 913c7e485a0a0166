/* SPDX-License-Identifier: Apache-2.0
 * header.c -- reads the headers of NIfTI-1 and NIfTI-2 in both byte orders. The fields are those of nifti1.h and
 * nifti2.h of the NIfTI Data Format Working Group; their offsets are in the table below. */
#include "io/format/nifti/header.h"
#include <math.h>
#include <stdlib.h>

/* Offsets of the fields, and the types of those whose type differs between the versions. */
typedef struct layout {
    int header, magic, datatype, dim, pixdim, vox_offset, scl_slope, scl_inter, xyzt_units, qform_code, sform_code,
        quatern_b, srow_x;
    io_number dim_type, real, code, offset_type;
} layout;
static const layout layouts[] = {
    { IO_NIFTI_1, 344, 70, 40, 76, 108, 112, 116, 123, 252, 254, 256, 280, { 'i', 2, true }, { 'f', 4, true },
      { 'i', 2, true }, { 'f', 4, true } },
    { IO_NIFTI_2, 4, 12, 16, 104, 168, 176, 184, 500, 344, 348, 352, 400, { 'i', 8, true }, { 'f', 8, true },
      { 'i', 4, true }, { 'i', 8, true } } };

/* Types of voxels by their code. */
static const struct { int code; const char *name; io_number number; int channels; } types[] = {
    { 2, "uint8", { 'u', 1, true }, 1 }, { 4, "int16", { 'i', 2, true }, 1 }, { 8, "int32", { 'i', 4, true }, 1 },
    { 16, "float32", { 'f', 4, true }, 1 }, { 64, "float64", { 'f', 8, true }, 1 },
    { 128, "RGB24", { 'u', 1, true }, 3 }, { 256, "int8", { 'i', 1, true }, 1 },
    { 512, "uint16", { 'u', 2, true }, 1 }, { 768, "uint32", { 'u', 4, true }, 1 },
    { 1024, "int64", { 'i', 8, true }, 1 }, { 1280, "uint64", { 'u', 8, true }, 1 },
    { 1, "binary (1 bit)", { 0 }, 0 }, { 32, "complex64", { 0 }, 0 }, { 1536, "float128", { 0 }, 0 },
    { 1792, "complex128", { 0 }, 0 }, { 2048, "complex256", { 0 }, 0 }, { 2304, "RGBA32", { 0 }, 0 } };

/* A header that is read: its bytes, layout and byte order. */
typedef struct source { const uint8_t *head; const layout *at; bool little; } source;

/* Number i, of this type, of the field at the offset, as a double: exact for the integers that are accepted. */
static double field(const source *s, int offset, io_number type, int i)
{
    const uint8_t *p = s->head + offset + i * type.bytes;
    uint64_t bits = 0;
    float single;
    double wide;
    for (int b = 0; b < type.bytes; b++) bits = bits << 8 | p[s->little ? type.bytes - 1 - b : b];
    const uint32_t low = (uint32_t)bits;
    if (type.kind == 'f' && type.bytes == 4) return memcpy(&single, &low, sizeof single), (double)single;
    if (type.kind == 'f') return memcpy(&wide, &bits, sizeof wide), wide;
    return type.bytes == 2 ? (int16_t)bits : type.bytes == 4 ? (double)(int32_t)low : (double)(int64_t)bits;
}

/* The magic words: "n+1" in a file with its voxels, "ni1" in the header of a pair of files. */
static bool is_magic(const uint8_t *p, char version)
{
    return p[0] == 'n' && (p[1] == '+' || p[1] == 'i') && p[2] == (uint8_t)version && !p[3];
}

int io_nifti_probe(const uint8_t *head, size_t size, bool *little)
{
    for (int version = 0; version < 2; version++) {
        const int header = layouts[version].header, magic = layouts[version].magic;
        if (size < (size_t)magic + 4 || !is_magic(head + magic, version ? '2' : '1')) continue;
        const int low = header & 255, high = header >> 8;
        *little = head[0] == low && head[1] == high && !head[2] && !head[3];
        if (*little || (!head[0] && !head[1] && head[2] == high && head[3] == low)) return header;
    }
    return 0;
}

/* Reads the number of axes and the extents, dim[0..7]. */
static peft_status read_extents(const source *s, io_nifti *out)
{
    const double axes = field(s, s->at->dim, s->at->dim_type, 0);
    if (!(axes >= 1 && axes <= 7))
        return io_fail(PEFT_E_FORMAT, "NIfTI: dim[0], the number of axes, is %g; expected 1 to 7", axes);
    out->volumes = 1;
    for (int i = 1; i <= 7; i++) {
        const double extent = i <= (int)axes ? field(s, s->at->dim, s->at->dim_type, i) : 1;
        int64_t *to = i <= 3 ? &out->dim[i - 1] : &out->volumes;
        if (!(extent >= 1 && extent <= 0x1p40))
            return io_fail(PEFT_E_FORMAT, "NIfTI: dim[%d], the extent of axis %d, is %g; expected 1 or more", i, i,
                           extent);
        if (i <= 3) *to = (int64_t)extent;
        else if (__builtin_mul_overflow(*to, (int64_t)extent, to))
            return io_fail(PEFT_E_FORMAT, "NIfTI: dim: the number of volumes is beyond 2^63");
    }
    return PEFT_OK;
}

static peft_status read_type(const source *s, io_nifti *out)
{
    const io_number code_type = { 'i', 2, true };
    const int code = (int)field(s, s->at->datatype, code_type, 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code != code) continue;
        if (!types[i].channels)
            return io_fail(PEFT_E_UNSUPPORTED, "NIfTI: voxels of type %s are not read; save them as int16, uint8 or "
                           "float32", types[i].name);
        out->number = types[i].number;
        out->number.little = s->little;
        out->channels = types[i].channels;
        return PEFT_OK;
    }
    return io_fail(PEFT_E_FORMAT, "NIfTI: datatype is %d, which is no type of voxels", code);
}

/* A slope of 0 or one that is no number means that there is none, as in nibabel. Colours have none. */
static peft_status read_scale(const source *s, io_nifti *out)
{
    const double slope = field(s, s->at->scl_slope, s->at->real, 0), inter = field(s, s->at->scl_inter, s->at->real, 0);
    char text[2][32];
    out->slope = 1;
    out->intercept = 0;
    if (!isfinite(slope) || slope == 0 || out->channels != 1) return PEFT_OK;
    if (!(fabs(inter) <= 1e30) || !(fabs(slope) >= 1e-30 && fabs(slope) <= 1e30))
        return io_fail(PEFT_E_FORMAT, "NIfTI: scl_slope is %s, scl_inter %s; expected a slope of 1e-30..1e30 and an "
                       "intercept of up to 1e30, both positive or negative", peft_sys_opt_number(text[0], slope),
                       peft_sys_opt_number(text[1], inter));
    out->slope = slope;
    out->intercept = inter;
    return PEFT_OK;
}

/* Where the voxels begin, and how many bytes they have. */
static peft_status read_place(const source *s, io_nifti *out)
{
    const int first = s->at->header + 4;                      /* behind the header and the 4 bytes on extensions */
    const double offset = field(s, s->at->vox_offset, s->at->offset_type, 0);
    int64_t bytes = (int64_t)out->number.bytes * out->channels;
    if (!(offset == 0 || (offset >= first && offset <= 0x1p53)))
        return io_fail(PEFT_E_FORMAT, "NIfTI: vox_offset is %g; expected %d or more", offset, first);
    out->offset = offset > 0 ? (int64_t)offset : first;
    for (int i = 0; i < 4; i++)
        if (__builtin_mul_overflow(bytes, i < 3 ? out->dim[i] : out->volumes, &bytes) || bytes > 1ll << 60)
            return io_fail(PEFT_E_FORMAT, "NIfTI: dim states more than 2^60 bytes of voxels");
    out->bytes = bytes;
    return PEFT_OK;
}

/* The decimal number with the fewest digits that has this float, such as 0.8 of 0.800000012: nine digits tell all
 * floats apart. */
static double shortest_decimal(float v)
{
    for (int digits = 1; digits < 9 && v >= 1e-9f && v <= 1e9f; digits++) {
        const int shift = digits - 1 - (int)floor(log10((double)v));
        const double scale = pow(10, abs(shift)), r = shift < 0 ? round(v / scale) * scale : round(v * scale) / scale;
        if ((float)r == v) return r;
    }
    return v;
}

/* The sizes of voxels, pixdim[1..3], in millimetres: the low three bits of xyzt_units are 1 for metres, 3 for
 * micrometres, and 2 for millimetres, as which files without a unit are taken. */
static void read_spacing(const source *s, io_nifti *out)
{
    const int at = s->at->xyzt_units + (s->at->header == IO_NIFTI_2 && !s->little ? 3 : 0);
    const int unit = s->head[at] & 7;
    for (int i = 0; i < 3; i++) {
        const double stored = fabs(field(s, s->at->pixdim, s->at->real, 1 + i));
        const double size = s->at->real.bytes == 4 ? shortest_decimal((float)stored) : stored;
        out->spacing[i] = io_known_spacing(size * (unit == 1 ? 1e3 : unit == 3 ? 1e-3 : 1));
    }
}

/* The matrix of a unit quaternion, whose columns are scaled by the size of a voxel; the third is turned if pixdim[0],
 * qfac, is -1. */
static void quaternion_matrix(const source *s, double to[3][3])
{
    const double b = field(s, s->at->quatern_b, s->at->real, 0), c = field(s, s->at->quatern_b, s->at->real, 1);
    const double d = field(s, s->at->quatern_b, s->at->real, 2), rest = 1 - (b * b + c * c + d * d);
    const double a = rest > 0 ? sqrt(rest) : 0;
    const double turned = field(s, s->at->pixdim, s->at->real, 0) < 0 ? -1 : 1;
    const double m[3][3] = {
        { a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c) },
        { 2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b) },
        { 2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c } };
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 3; i++)
            to[r][i] = m[r][i] * field(s, s->at->pixdim, s->at->real, 1 + i) * (i == 2 ? turned : 1);
}

/* The sform is taken before the qform, as in nibabel. */
static void read_form(const source *s, io_nifti *out)
{
    out->form = field(s, s->at->sform_code, s->at->code, 0) > 0   ? IO_FORM_SFORM
                : field(s, s->at->qform_code, s->at->code, 0) > 0 ? IO_FORM_QFORM : IO_FORM_NONE;
    if (out->form == IO_FORM_QFORM) quaternion_matrix(s, out->direction);
    for (int r = 0; r < 3 && out->form == IO_FORM_SFORM; r++)
        for (int i = 0; i < 3; i++) out->direction[r][i] = field(s, s->at->srow_x, s->at->real, 4 * r + i);
}

peft_status io_nifti_read_header(const uint8_t *head, size_t size, io_nifti *out)
{
    source s = { .head = head };
    const int header = io_nifti_probe(head, size, &s.little);
    s.at = &layouts[header == IO_NIFTI_2];
    *out = (io_nifti){ 0 };
    if (!header) return io_fail(PEFT_E_FORMAT, "NIfTI: not a NIfTI header");
    if (size < (size_t)header) return io_fail(PEFT_E_FORMAT, "NIfTI: the file ends within its header");
    if (head[s.at->magic + 1] != '+')
        return io_fail(PEFT_E_UNSUPPORTED, "NIfTI: the header of a pair .hdr and .img is not read; convert both to one "
                       ".nii file");
    peft_status status = read_extents(&s, out);
    if (!status) status = read_type(&s, out);
    if (!status) status = read_scale(&s, out);
    if (!status) status = read_place(&s, out);
    if (!status) read_form(&s, out);
    if (!status) read_spacing(&s, out);
    return status;
}
