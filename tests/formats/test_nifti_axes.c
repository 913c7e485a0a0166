/* SPDX-License-Identifier: Apache-2.0
 * test_nifti_axes.c -- the option orient=ras of NIfTI files: a volume that is stored in any of the 48 orders and
 * directions of its axes gives the same slices, by sform and by qform; real volumes, with PEFT_SHARED. */
#include "nifti_files.h"
#include "io/format/nifti/header.h"
#include "io/image/image.h"
#include <dirent.h>

/* Extents to the right, anterior and superior of the volume below, and the value of a voxel. */
static const int extent[3] = { 2, 3, 4 };
static int value_at(const int at[3]) { return at[0] + 10 * at[1] + 100 * at[2]; }

/* How a file stores the volume: axis i of the file lies along to[i], from its end if turned[i]. */
typedef struct order { int to[3]; bool turned[3]; } order;

static order order_of(int code)
{
    static const int to[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    order o;
    memcpy(o.to, to[code / 8], sizeof o.to);
    for (int i = 0; i < 3; i++) o.turned[i] = code >> i & 1;
    return o;
}

/* The file of this order without a matrix. */
static nifti header_of(const order *o)
{
    nifti n = { .version = 1, .dim = { 3 }, .datatype = 4, .pixdim = { 1, 2, 3, 4 } };
    for (int i = 0; i < 3; i++) n.dim[1 + i] = extent[o->to[i]];
    return n;
}

/* The sizes of voxels times a small rotation about the axis R, which changes no direction. */
static void matrix_of(const order *o, double to[3][3])
{
    const double c = cos(0.3), s = sin(0.3), turn[3][3] = { { 1, 0, 0 }, { 0, c, -s }, { 0, s, c } };
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 3; i++) to[r][i] = turn[r][o->to[i]] * (o->turned[i] ? -1 : 1);
}

static void set_sform(nifti *n, double m[3][3])
{
    n->sform_code = 1;
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 3; i++) n->srow[r][i] = m[r][i] * n->pixdim[1 + i];
}

/* The quaternion of the rotation m, whose third column is turned if m is a reflection. */
static void set_qform(nifti *n, double m[3][3])
{
    double d = 0;
    for (int i = 0; i < 3; i++)
        d += m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]);
    const double f = d < 0 ? -1 : 1;
    double r[3][3], q[4] = { 0 }, best = 0;
    for (int i = 0; i < 3; i++) r[i][0] = m[i][0], r[i][1] = m[i][1], r[i][2] = f * m[i][2];
    /* 4 q q^T by its entries: the row with the largest diagonal is a multiple of q. */
    const double k[4][4] = {
        { 1 + r[0][0] + r[1][1] + r[2][2], r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1] },
        { r[2][1] - r[1][2], 1 + r[0][0] - r[1][1] - r[2][2], r[0][1] + r[1][0], r[0][2] + r[2][0] },
        { r[0][2] - r[2][0], r[0][1] + r[1][0], 1 - r[0][0] + r[1][1] - r[2][2], r[1][2] + r[2][1] },
        { r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], 1 - r[0][0] - r[1][1] + r[2][2] } };
    for (int i = 0; i < 4; i++)
        if (k[i][i] > best) best = k[i][i], memcpy(q, k[i], sizeof q);
    const double length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]) * (q[0] < 0 ? -1 : 1);
    n->qform_code = 1;
    n->pixdim[0] = f;
    for (int i = 0; i < 3; i++) n->quatern[i] = q[1 + i] / length;
}

/* The voxels of the volume in the order of the file. The caller frees it. */
static uint8_t *file_of(const nifti *n, const order *o, size_t *size)
{
    uint64_t v[24];
    int at[3], count = 0;
    for (int z = 0; z < n->dim[3]; z++)
        for (int y = 0; y < n->dim[2]; y++)
            for (int x = 0; x < n->dim[1]; x++) {
                const int stored[3] = { x, y, z };
                for (int i = 0; i < 3; i++)
                    at[o->to[i]] = o->turned[i] ? extent[o->to[i]] - 1 - stored[i] : stored[i];
                v[count++] = (uint64_t)value_at(at);
            }
    return nifti_file(n, v, 24, 2, size);
}

