/* SPDX-License-Identifier: Apache-2.0
 * directory.c -- reads the DICOMDIR of a medium; see directory.h. Its few elements are read here, without DCMTK, whose
 * reader of such records leaks memory where they are damaged. Elements are laid out as DICOM PS3.5, 7.1 has it. */
#include "io/format/dicom/directory.h"
#include "io/format/dicom/header.h"
#include "io/words.h"

#define MAX_DIRECTORY_BYTES (1ll << 30)
#define UNDEFINED 0xffffffffu                                 /* a length: a delimiter ends the value */
enum { PREAMBLE = 128, MAX_NESTED = 16 };
enum { TAG_SYNTAX = 0x00020010, TAG_SEQUENCE = 0x00041220, TAG_IN_USE = 0x00041410, TAG_TYPE = 0x00041430,
       TAG_FILE = 0x00041500 };
#define TAG_ITEM 0xfffee000u
#define TAG_ITEM_END 0xfffee00du
#define TAG_SEQUENCE_END 0xfffee0ddu

/* The bytes that are not read yet, and how elements are encoded. */
typedef struct reader { const uint8_t *at, *end; bool implicit, big; } reader;
typedef struct element { uint32_t tag, length; const uint8_t *value; } element;

bool io_is_medium_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return io_same_word(slash ? slash + 1 : path, "DICOMDIR");
}

static uint32_t number_at(const reader *r, const uint8_t *p, int n)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[r->big ? i : n - 1 - i];
    return v;
}

static size_t left(const reader *r) { return (size_t)(r->end - r->at); }

/* Reads tag and length of an element, and its value unless the length is undefined. False: it is cut short. */
static bool next_element(reader *r, element *e)
{
    static const char long_types[] = "OB|OD|OF|OL|OV|OW|SQ|UC|UN|UR|UT|SV|UV";
    if (left(r) < 8) return false;
    e->tag = number_at(r, r->at, 2) << 16 | number_at(r, r->at + 2, 2);
    const bool delimiter = e->tag >> 16 == 0xfffe;
    const bool short_length = !r->implicit && !delimiter;
    if (short_length && peft_sys_opt_choice(long_types, (const char *)r->at + 4, 2) < 0) {
        e->length = number_at(r, r->at + 6, 2);
        r->at += 8;
    } else if (short_length) {
        if (left(r) < 12) return false;
        e->length = number_at(r, r->at + 8, 4);
        r->at += 12;
    } else {
        e->length = number_at(r, r->at + 4, 4);
        r->at += 8;
    }
    e->value = r->at;
    if (e->length == UNDEFINED) return true;
    if (e->length > left(r)) return false;
    r->at += e->length;
    return true;
}

/* Skips a value of undefined length: items, which may hold such values too, up to the delimiter. */
static bool skip_undefined(reader *r, uint32_t end, int depth)
{
    for (element e; depth < MAX_NESTED && next_element(r, &e);) {
        if (e.tag == end) return true;
        const uint32_t inner = e.tag == TAG_ITEM ? TAG_ITEM_END : TAG_SEQUENCE_END;
        if (e.length == UNDEFINED && !skip_undefined(r, inner, depth + 1)) return false;
    }
    return false;
}

/* A copy of a text without blanks and zeros at its ends; NULL: no memory. */
static char *text_of(peft_context *ctx, const element *e)
{
    const char *text = (const char *)e->value;
    size_t n = e->length;
    while (n && (text[n - 1] == ' ' || !text[n - 1])) n--;
    while (n && *text == ' ') text++, n--;
    char *copy = io_alloc(ctx, (int64_t)n + 1, 1);
    if (copy && n) memcpy(copy, text, n);
    return copy;
}

static peft_status damaged(const reader *r, const uint8_t *data)
{
    return io_fail(PEFT_E_FORMAT, "DICOM: an element near byte %lld is damaged or cut short",
                   (long long)(r->at - data));
}

/* Reads an item, up to its end or its delimiter; adds its file and type if it is in use, and has a file or
 * should have one, being an image. */
