/* SPDX-License-Identifier: Apache-2.0
 * content.c -- recognises the kind of a file by its first bytes, for error messages: by the signatures of content.def,
 * and by code for kinds without a fixed signature (zip archives by their first entry, text). */
#include <peft/sys/content.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A file has this kind if the bytes[length] stand at the offset in it. */
typedef struct signature { size_t offset; const char *bytes; size_t length; const char *kind; } signature;
#define MARK(offset, bytes, kind) { offset, bytes, sizeof bytes - 1, kind },

#define ZIP "a zip archive (unpack it, or open it as a data set)"
#define CSV "(save the table as CSV in UTF-8, and give that file)"
#define PYTORCH "(weights, which are loaded as a backbone)"

static const signature signatures[] = {
#include "core/os/content.def"
};

/* Whether the file d[size] has the bytes[length] at the offset. */
static bool has_bytes(const uint8_t *d, size_t size, size_t offset, const char *bytes, size_t length)
{
    return size >= offset + length && !memcmp(d + offset, bytes, length);
}

/* Whether the file has this text, given in lower case, at the offset in any case. */
static bool has_text(const uint8_t *d, size_t size, size_t offset, const char *text)
{
    size_t n = strlen(text);
    if (size < offset + n) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = d[offset + i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + 'a' - 'A');
        if (c != (uint8_t)text[i]) return false;
    }
    return true;
}

/* Tells the kind of a zip archive by the name of its first entry, such as "archive/data.pkl" in a file of torch.save.
 * The length of the name is at byte 26, the name at byte 30. */
static const char *zip_kind(const uint8_t *d, size_t size)
{
    size_t n = size >= 30 ? (size_t)d[26] | (size_t)d[27] << 8 : 0;
    if (size < 30 + n) return ZIP;
    const char *name = (const char *)d + 30;
    if (n > 9 && !memcmp(name + n - 9, "/data.pkl", 9))
        return "a PyTorch checkpoint " PYTORCH;
    if (n > 4 && !memcmp(name + n - 4, ".npy", 4)) return "a numpy archive (.npz)";
    static const char *const office[] = { "[content_types].xml", "_rels/", "docprops/", "xl/" };
    for (size_t i = 0; i < sizeof office / sizeof *office; i++)
        if (has_text(d, size, 30, office[i]) && n >= strlen(office[i]))
            return "an Excel workbook (.xlsx) or another Office document " CSV;
    if (n == 8 && has_text(d, size, 30, "mimetypeapplication/vnd.oasis.opendocument.spreadsheet"))
        return "an OpenDocument spreadsheet (.ods) " CSV;
    return ZIP;
}

/* Tells the kind of a text, which a UTF-8 byte order mark and blanks may precede; NULL: not known. */
static const char *text_kind(const uint8_t *d, size_t size)
{
    size_t start = has_bytes(d, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (start < size && (d[start] == ' ' || (d[start] >= '\t' && d[start] <= '\r'))) start++;
    if (has_text(d, size, start, "<!doctype html") || has_text(d, size, start, "<html"))
        return "a web page (HTML): the download gave a page, perhaps of a login, in place of the file";
    if (has_text(d, size, start, "<svg")) return "an SVG drawing (convert it to PNG)";
    if (has_text(d, size, start, "<?xml")) return "XML text, perhaps the error message of a download";
    if (start < size && d[start] == '{')
        return "JSON text (a configuration, an index of shards, or the error message of a download)";
    return NULL;
}

/* Does the file begin as ONNX's ModelProto does: field 1, ir_version, a small number; then field 2, producer_name, or
 * field 7, the graph? */
static bool is_onnx(const uint8_t *d, size_t size)
{
    enum { FIELD_1_NUMBER = 0x08, FIELD_2_BYTES = 0x12, FIELD_7_BYTES = 0x3a, LATEST_IR = 32 };
    return size > 4 && d[0] == FIELD_1_NUMBER && d[1] >= 1 && d[1] <= LATEST_IR
        && (d[2] == FIELD_2_BYTES || d[2] == FIELD_7_BYTES);
}

/* Returns a text for "FILE is ...", NULL: the kind is not known. */
const char *peft_sys_content_kind(const void *data, size_t size)
{
    const uint8_t *d = data;
    if (!size || !d) return "empty (0 bytes)";
    if (has_bytes(d, size, 0, "PK\3\4", 4)) return zip_kind(d, size);
    if (size > 2 && d[0] == 0x80 && d[1] >= 2 && d[1] <= 5)         /* the opcode PROTO, and the protocol 2 to 5 */
        return "a Python pickle, such as an old PyTorch checkpoint " PYTORCH;
    for (const signature *s = signatures; s < signatures + sizeof signatures / sizeof *signatures; s++)
        if (has_bytes(d, size, s->offset, s->bytes, s->length)) return s->kind;
    if (is_onnx(d, size)) return "an ONNX model (use the original weights: safetensors, or torch.save's .pth)";
    static const uint8_t zeros[64];
    if (has_bytes(d, size, 0, (const char *)zeros, sizeof zeros))
        return "zeros at its beginning, as of a download that was not finished (fetch it again)";
    return text_kind(d, size);
}
