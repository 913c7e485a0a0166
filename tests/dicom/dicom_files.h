/* SPDX-License-Identifier: Apache-2.0
 * dicom_files.h -- writes DICOM files into memory, element by element. */
#ifndef DICOM_FILES_H
#define DICOM_FILES_H
#include "io_files.h"
#include <stdbool.h>

#define IMPLICIT_LITTLE "1.2.840.10008.1.2"
#define EXPLICIT_LITTLE "1.2.840.10008.1.2.1"
#define EXPLICIT_BIG "1.2.840.10008.1.2.2"
#define RLE_LOSSLESS "1.2.840.10008.1.2.5"
#define JPEG_BASELINE "1.2.840.10008.1.2.4.50"
#define JPEG_2000 "1.2.840.10008.1.2.4.90"

typedef struct dicom { unsigned char data[1 << 16]; size_t size; bool implicit, big; } dicom;

static inline void put_bytes(dicom *d, const void *bytes, size_t n)
{
    ck_assert_uint_le(d->size + n, sizeof d->data);
    if (n) memcpy(d->data + d->size, bytes, n);
    d->size += n;
}

/* A number of n bytes in the file's byte order. */
static inline void put_number(dicom *d, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) {
        const unsigned char byte = (unsigned char)(v >> 8 * (d->big ? n - 1 - i : i));
        put_bytes(d, &byte, 1);
    }
}

/* Tag, VR and length of an element; tag: group and element, as 0x00100020. */
static inline void put_tag(dicom *d, uint32_t tag, const char *vr, uint32_t length)
{
    const bool long_length = strstr("OB OW OF OD OL SQ UN UT", vr) != NULL;
    put_number(d, tag >> 16, 2);
    put_number(d, tag & 0xffff, 2);
    if (!d->implicit) put_bytes(d, vr, 2);
    if (!d->implicit && long_length) put_number(d, 0, 2);
    put_number(d, length, d->implicit || long_length ? 4 : 2);
}

/* An element of bytes, padded to an even length by a blank, in UIDs by a 0. */
static inline void put(dicom *d, uint32_t tag, const char *vr, const void *bytes, size_t n)
{
    put_tag(d, tag, vr, (uint32_t)(n + n % 2));
    put_bytes(d, bytes, n);
    if (n % 2) put_bytes(d, strcmp(vr, "UI") ? " " : "\0", 1);
}

/* NULL: the element is left out. */
static inline void put_text(dicom *d, uint32_t tag, const char *vr, const char *text)
{
    if (text) put(d, tag, vr, text, strlen(text));
}

static inline void put_short(dicom *d, uint32_t tag, int v)
{
    put_tag(d, tag, "US", 2);
    put_number(d, (uint32_t)v & 0xffff, 2);
}

/* Preamble, DICM and the meta header with the transfer syntax. */
static inline void begin(dicom *d, const char *syntax)
{
    static const char preamble[128];
    *d = (dicom){ .size = 0 };
    put_bytes(d, preamble, sizeof preamble);
    put_bytes(d, "DICM", 4);
    put_tag(d, 0x00020000, "UL", 4);
    put_number(d, (uint32_t)(8 + (strlen(syntax) + 1) / 2 * 2), 4);
    put_text(d, 0x00020010, "UI", syntax);
    d->implicit = !strcmp(syntax, IMPLICIT_LITTLE);
    d->big = !strcmp(syntax, EXPLICIT_BIG);
}

/* A look-up table: a descriptor and its entries. */
/* vr: of the descriptor; NULL: US. */
typedef struct table { int entries, first, bits; const uint16_t *entry; const char *vr; } table;

/* A sequence of one item that holds the table. */
static inline void put_table_sequence(dicom *d, uint32_t tag, const table *t, const char *name)
{
    put_tag(d, tag, "SQ", 0xffffffff);
    put_number(d, 0xfffe, 2), put_number(d, 0xe000, 2), put_number(d, 0xffffffff, 4);
    put_tag(d, 0x00283002, t->vr ? t->vr : "US", 6);
    put_number(d, (uint32_t)t->entries & 0xffff, 2);
    put_number(d, (uint32_t)t->first & 0xffff, 2);
    put_number(d, (uint32_t)t->bits, 2);
    put_text(d, 0x00283003, "LO", name);
    put_tag(d, 0x00283006, "OW", (uint32_t)(2 * t->entries));
    for (int i = 0; i < t->entries; i++) put_number(d, t->entry[i], 2);
    put_number(d, 0xfffe, 2), put_number(d, 0xe00d, 2), put_number(d, 0, 4);
    put_number(d, 0xfffe, 2), put_number(d, 0xe0dd, 2), put_number(d, 0, 4);
}

/* The elements of a picture; those that are NULL or 0 are left out, but for numbers that every file has. */
typedef struct scan {
    const char *series, *number, *position, *orientation;     /* series, number NULL: 1.2.3.1 and 5 */
    const char *syntax, *photometric, *frames, *slope, *intercept, *centre, *width, *names, *function, *spacing;
    int rows, columns, channels, planar, allocated, stored, high_bit, is_signed;
    const table *modality, *voi, *palette;                    /* palette: of red, green and blue */
    const void *pixels;                                       /* in the order of this machine; compressed: a fragment */
    size_t size;
} scan;