/* The directions of columns, rows and slices, as read by these options. */
static void directions_are(const uint8_t *file, size_t size, const char *options, const char *want)
{
    peft_image *im;
    ok(peft_image_load_memory(io_ctx, file, size, options, &im));
    ck_assert_str_eq(peft_image_directions(im), want);
    const char opposite = *want ? strchr("RLRAPASIS", *want)[1] : 0;
    peft_image *mirrored;
    ok(peft_image_flip(im, &mirrored));
    ck_assert_int_eq(peft_image_directions(mirrored)[0], opposite);
    if (*want) ck_assert_str_eq(peft_image_directions(mirrored) + 1, want + 1);
    peft_image_free(mirrored);
    peft_image_free(im);
}

static void all_directions_are_right(const uint8_t *file, size_t size, const order *o)
{
    char letter[3];
    for (int i = 0; i < 3; i++) letter[i] = o->turned[i] ? "LPI"[o->to[i]] : "RAS"[o->to[i]];
    directions_are(file, size, "slice=0", (char[]){ letter[0], letter[1], letter[2], 0 });
    directions_are(file, size, "slice=1 axis=1", (char[]){ letter[0], letter[2], letter[1], 0 });
    directions_are(file, size, "slice=1 axis=0", (char[]){ letter[1], letter[2], letter[0], 0 });
    directions_are(file, size, "slice=1 orient=ras", "RAS");
    directions_are(file, size, "slice=1 axis=1 orient=ras", "RSA");
    directions_are(file, size, "slice=1 axis=0 orient=ras", "ASR");
}

/* All slices along all axes are those of the volume. */
static void volume_is_right(const uint8_t *file, size_t size, int code)
{
    for (int axis = 0; axis < 3; axis++)
        for (int slice = 0; slice < extent[axis]; slice++) {
            char options[60];
            peft_image *im;
            const int across = axis == 0 ? 1 : 0, down = axis == 2 ? 1 : 2;
            snprintf(options, sizeof options, "orient=ras axis=%d slice=%d", axis, slice);
            ok(peft_image_load_memory(io_ctx, file, size, options, &im));
            ck_assert(peft_image_width(im) == extent[across] && peft_image_height(im) == extent[down]);
            for (int i = 0; i < extent[across] * extent[down]; i++) {
                int at[3];
                at[axis] = slice, at[across] = i % extent[across], at[down] = i / extent[across];
                ck_assert_msg(((const int16_t *)peft_image_pixels(im))[i] == value_at(at),
                              "order %d, axis %d, slice %d, pixel %d: %d, expected %d", code, axis, slice, i,
                              ((const int16_t *)peft_image_pixels(im))[i], value_at(at));
            }
            peft_image_free(im);
        }
}

START_TEST(volumes_stored_in_any_order_are_equal)
{
    for (int code = 0; code < 48; code++)
        for (int by_qform = 0; by_qform < 2; by_qform++) {
            const order o = order_of(code);
            nifti n = header_of(&o);
            double m[3][3];
            size_t size;
            matrix_of(&o, m);
            if (by_qform) set_qform(&n, m);
            else set_sform(&n, m);
            n.version = 1 + code % 2;
            n.big_endian = code % 3 == 0;
            uint8_t *file = file_of(&n, &o, &size);
            volume_is_right(file, size, code);
            all_directions_are_right(file, size, &o);
            free(file);
        }
}
END_TEST

/* The sform counts before the qform; without both, or with a singular one, nothing is guessed. */
START_TEST(which_matrix_counts)
{
    const order straight = order_of(0), turned = order_of(7);
    nifti n = header_of(&straight);
    double m[3][3];
    size_t size;
    peft_image *im;
    uint8_t *file = file_of(&n, &straight, &size);
    fails(PEFT_E_UNSUPPORTED, "neither an sform nor a qform",
          peft_image_load_memory(io_ctx, file, size, "slice=0 orient=ras", &im));
    directions_are(file, size, "slice=0 orient=stored", "");
    free(file);
    matrix_of(&turned, m);
    set_qform(&n, m);
    matrix_of(&straight, m);
    set_sform(&n, m);
    file = file_of(&n, &straight, &size);
    volume_is_right(file, size, 0);
    free(file);
    for (int r = 0; r < 3; r++) n.srow[r][1] = n.srow[r][0];
    file = file_of(&n, &straight, &size);
    fails(PEFT_E_UNSUPPORTED, "sform is singular",
          peft_image_load_memory(io_ctx, file, size, "slice=0 orient=ras", &im));
    directions_are(file, size, "slice=0", "");
    free(file);
}
END_TEST

