/* SPDX-License-Identifier: Apache-2.0
 * header.h -- io_nifti: what the header of a NIfTI file states, checked. */
#ifndef IO_NIFTI_HEADER_H
#define IO_NIFTI_HEADER_H
#include "io/format/pixels/samples.h"

enum { IO_NIFTI_1 = 348, IO_NIFTI_2 = 540 };                  /* bytes of the header, by which a version is known */
/* The matrix of a file that states how its axes lie in the body. */
typedef enum io_nifti_form { IO_FORM_NONE, IO_FORM_SFORM, IO_FORM_QFORM } io_nifti_form;
typedef struct io_nifti {
    int64_t dim[3], volumes;                                  /* voxels along each axis; volumes: all further axes */
    io_number number;
    int channels;                                             /* of a voxel: 1, or 3 (RGB) */
    double slope, intercept;                                  /* value = slope * number + intercept; 1 and 0: none */
    int64_t offset, bytes;                                    /* of the voxels in the file, and of all of them */
    double spacing[3];                                        /* mm between voxels along each axis; 0: not known */
    io_nifti_form form;
    double direction[3][3];                                   /* [r][i]: millimetres along R, A, S a voxel along i */
} io_nifti;

/* 0: the bytes do not begin as a NIfTI file. Else the bytes of its header; *little: its byte order. A file whose first
 * bytes are there but not its magic word is none. */
int io_nifti_probe(const uint8_t *head, size_t size, bool *little);
/* Reads the header. PEFT_E_FORMAT, PEFT_E_UNSUPPORTED: a message that names the field. */
peft_status io_nifti_read_header(const uint8_t *head, size_t size, io_nifti *out);

/* Axis r of a volume (r 0: to the right, 1: anterior, 2: superior) lies along axis[r] of the file's voxels, from the
 * last one to the first if reversed[r]. */
typedef struct io_axes { int axis[3]; bool reversed[3]; } io_axes;
/* The closest such axes, those of nibabel's as_closest_canonical. PEFT_E_UNSUPPORTED: the file does not state a
 * usable matrix. */
peft_status io_nifti_axes(const io_nifti *n, io_axes *out);
/* The direction in which each axis of the file's voxels counts up: one of R L A P S I; 0: not stated. */
void io_nifti_letters(const io_nifti *n, char letter[3]);
#endif
