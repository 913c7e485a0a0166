/* SPDX-License-Identifier: Apache-2.0
 * plugin.h -- the interface between libpeft-io and the plug-in libpeft-dicom, which reads DICOM files by DCMTK: C
 * structs and functions, and the one symbol that the plug-in exports. Both sides include this file. The plug-in finds
 * elements and decompresses frames; libpeft-io makes values of the stored samples. */
#ifndef IO_DICOM_PLUGIN_H
#define IO_DICOM_PLUGIN_H
#include "io/format/dicom/segmentation/interface.h"
#include <peft/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Raised with each change of this file. libpeft-io refuses a plug-in of another number. */
#define IO_DICOM_VERSION 9u
/* The file of the plug-in, by the major version of libpeft, and its symbol, of type io_dicom_entry. */
#define IO_DICOM_SYMBOL "peft_dicom_plugin"

/* Texts and arrays in these structs belong to the file, and live until close. A text that the file lacks is "". */

/* A look-up table: of modality values, of a view (VOI LUT), or of a colour of a palette. */
typedef struct io_dicom_table {
    int64_t entries;                                          /* 0: there is no table, or it is broken */
    int64_t first;                                            /* the input that entry 0 belongs to */
    int bits;                                                 /* of an entry */
    const uint16_t *entry;
    const char *name;                                         /* LUTExplanation */
} io_dicom_table;

/* A window of values, which becomes the whole range of the result. broken: which element is no number, and what it is
 * instead; "" where both are. */
typedef struct io_dicom_window { double centre, width; const char *name, *broken; } io_dicom_window;

/* How the stored samples of one frame become values (modality), and what the file offers for showing them. */
typedef struct io_dicom_view {
    bool rescaled;                                            /* slope and intercept are given */
    double slope, intercept;
    io_dicom_table modality;                                  /* takes the place of slope and intercept */
    const char *function;                                     /* of the windows: LINEAR, LINEAR_EXACT, SIGMOID */
    int64_t windows, tables;
    const io_dicom_window *window;
    const io_dicom_table *table;                              /* broken ones have 0 entries */
    bool ignored;                                             /* the first VOI LUT lacks LUT Descriptor or LUT Data, so
                                                                 that tables is 0, as in pydicom */
} io_dicom_view;

typedef enum io_dicom_samples { IO_DICOM_INTEGERS, IO_DICOM_FLOATS, IO_DICOM_DOUBLES } io_dicom_samples;

/* Where an image lies, and its number in the series. placed: position (mm) and orientation, the directions of a row and
 * of a column, are 3 and 6 numbers; numbered: Instance Number is one. */
typedef struct io_dicom_place {
    bool placed, numbered;
    double position[3], orientation[6], number;
} io_dicom_place;

/* What the header says. Sizes and bits are as they stand in the file, not checked, and 0 where they are absent; frames
 * is at least 1. Open has refused integer pixels without High Bit, Pixel Representation or, in colour, Planar
 * Configuration, and pixels that are not compressed and whose length does not fit. */
typedef struct io_dicom_info {
    const char *patient, *study, *series, *instance;          /* PatientID and the UIDs */
    const char *number, *position, *orientation;              /* InstanceNumber, Image..Patient */
    io_dicom_place place;                                     /* the numbers in these texts */
    const char *modality;                                     /* "CT" */
    const char *syntax;                                       /* "JPEG Baseline (1.2.840.10008.1.2.4.50)" */
    const char *photometric;                                  /* "MONOCHROME2" */
    int64_t rows, columns, frames;
    int channels;                                             /* SamplesPerPixel */
    int allocated, stored, high_bit;                          /* bits of a sample */
    bool is_signed, planar;                                   /* planar: PlanarConfiguration is 1 */
    io_dicom_samples samples;
    bool has_pixels, compressed;
    int64_t pixel_bytes;                                      /* of pixels that are not compressed */
    io_dicom_table palette[3];                                /* red, green, blue */
} io_dicom_info;

/* The layout of one frame's samples: integers of 1, 2 or 4 bytes, float or double, in the byte order of the machine.
 * Frames of 1 allocated bit are given with one byte a sample. */
typedef struct io_dicom_layout {
    int bytes;                                                /* of a sample */
    bool planar;                                              /* all samples of a channel, then those of the next */
    bool halved;                                              /* YBR_FULL_422: Y, Y, Cb, Cr for two pixels */
    const char *photometric;                                  /* that of the decompressed samples */
} io_dicom_layout;

typedef struct io_dicom_file io_dicom_file;                   /* an open file; private to the plug-in */

/* Where a function of the plug-in writes why it failed. */
typedef struct io_dicom_message { char text[1024]; } io_dicom_message;

/* The functions of the plug-in. They return PEFT_OK, or an error with a message. A file is used by one thread at a
 * time. */
typedef struct io_dicom_plugin {
    uint32_t version;                                         /* IO_DICOM_VERSION */
    /* Reads the elements of the file data[size], which must stay unchanged until close. header: elements behind
     * the windows (0028,1055) are not looked at: look-up tables, values of single frames, pixels. max_bytes: most bytes
     * of a data set that is stored deflated. */
    peft_status (*open)(const void *data, size_t size, int64_t max_bytes, bool header, io_dicom_file **out,
                        io_dicom_message *why);
    const io_dicom_info *(*info)(const io_dicom_file *f);
    peft_status (*view)(io_dicom_file *f, int64_t frame, io_dicom_view *out, io_dicom_message *why);
    /* Writes the samples of a frame to out[size]; size is at least rows * columns * channels * bytes of a sample.
     * PEFT_E_UNSUPPORTED: a compression that is not decoded. */
    peft_status (*frame)(io_dicom_file *f, int64_t frame, void *out, size_t size, io_dicom_layout *layout,
                         io_dicom_message *why);
    /* Writes the distances in millimetres between slices, rows and columns at a frame to out [3]; 0: the file does not
     * state them. Between slices: of frames that follow each other at equal distances. */
    peft_status (*spacing)(io_dicom_file *f, int64_t frame, double *out, io_dicom_message *why);
    void (*close)(io_dicom_file *f);
    /* Segmentations (segmentation/interface.h). sources_new makes an empty list. sources_add appends an open file,
     * which may be closed then: one whose frames are single may be opened with header, one of several frames may
     * not; *out lives until sources_free. PEFT_E_FORMAT: elements that a reference needs are missing. */
    peft_status (*sources_new)(io_dicom_sources **out, io_dicom_message *why);
    peft_status (*sources_add)(io_dicom_sources *s, io_dicom_file *f, io_dicom_source *out, io_dicom_message *why);
    void (*sources_free)(io_dicom_sources *s);
    /* Makes a segmentation file of the sources; *out belongs to the list, until the next call or sources_free. */
    peft_status (*seg_write)(io_dicom_sources *s, const io_seg_contents *c, const void **out, size_t *size,
                             io_dicom_message *why);
    /* Reads what a segmentation file says, all but its pixels; *out belongs to f. PEFT_E_FORMAT: it is no segmentation,
     * or damaged. PEFT_E_UNSUPPORTED: a kind of segmentation that is not read. */
    peft_status (*seg_read)(io_dicom_file *f, const io_seg_file **out, io_dicom_message *why);
} io_dicom_plugin;

typedef const io_dicom_plugin *io_dicom_entry(void);

#ifdef __cplusplus
}
#endif
#endif
