/* SPDX-License-Identifier: Apache-2.0
 * nifti_files.h -- writes NIfTI files in memory, of both versions and byte orders. */
#ifndef NIFTI_FILES_H
#define NIFTI_FILES_H
#include "io_files.h"
#include <math.h>
#include <stdbool.h>
#include <zlib.h>

/* What the file states. Fields of 0 are those of a file without them; dim[0] is the number of axes. */
typedef struct nifti {
    int version;                                              /* 1 or 2 */
    bool big_endian, pair;                                    /* pair: the magic word of a header without voxels */
    int dim[8], datatype, units;                              /* units: xyzt_units */
    double slope, inter;
    int sform_code, qform_code;
    double srow[3][4], quatern[3], pixdim[4];
} nifti;

/* Writes an unsigned number of n bytes. */
static inline void put_int(uint8_t *p, uint64_t v, int n, bool big)
{
    for (int i = 0; i < n; i++) p[big ? n - 1 - i : i] = (uint8_t)(i < 8 ? v >> 8 * i : 0);
}

/* Writes a float of 4 or 8 bytes. */
static inline void put_real(uint8_t *p, double v, int n, bool big)
{
    const float single = (float)v;
    uint32_t low;
    uint64_t bits;
    memcpy(&low, &single, 4);
    memcpy(&bits, &v, 8);
    put_int(p, n == 4 ? low : bits, n, big);
}

enum { NIFTI_1_VOXELS = 352, NIFTI_2_VOXELS = 544 };
static inline size_t nifti_header(const nifti *n, uint8_t *to)
{
    const bool two = n->version == 2, big = n->big_endian;
    const int real = two ? 8 : 4, code = two ? 4 : 2;
    const size_t voxels = two ? NIFTI_2_VOXELS : NIFTI_1_VOXELS;
    memset(to, 0, voxels);
    put_int(to, two ? 540 : 348, 4, big);
    memcpy(to + (two ? 4 : 344), n->pair ? two ? "ni2" : "ni1" : two ? "n+2" : "n+1", 4);
    if (two) memcpy(to + 8, "\r\n\032\n", 4);
    for (int i = 0; i < 8; i++) put_int(to + (two ? 16 + 8 * i : 40 + 2 * i), (uint64_t)n->dim[i], two ? 8 : 2, big);
    put_int(to + (two ? 12 : 70), (uint64_t)n->datatype, 2, big);
    for (int i = 0; i < 4; i++) put_real(to + (two ? 104 : 76) + i * real, n->pixdim[i], real, big);
    if (two) put_int(to + 168, voxels, 8, big);
    else put_real(to + 108, (double)voxels, 4, big);
    put_real(to + (two ? 176 : 112), n->slope, real, big);
    put_real(to + (two ? 184 : 116), n->inter, real, big);
    put_int(to + (two ? 500 : 123), (uint64_t)n->units, two ? 4 : 1, big);
    put_int(to + (two ? 344 : 252), (uint64_t)n->qform_code, code, big);
    put_int(to + (two ? 348 : 254), (uint64_t)n->sform_code, code, big);
    for (int i = 0; i < 3; i++) put_real(to + (two ? 352 : 256) + i * real, n->quatern[i], real, big);
    for (int i = 0; i < 12; i++) put_real(to + (two ? 400 : 280) + i * real, n->srow[i / 4][i % 4], real, big);
    return voxels;
}

/* A file of voxels of `bytes` bytes each, which are put by their bits. The caller frees it. */
static inline uint8_t *nifti_file(const nifti *n, const uint64_t *voxel, size_t count, int bytes, size_t *size)
{
    uint8_t *file = malloc(NIFTI_2_VOXELS + count * (size_t)bytes);
    const size_t at = nifti_header(n, file);
    for (size_t i = 0; i < count; i++) put_int(file + at + i * (size_t)bytes, voxel[i], bytes, n->big_endian);
    *size = at + count * (size_t)bytes;
    return file;
}

/* The file as one member of gzip. The caller frees it. */
static inline uint8_t *gzipped(const uint8_t *file, size_t size, size_t *packed)
{
    z_stream z = { 0 };
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    const size_t most = deflateBound(&z, size);
    uint8_t *out = malloc(most), *in = malloc(size);
    memcpy(in, file, size);
    z.next_in = in, z.avail_in = (uInt)size, z.next_out = out, z.avail_out = (uInt)most;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed = z.total_out;
    deflateEnd(&z);
    free(in);
    return out;
}
#endif