/* Pixels: one element, or for compressed ones an empty offset table and one fragment. */
static inline void put_pixels(dicom *d, const scan *s)
{
    const bool compressed = strcmp(s->syntax, IMPLICIT_LITTLE) && strcmp(s->syntax, EXPLICIT_LITTLE) &&
                            strcmp(s->syntax, EXPLICIT_BIG);
    const int unit = s->allocated == 16 ? 2 : 1;
    put_tag(d, 0x7fe00010, compressed || unit == 1 ? "OB" : "OW", compressed ?
            0xffffffff : (uint32_t)(s->size + s->size % 2));
    if (compressed) {
        put_number(d, 0xfffe, 2), put_number(d, 0xe000, 2), put_number(d, 0, 4);
        put_number(d, 0xfffe, 2), put_number(d, 0xe000, 2), put_number(d, (uint32_t)(s->size + s->size % 2), 4);
    }
    for (size_t i = 0; i < s->size / (size_t)unit; i++)
        put_number(d, unit == 1 ? ((const uint8_t *)s->pixels)[i] : ((const uint16_t *)s->pixels)[i], unit);
    if (s->size % 2) put_number(d, 0, 1);
    if (compressed) put_number(d, 0xfffe, 2), put_number(d, 0xe0dd, 2), put_number(d, 0, 4);
}

static inline void make_dicom(dicom *d, const scan *s)
{
    const scan plain = { .syntax = EXPLICIT_LITTLE };
    begin(d, s->syntax ? s->syntax : plain.syntax);
    put_text(d, 0x00080018, "UI", "1.2.3.4");
    put_text(d, 0x00080060, "CS", "CT");
    put_text(d, 0x00100020, "LO", "P 17");
    put_text(d, 0x0020000d, "UI", "1.2.3");
    put_text(d, 0x0020000e, "UI", s->series ? s->series : "1.2.3.1");
    put_text(d, 0x00200013, "IS", s->number ? s->number : "5");
    put_text(d, 0x00200032, "DS", s->position);
    put_text(d, 0x00200037, "DS", s->orientation);
    put_short(d, 0x00280002, s->channels ? s->channels : 1);
    put_text(d, 0x00280004, "CS", s->photometric ? s->photometric : "MONOCHROME2");
    if (s->channels == 3) put_short(d, 0x00280006, s->planar);
    put_text(d, 0x00280008, "IS", s->frames);
    put_short(d, 0x00280010, s->rows);
    put_short(d, 0x00280011, s->columns);
    put_text(d, 0x00280030, "DS", s->spacing);
    put_short(d, 0x00280100, s->allocated);
    put_short(d, 0x00280101, s->stored);
    put_short(d, 0x00280102, s->high_bit ? s->high_bit : s->stored - 1);
    put_short(d, 0x00280103, s->is_signed);
    put_text(d, 0x00281050, "DS", s->centre);
    put_text(d, 0x00281051, "DS", s->width);
    put_text(d, 0x00281052, "DS", s->intercept);
    put_text(d, 0x00281053, "DS", s->slope);
    put_text(d, 0x00281055, "LO", s->names);
    put_text(d, 0x00281056, "CS", s->function);
    for (uint32_t c = 0; c < 3 && s->palette; c++) {
        put_tag(d, 0x00281101 + c, "US", 6);
        put_number(d, (uint32_t)s->palette[c].entries, 2);
        put_number(d, (uint32_t)s->palette[c].first & 0xffff, 2);
        put_number(d, (uint32_t)s->palette[c].bits, 2);
    }
    for (uint32_t c = 0; c < 3 && s->palette; c++) {
        put_tag(d, 0x00281201 + c, "OW", (uint32_t)(2 * s->palette[c].entries));
        for (int i = 0; i < s->palette[c].entries; i++) put_number(d, s->palette[c].entry[i], 2);
    }
    if (s->modality) put_table_sequence(d, 0x00283000, s->modality, "MOD");
    if (s->voi) put_table_sequence(d, 0x00283010, s->voi, "CURVE");
    const scan with_syntax = { .syntax = s->syntax ? s->syntax : plain.syntax, .allocated = s->allocated,
                               .pixels = s->pixels, .size = s->size };
    if (s->pixels) put_pixels(d, &with_syntax);
}

/* The beginning and the end of a sequence of one item, or of the items between them. */
static inline void put_delimiter(dicom *d, int element, uint32_t length)
{
    put_number(d, 0xfffe, 2), put_number(d, (uint32_t)element, 2), put_number(d, length, 4);
}

/* A record of a directory: a file by the parts of its path, "IMAGES\\IM1", NULL: none. */
typedef struct record { const char *type, *file; int unused; } record;

/* The DICOMDIR of a medium with these records. */
static inline void make_directory(dicom *d, const record *r, int count)
{
    begin(d, EXPLICIT_LITTLE);
    put_text(d, 0x00041130, "CS", "MEDIUM");
    put_tag(d, 0x00041220, "SQ", 0xffffffff);
    for (int i = 0; i < count; i++) {
        put_delimiter(d, 0xe000, 0xffffffff);
        put_short(d, 0x00041410, r[i].unused ? 0 : 0xffff);
        put_text(d, 0x00041430, "CS", r[i].type);
        put_text(d, 0x00041500, "CS", r[i].file);
        put_delimiter(d, 0xe00d, 0);
    }
    put_delimiter(d, 0xe0dd, 0);
}

/* Loads the scan. */
static inline peft_image *load_scan(const scan *s, const char *options)
{
    dicom d;
    peft_image *im;
    make_dicom(&d, s);
    ok(peft_image_load_memory(io_ctx, d.data, d.size, options, &im));
    return im;
}

/* The scan must be refused with this word in the message. */
static inline void refused(peft_status status, const char *word, const scan *s, const char *options)
{
    dicom d;
    peft_image *im = NULL;
    make_dicom(&d, s);
    fails(status, word, peft_image_load_memory(io_ctx, d.data, d.size, options, &im));
    ck_assert_ptr_null(im);
}
#endif