static peft_status read_record(reader *r, bool delimited, const uint8_t *data, io_strings *files, io_strings *types)
{
    element e, file = { 0 }, type = { 0 };
    bool unused = false;
    while (delimited || left(r)) {
        if (!next_element(r, &e)) return damaged(r, data);
        if (delimited && e.tag == TAG_ITEM_END) break;
        if (e.length == UNDEFINED && !skip_undefined(r, TAG_SEQUENCE_END, 0)) return damaged(r, data);
        if (e.length == UNDEFINED) continue;
        if (e.tag == TAG_FILE) file = e;
        if (e.tag == TAG_TYPE) type = e;
        if (e.tag == TAG_IN_USE && e.length >= 2) unused = !number_at(r, e.value, 2);
    }
    const bool is_image = type.length >= 5 && !memcmp(type.value, "IMAGE", 5);
    if (unused || (!file.length && !is_image)) return PEFT_OK;
    peft_status s = io_strings_add(files, text_of(files->ctx, &file));
    return s ? s : io_strings_add(types, text_of(types->ctx, &type));
}

/* Reads the items of the Directory Record Sequence. */
static peft_status read_records(reader *r, bool delimited, const uint8_t *data, io_strings *files, io_strings *types)
{
    peft_status s = PEFT_OK;
    while (!s && (delimited || left(r))) {
        element e;
        if (!next_element(r, &e) || (e.tag != TAG_ITEM && e.tag != TAG_SEQUENCE_END)) return damaged(r, data);
        if (e.tag == TAG_SEQUENCE_END) break;
        reader item = { e.value, e.value + e.length, r->implicit, r->big };
        s = e.length == UNDEFINED ? read_record(r, true, data, files, types)
                                  : read_record(&item, false, data, files, types);
    }
    return s;
}

/* Reads the meta header, which is in explicit little endian; sets how the elements behind it are encoded. */
static peft_status read_meta(peft_context *ctx, reader *r, const uint8_t *data)
{
    element e, syntax = { 0 };
    while (left(r) >= 8 && number_at(r, r->at, 2) == 2) {
        if (!next_element(r, &e) || e.length == UNDEFINED) return damaged(r, data);
        if (e.tag == TAG_SYNTAX) syntax = e;
    }
    if (!syntax.value) return PEFT_OK;
    char *uid = text_of(ctx, &syntax);
    if (!uid) return io_nomem("DICOMDIR");
    r->implicit = !strcmp(uid, "1.2.840.10008.1.2");
    r->big = !strcmp(uid, "1.2.840.10008.1.2.2");
    peft_status s = PEFT_OK;
    if (!r->implicit && !r->big && strcmp(uid, "1.2.840.10008.1.2.1"))
        s = io_fail(PEFT_E_UNSUPPORTED, "DICOM: the transfer syntax %.64s; expected that of media, explicit little "
                    "endian (1.2.840.10008.1.2.1)", uid);
    peft_sys_free(ctx, uid);
    return s;
}

static peft_status read_directory(peft_context *ctx, const uint8_t *data, size_t size, io_strings *files,
                                  io_strings *types)
{
    const bool preamble = size >= PREAMBLE + 4 && !memcmp(data + PREAMBLE, "DICM", 4);
    reader r = { preamble ? data + PREAMBLE + 4 : data, data + size, false, false };
    if (!io_dicom_probe(data, size))
        return io_fail(PEFT_E_FORMAT, "not a DICOM file; expected the directory of a medium, with DICM at byte 128");
    peft_status s = read_meta(ctx, &r, data);
    for (element e; !s && left(&r);) {
        if (!next_element(&r, &e)) return damaged(&r, data);
        if (e.tag == TAG_SEQUENCE) {
            reader items = { e.value, e.value + e.length, r.implicit, r.big };
            return e.length == UNDEFINED ? read_records(&r, true, data, files, types)
                                         : read_records(&items, false, data, files, types);
        }
        if (e.length == UNDEFINED && !skip_undefined(&r, TAG_SEQUENCE_END, 0)) return damaged(&r, data);
    }
    return s ? s : io_fail(PEFT_E_FORMAT, "not the directory of a medium, as it has no Directory Record Sequence "
                           "(0004,1220)");
}

peft_status io_dicom_directory_read(peft_context *ctx, const char *path, io_strings *files, io_strings *types)
{
    uint8_t *data;
    size_t size;
    peft_status s = io_read_file(ctx, path, MAX_DIRECTORY_BYTES, &data, &size);
    if (s) return s;
    s = read_directory(ctx, data, size, files, types);
    peft_sys_free(ctx, data);
    return s ? io_fail_in(s, path) : PEFT_OK;
}
