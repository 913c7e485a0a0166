/* SPDX-License-Identifier: Apache-2.0
 * header.c -- recognises and opens DICOM files; peft_dicom_header: the elements of a file that tell patient, series and
 * place. */
#include "io/format/dicom/header.h"
#include "io/format/dicom/find.h"
#include <stdio.h>

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

/* Fields of the header, by the names that peft_dicom_header_text takes: texts of the plug-in, and those that are put
 * together from its numbers. */
static const struct { const char *name; size_t offset; } texts[] = {
    { "patient", offsetof(io_dicom_info, patient) },         { "study", offsetof(io_dicom_info, study) },
    { "series", offsetof(io_dicom_info, series) },           { "instance", offsetof(io_dicom_info, instance) },
    { "number", offsetof(io_dicom_info, number) },           { "position", offsetof(io_dicom_info, position) },
    { "orientation", offsetof(io_dicom_info, orientation) }, { "modality", offsetof(io_dicom_info, modality) },
    { "syntax", offsetof(io_dicom_info, syntax) },           { "photometric", offsetof(io_dicom_info, photometric) } };
enum { TEXTS = sizeof texts / sizeof *texts, COMPOSED = 3, FIELDS = TEXTS + COMPOSED, COMPOSED_BYTES = 600 };
static const char *const composed[COMPOSED] = { "bits", "rescale", "windows" };

/* Writes the field composed[k] to text [COMPOSED_BYTES]. v NULL: the file's values of this kind are broken. */
static void compose(const io_dicom_info *info, const io_dicom_view *v, int k, char *text)
{
    size_t used = 0;
    *text = 0;
    if (k == 0 && info->stored)
        snprintf(text, COMPOSED_BYTES, "%d of %d, %s", info->stored, info->allocated,
                 info->is_signed ? "signed" : "unsigned");
    if (k == 1 && v && v->rescaled)
        snprintf(text, COMPOSED_BYTES, "%.17g * v + %.17g", v->slope, v->intercept);
    for (int64_t i = 0; k == 2 && v && i < v->windows && used < COMPOSED_BYTES - 100; i++) {
        const io_dicom_window *w = &v->window[i];
        const char *name = w->name;
        used += (size_t)snprintf(text + used, COMPOSED_BYTES - used, "%s%.10g/%.10g%s%.60s%s", i ? "\\" : "", w->centre,
                                 w->width, *name ? " '" : "", name, *name ? "'" : "");
    }
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

/* Copies the fields of an open file. PEFT_E_NOMEM. */
static peft_status copy_texts(io_dicom *d, peft_dicom_header *h)
{
    io_dicom_view view;
    io_dicom_message why;
    char text[COMPOSED_BYTES];
    const bool good = !d->plugin->view(d->file, 0, &view, &why);     /* else the header is not as it should be */
    for (int i = 0; i < FIELDS; i++) {
        if (i >= TEXTS) compose(d->info, good ? &view : NULL, i - TEXTS, text);
        const char *whole = i < TEXTS ? *(const char *const *)((const char *)d->info + texts[i].offset) : text;
        h->text[i] = io_copy(h->ctx, whole);
        if (!h->text[i]) return io_nomem("DICOM header");
    }
    return PEFT_OK;
}

/* Makes the handle of an open file; user: where its address goes, and its context. */
typedef struct reading { peft_context *ctx; peft_dicom_header **out; } reading;

static peft_status make_header(io_dicom *d, void *user)
{
    const reading *r = user;
    peft_dicom_header *h = io_alloc(r->ctx, 1, sizeof *h);
    if (!h) return io_nomem("DICOM header");
    h->ctx = peft_sys_context_retain(r->ctx);
    h->frames = d->info->frames;
    h->place = d->info->place;
    peft_status s = copy_texts(d, h);
    if (s) peft_dicom_header_free(h);
    else *r->out = h;
    return s;
}

/* Opens the header of a file in memory for visit. */
static peft_status visit_bytes(const uint8_t *data, size_t size, peft_status (*visit)(io_dicom *d, void *user),
                               void *user)
{
    io_dicom d;
    if (!io_dicom_probe(data, size))
        return io_fail(PEFT_E_FORMAT, "not a DICOM file; expected DICM at byte 128, or an element of group 2 or 8 "
                       "first");
    peft_status s = io_dicom_open(data, size, MAX_FILE_BYTES, true, &d);
    if (s) return s;
    s = visit(&d, user);
    io_dicom_close(&d);
    return s;
}

peft_status io_dicom_header_visit(peft_context *ctx, const char *path, peft_status (*visit)(io_dicom *d, void *user),
                                  void *user)
{
    uint8_t *data;
    size_t size;
    peft_status s = io_read_head(ctx, path, HEAD_BYTES, &data, &size);
    if (s) return s;
    s = visit_bytes(data, size, visit, user);
    peft_sys_free(ctx, data);
    if (s == PEFT_E_FORMAT && size == HEAD_BYTES) {
        s = io_read_file(ctx, path, MAX_FILE_BYTES, &data, &size);
        if (s) return s;
        s = visit_bytes(data, size, visit, user);
        peft_sys_free(ctx, data);
    }
    return s ? io_fail_in(s, path) : PEFT_OK;
}

peft_status peft_dicom_header_read(peft_context *ctx, const char *path, peft_dicom_header **out)
{
    if (!ctx || !path || !out)
        return io_fail(PEFT_E_INVALID, "DICOM header: %s is NULL", !ctx ? "ctx" : path ? "out" : "path");
    return io_dicom_header_visit(ctx, path, make_header, &(reading){ ctx, out });
}

const char *peft_dicom_header_text(const peft_dicom_header *h, const char *field)
{
    for (int i = 0; h && field && i < FIELDS; i++)
        if (!strcmp(field, i < TEXTS ? texts[i].name : composed[i - TEXTS])) return h->text[i];
    return NULL;
}

int64_t peft_dicom_header_frames(const peft_dicom_header *h) { return h ? h->frames : 0; }
