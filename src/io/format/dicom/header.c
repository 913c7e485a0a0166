/* SPDX-License-Identifier: Apache-2.0
 * header.c -- recognises and opens DICOM files; peft_dicom_header: the elements of a file that tell patient, series and
 * place. */
#include "io/format/dicom/header.h"
#include "io/format/dicom/find.h"

enum { PREAMBLE = 128, HEAD_BYTES = 1 << 18 };
#define MAX_FILE_BYTES (1ll << 30)                            /* as the default of the option max_bytes */

/* Whether the bytes at d are an element of group 2 or 8 in little endian with its VR as two letters, as the first
 * of a file without preamble is. */
static bool is_first_element(const uint8_t *d, size_t size)
{
    static const char vrs[] = "UL|OB|UI|CS|DA|TM|SH|LO|DT|IS|ST|AE|US";
    if (size < 8 || d[1] || d[3] || (d[0] != 2 && d[0] != 8)) return false;
    return peft_sys_opt_choice(vrs, (const char *)d + 4, 2) >= 0;
}

/* Implicit VR: the first element of group 8, and behind its value another one of this group. */
static bool is_implicit(const uint8_t *d, size_t size)
{
    if (size < 16 || d[0] != 8 || d[1] || d[3]) return false;
    const uint32_t length = (uint32_t)d[4] | (uint32_t)d[5] << 8 | (uint32_t)d[6] << 16 | (uint32_t)d[7] << 24;
    if (length > 64 || length % 2 || size < 16 + (size_t)length) return false;
    const uint8_t *next = d + 8 + length;
    return next[0] == 8 && !next[1] && (next[2] | next[3] << 8) > d[2];
}

bool io_dicom_probe(const uint8_t *data, size_t size)
{
    if (size >= PREAMBLE + 4 && !memcmp(data + PREAMBLE, "DICM", 4)) return true;
    return is_first_element(data, size) || is_implicit(data, size);
}

peft_status io_dicom_failed(peft_status s, const io_dicom_message *why) { return io_fail(s, "DICOM: %s", why->text); }

peft_status io_dicom_open(const uint8_t *data, size_t size, int64_t max_bytes, bool header, io_dicom *out)
{
    io_dicom_message why = { "" };
    peft_status s = io_dicom_find(&out->plugin);
    if (s) return s;
    s = out->plugin->open(data, size, max_bytes, header, &out->file, &why);
    if (s) return io_dicom_failed(s, &why);
    out->info = out->plugin->info(out->file);
    return PEFT_OK;
}

void io_dicom_close(io_dicom *d) { d->plugin->close(d->file); }

/* Fields of the header, by the names that peft_dicom_header_text takes. */
enum { FIELDS = 9 };
static const struct { const char *name; size_t offset; } fields[FIELDS] = {
    { "patient", offsetof(io_dicom_info, patient) },         { "study", offsetof(io_dicom_info, study) },
    { "series", offsetof(io_dicom_info, series) },           { "instance", offsetof(io_dicom_info, instance) },
    { "number", offsetof(io_dicom_info, number) },           { "position", offsetof(io_dicom_info, position) },
    { "orientation", offsetof(io_dicom_info, orientation) }, { "modality", offsetof(io_dicom_info, modality) },
    { "syntax", offsetof(io_dicom_info, syntax) } };

static const char *text_of(const io_dicom_info *info, int field)
{
    return *(const char *const *)((const char *)info + fields[field].offset);
}

struct peft_dicom_header { peft_context *ctx; int64_t frames; io_dicom_place place; char *text[FIELDS]; };

const io_dicom_place *io_dicom_place_of(const peft_dicom_header *h) { return &h->place; }

void peft_dicom_header_free(peft_dicom_header *h)
{
    if (!h) return;
    peft_context *ctx = h->ctx;
    for (int i = 0; i < FIELDS; i++) peft_sys_free(ctx, h->text[i]);
    peft_sys_free(ctx, h);
    peft_context_free(ctx);
}

/* Copies the fields of a file in memory. */
static peft_status copy_fields(peft_context *ctx, const uint8_t *data, size_t size, peft_dicom_header **out)
{
    io_dicom d;
    if (!io_dicom_probe(data, size))
        return io_fail(PEFT_E_FORMAT, "not a DICOM file; expected DICM at byte 128, or an element of group 2 or 8 "
                       "first");
    peft_status s = io_dicom_open(data, size, MAX_FILE_BYTES, true, &d);
    if (s) return s;
    peft_dicom_header *h = io_alloc(ctx, 1, sizeof *h);
    bool good = h != NULL;
    if (h) {
        h->ctx = peft_sys_context_retain(ctx);
        h->frames = d.info->frames;
        h->place = d.info->place;
    }
    for (int i = 0; i < FIELDS && good; i++) good = (h->text[i] = io_copy(ctx, text_of(d.info, i))) != NULL;
    io_dicom_close(&d);
    if (!good) {
        peft_dicom_header_free(h);
        return io_nomem("DICOM header");
    }
    *out = h;
    return PEFT_OK;
}

/* Reads the beginning of the file, and all of it only where the fields are not all in there. */
peft_status peft_dicom_header_read(peft_context *ctx, const char *path, peft_dicom_header **out)
{
    uint8_t *data;
    size_t size;
    if (!ctx || !path || !out)
        return io_fail(PEFT_E_INVALID, "DICOM header: %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    peft_status s = io_read_head(ctx, path, HEAD_BYTES, &data, &size);
    if (s) return s;
    s = copy_fields(ctx, data, size, out);
    peft_sys_free(ctx, data);
    if (s == PEFT_E_FORMAT && size == HEAD_BYTES) {
        s = io_read_file(ctx, path, MAX_FILE_BYTES, &data, &size);
        if (s) return s;
        s = copy_fields(ctx, data, size, out);
        peft_sys_free(ctx, data);
    }
    return s ? io_fail_in(s, path) : PEFT_OK;
}

const char *peft_dicom_header_text(const peft_dicom_header *h, const char *field)
{
    for (int i = 0; h && field && i < FIELDS; i++)
        if (!strcmp(field, fields[i].name)) return h->text[i];
    return NULL;
}

int64_t peft_dicom_header_frames(const peft_dicom_header *h) { return h ? h->frames : 0; }
