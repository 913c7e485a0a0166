/* SPDX-License-Identifier: Apache-2.0
 * fields.c -- names of the fields of segmentations, and the values that DICOM allows for them (PS3.5 6.2). */
#include "io/format/dicom/segmentation/fields.h"
#include "io/words.h"
#include <stdio.h>

#define IO_SEG_FIELD(scope, NAME, name, group, element, vr, fallback) IO_SEG_ROW_##scope(name, vr, fallback)
#define IO_SEG_ROW_FILE(...) { __VA_ARGS__ },
#define IO_SEG_ROW_SEGMENT(...)
const io_seg_field io_seg_file_field[IO_SEG_FILE_FIELDS] = {
#include "io/format/dicom/segmentation/fields.def"
};
#undef IO_SEG_ROW_FILE
#undef IO_SEG_ROW_SEGMENT
#define IO_SEG_ROW_FILE(...)
#define IO_SEG_ROW_SEGMENT(...) { __VA_ARGS__ },
const io_seg_field io_seg_segment_field[IO_SEG_SEGMENT_FIELDS] = {
#include "io/format/dicom/segmentation/fields.def"
};

/* Fields that must not be empty; for those with words, what they may be. */
static const struct { const io_seg_field *field; const char *words; } needed[] = {
    { &io_seg_segment_field[IO_SEG_SEGMENT_LABEL], NULL },
    { &io_seg_segment_field[IO_SEG_SEGMENT_ALGORITHM_TYPE], "AUTOMATIC|SEMIAUTOMATIC|MANUAL" },
    { &io_seg_segment_field[IO_SEG_SEGMENT_ALGORITHM], NULL },
    { &io_seg_segment_field[IO_SEG_SEGMENT_CATEGORY], NULL },
    { &io_seg_segment_field[IO_SEG_SEGMENT_PROPERTY], NULL },
    { &io_seg_file_field[IO_SEG_FILE_LABEL], NULL },
    { &io_seg_file_field[IO_SEG_FILE_SERIES_NUMBER], NULL },
    { &io_seg_file_field[IO_SEG_FILE_INSTANCE_NUMBER], NULL },
    { &io_seg_file_field[IO_SEG_FILE_MANUFACTURER], NULL },
    { &io_seg_file_field[IO_SEG_FILE_MODEL], NULL },
    { &io_seg_file_field[IO_SEG_FILE_SERIAL], NULL } };

int io_seg_find_field(bool of_file, const char *name)
{
    const io_seg_field *rows = of_file ? io_seg_file_field : io_seg_segment_field;
    for (int i = 0; i < (of_file ? (int)IO_SEG_FILE_FIELDS : (int)IO_SEG_SEGMENT_FIELDS); i++)
        if (!strcmp(rows[i].name, name)) return i;
    return -1;
}

static int64_t characters(const char *s, size_t bytes)
{
    int64_t n = 0;
    for (size_t i = 0; i < bytes; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static bool has_only(const char *s, const char *allowed) { return s[strspn(s, allowed)] == 0; }

static bool is_short_text(const char *s, int64_t most)
{
    return io_is_plain_text(s) && !strchr(s, '\\') && characters(s, strlen(s)) <= most;
}

static bool is_label(const char *s)
{
    return strlen(s) <= 16 && has_only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _");
}

static bool is_text(const char *s) { return is_short_text(s, 64); }
static bool is_long_text(const char *s) { return io_is_plain_text(s) && characters(s, strlen(s)) <= 1024; }

static bool is_integer(const char *s)
{
    int64_t v;
    return !*s || (peft_sys_opt_integer(s, strlen(s), &v) && v >= INT32_MIN && v <= INT32_MAX);
}

static int digits_at(const char *s) { return (s[0] - '0') * 10 + s[1] - '0'; }

static bool is_date(const char *s)
{
    if (!*s) return true;
    if (strlen(s) != 8 || !has_only(s, "0123456789")) return false;
    return digits_at(s + 4) >= 1 && digits_at(s + 4) <= 12 && digits_at(s + 6) >= 1 && digits_at(s + 6) <= 31;
}

static bool is_time(const char *s)
{
    const size_t n = strspn(s, "0123456789");
    if (!*s) return true;
    if (n != 6 || digits_at(s) > 23 || digits_at(s + 2) > 59 || digits_at(s + 4) > 60) return false;
    return !s[6] || (s[6] == '.' && s[7] && strlen(s + 7) <= 6 && has_only(s + 7, "0123456789"));
}

/* value^scheme^meaning of at most 16, 16 and 64 characters. */
static bool is_code(const char *s)
{
    const char *first = strchr(s, '^'), *second = first ? strchr(first + 1, '^') : NULL;
    if (!*s) return true;
    if (!second || strchr(second + 1, '^') || !io_is_plain_text(s) || strchr(s, '\\')) return false;
    const size_t value = (size_t)(first - s), scheme = (size_t)(second - first - 1);
    const int64_t meaning = characters(second + 1, strlen(second + 1));
    return value && scheme && meaning && characters(s, value) <= 16 && characters(first + 1, scheme) <= 16 &&
           meaning <= 64;
}

/* L:a:b. */
static bool is_colour(const char *s)
{
    static const peft_opt_key keys[] = { { { "colour", '3', "", -128, 127, "" }, 0, NULL }, { { 0 }, 0, NULL } };
    const char *second = strchr(s, ':');
    char text[80];
    double v[3];
    if (!*s) return true;
    if (!second || !strchr(second + 1, ':') || !has_only(s, "+-.0123456789:")) return false;
    if (snprintf(text, sizeof text, "colour=%s", s) >= (int)sizeof text) return false;
    return !peft_sys_opt_read(keys, text, "colour", v, NULL) && v[0] >= 0 && v[0] <= 100;
}

static bool is_any(const char *s) { return io_is_plain_text(s); }

static const struct { const char *vr; bool (*fits)(const char *); const char *expected; } kinds[] = {
    { "CS", is_label, "at most 16 capital letters, digits, blanks and _" },
    { "LO", is_text, "at most 64 characters of plain UTF-8 without a backslash" },
    { "PN", is_text, "at most 64 characters of plain UTF-8 without a backslash" },
    { "ST", is_long_text, "at most 1024 characters of plain UTF-8" },
    { "IS", is_integer, "an integer of 32 bits" },
    { "DA", is_date, "a date YYYYMMDD" },
    { "TM", is_time, "a time HHMMSS or HHMMSS.FFFFFF" },
    { "SQ", is_code, "a code value^scheme^meaning of at most 16, 16 and 64 characters" },
    { "COLOUR", is_colour, "L:a:b, L from 0 to 100, a and b from -128 to 127, such as 52.5:40:-12" },
    { "", is_any, "plain UTF-8" } };

peft_status io_seg_check_value(const io_seg_field *field, const char *value)
{
    const char *expected = NULL;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (needed[i].field != field) continue;
        if (!*value) expected = "a value, as DICOM requires one";
        const char *words = needed[i].words;
        if (words && peft_sys_opt_choice(words, value, strlen(value)) < 0) expected = words;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !expected; i++)
        if (!strcmp(kinds[i].vr, field->vr) && !kinds[i].fits(value)) expected = kinds[i].expected;
    if (!expected) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "DICOM segmentation: field %s is '%.80s'; expected %s", field->name, value,
                   expected);
}