/* Axes that lie at 45 degrees between two directions get different ones, the strongest first. */
START_TEST(oblique_axes_get_different_directions)
{
    io_nifti n = { .form = IO_FORM_SFORM };
    io_axes axes;
    const double tilt[3][3] = { { 1, 1, 0.1 }, { 1, -1, 0.1 }, { 0.2, 0.1, 9 } };
    memcpy(n.direction, tilt, sizeof tilt);
    ok(io_nifti_axes(&n, &axes));
    ck_assert_int_eq(axes.axis[0] + axes.axis[1], 1);
    ck_assert_int_ne(axes.axis[0], axes.axis[1]);
    ck_assert_int_eq(axes.axis[2], 2);
    ck_assert(!axes.reversed[2]);
}
END_TEST

/* The values of a volume read along one axis, in the order of its voxels. NULL: refused. The caller frees it. */
static double *volume_of(const char *path, const char *orient, int axis, int64_t dim[3])
{
    char options[100];
    int64_t slices;
    double *v = NULL;
    snprintf(options, sizeof options, "orient=%s axis=%d", orient, axis);
    if (peft_image_slices(io_ctx, path, options, &slices)) return NULL;
    dim[axis] = slices;
    for (int64_t s = 0; s < slices; s++) {
        peft_image *im;
        snprintf(options, sizeof options, "orient=%s axis=%d slice=%lld volume=0", orient, axis, (long long)s);
        ok(peft_image_load(io_ctx, path, options, &im));
        const int across = axis == 0 ? 1 : 0, down = axis == 2 ? 1 : 2;
        const int64_t width = dim[across] = im->width, height = dim[down] = im->height;
        if (!v) v = malloc((size_t)(dim[0] * dim[1] * dim[2]) * sizeof *v);
        for (int64_t i = 0; i < width * height; i++) {
            int64_t at[3];
            at[axis] = s, at[across] = i % width, at[down] = i / width;
            v[(at[2] * dim[1] + at[1]) * dim[0] + at[0]] = io_value(im, i);
        }
        peft_image_free(im);
    }
    return v;
}

/* Real volumes have the same voxels along each axis, as they are stored and turned to RAS. */
START_TEST(real_volumes_agree_along_their_axes)
{
    const char *shared = shared_folder();
    if (!shared) return;
    struct dirent **entry;
    char folder[400];
    int read = 0;
    snprintf(folder, sizeof folder, "%s/data/nifti", shared);
    const int n = scandir(folder, &entry, NULL, alphasort);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%.190s", folder, entry[i]->d_name);
        free(entry[i]);
        if (!strstr(path, ".nii")) continue;
        for (int ras = 0; ras < 2; ras++) {
            const char *orient = ras ? "ras" : "stored";
            int64_t dim[3][3];
            double *v[3];
            for (int axis = 0; axis < 3; axis++) v[axis] = volume_of(path, orient, axis, dim[axis]);
            if (ras && !v[0]) continue;                       /* without a matrix */
            ck_assert_msg(v[0] && v[1] && v[2], "%s: %s", path, peft_last_error());
            const size_t bytes = (size_t)(dim[0][0] * dim[0][1] * dim[0][2]) * sizeof(double);
            for (int axis = 1; axis < 3; axis++)
                ck_assert_msg(!memcmp(dim[0], dim[axis], sizeof dim[0]) && !memcmp(v[0], v[axis], bytes),
                              "%s, %s: axes 0 and %d differ", path, orient, axis);
            for (int axis = 0; axis < 3; axis++) free(v[axis]);
            read++;
        }
    }
    free(entry);
    ck_assert_int_gt(read, 4);
}
END_TEST

IO_SUITE_MAIN("nifti axes", volumes_stored_in_any_order_are_equal, which_matrix_counts,
              oblique_axes_get_different_directions, real_volumes_agree_along_their_axes)
