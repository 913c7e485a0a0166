/* SPDX-License-Identifier: Apache-2.0
 * phantom_dicom.c -- writes a phantom as a DICOM file, as an ultrasound scanner names its files, and its line of the
 * table of labels (phantom.h). */
#include "phantom.h"
#include "common/program/errors.h"
#include <peft/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORED_BITS = 12, PICTURES_OF_PATIENT = 2, PREAMBLE = 128 };

/* Little-endian numbers of n bytes. */
static void put_number(FILE *f, uint64_t v, int n)
{
    for (int i = 0; i < n; i++) fputc((int)(v >> 8 * i & 255), f);
}

/* The tag, type ("UI") and length of an element in explicit little endian. OB and OW have a length of 32 bits. */
static void put_tag(FILE *f, int group, int element, const char *type, size_t length)
{
    put_number(f, (uint64_t)group, 2);
    put_number(f, (uint64_t)element, 2);
    fputs(type, f);
    if (*type == 'O') put_number(f, 0, 2);
    put_number(f, length, *type == 'O' ? 4 : 2);
}

/* Texts have an even number of bytes: UIDs are filled up with 0, others with a blank. */
static void put_text(FILE *f, int group, int element, const char *type, const char *text)
{
    const size_t n = strlen(text);
    put_tag(f, group, element, type, n + n % 2);
    fputs(text, f);
    if (n % 2) fputc(strcmp(type, "UI") ? ' ' : 0, f);
}

static void put_short(FILE *f, int group, int element, int v)
{
    put_tag(f, group, element, "US", 2);
    put_number(f, (uint64_t)v, 2);
}

static const char ultrasound[] = "1.2.840.10008.5.1.4.1.1.6.1";         /* SOP class Ultrasound Image Storage */

/* Writes preamble and file meta information (PS3.10, 7.1). */
static void put_meta(FILE *f, const char *instance)
{
    char *text;
    size_t size;
    FILE *meta = check_alloc(open_memstream(&text, &size));
    put_tag(meta, 0x0002, 0x0001, "OB", 2);
    put_number(meta, 0x0100, 2);                                         /* version: the bytes 0 and 1 */
    put_text(meta, 0x0002, 0x0002, "UI", ultrasound);
    put_text(meta, 0x0002, 0x0003, "UI", instance);
    put_text(meta, 0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1");         /* explicit little endian */
    put_text(meta, 0x0002, 0x0012, "UI", "2.25.1");
    if (fclose(meta)) fail("out of memory");
    for (int i = 0; i < PREAMBLE; i++) fputc(0, f);
    fputs("DICM", f);
    put_tag(f, 0x0002, 0x0000, "UL", 4);
    put_number(f, size, 4);
    fwrite(text, 1, size, f);
    free(text);
}

/* Grey values become samples of 12 bits, which the window of the file maps to the whole range again. */
static void put_pixels(FILE *f, const uint8_t *grey, int64_t side)
{
    put_short(f, 0x0028, 0x0002, 1);                                     /* samples of a pixel */
    put_text(f, 0x0028, 0x0004, "CS", "MONOCHROME2");
    put_short(f, 0x0028, 0x0010, (int)side);
    put_short(f, 0x0028, 0x0011, (int)side);
    put_short(f, 0x0028, 0x0100, 16);                                    /* bits allocated, stored, high bit */
    put_short(f, 0x0028, 0x0101, STORED_BITS);
    put_short(f, 0x0028, 0x0102, STORED_BITS - 1);
    put_short(f, 0x0028, 0x0103, 0);                                     /* unsigned */
    put_text(f, 0x0028, 0x1050, "DS", "2048");                           /* window centre and width */
    put_text(f, 0x0028, 0x1051, "DS", "4096");
    put_tag(f, 0x7fe0, 0x0010, "OW", (size_t)(side * side) * 2);
    for (int64_t i = 0; i < side * side; i++) put_number(f, (uint64_t)grey[i] << (STORED_BITS - 8), 2);
}

long long file_number(const phantom_place *p) { return p->class * p->images + p->index + 1; }

void save_dicom(const char *folder, const phantom_place *p, const uint8_t *grey, int64_t side, FILE *table,
                const char *prefix)
{
    char patient[32], study[64], series[72], instance[96], number[24], *path, *text;
    size_t size;
    const long long file = file_number(p);
    const long long patients = (p->images + PICTURES_OF_PATIENT - 1) / PICTURES_OF_PATIENT;    /* of a class */
    const long long person = p->class * patients + p->index / PICTURES_OF_PATIENT + 1, seed = (long long)p->seed + 1;
    snprintf(patient, sizeof patient, "P%05lld", person);
    snprintf(study, sizeof study, "2.25.%lld.%lld", seed, person);
    snprintf(series, sizeof series, "%s.1", study);
    snprintf(instance, sizeof instance, "2.25.%lld.%lld.1.%lld", seed, person, file);
    snprintf(number, sizeof number, "%lld", (long long)p->index % PICTURES_OF_PATIENT + 1);
    FILE *f = check_alloc(open_memstream(&text, &size));
    put_meta(f, instance);
    put_text(f, 0x0008, 0x0016, "UI", ultrasound);
    put_text(f, 0x0008, 0x0018, "UI", instance);
    put_text(f, 0x0008, 0x0060, "CS", "US");
    put_text(f, 0x0010, 0x0010, "PN", "Phantom");
    put_text(f, 0x0010, 0x0020, "LO", patient);
    put_text(f, 0x0020, 0x000d, "UI", study);
    put_text(f, 0x0020, 0x000e, "UI", series);
    put_text(f, 0x0020, 0x0013, "IS", number);
    put_pixels(f, grey, side);
    if (fclose(f) || asprintf(&path, "%s/IM%05lld", folder, file) < 0) fail("out of memory");
    must(peft_write_file(path, text, size));
    fprintf(table, "%sIM%05lld,%s,%s\n", prefix, file, phantom_class[p->class], patient);
    free(path);
    free(text);
}
