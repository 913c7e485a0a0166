/* SPDX-License-Identifier: Apache-2.0
 * zip.c -- the directory of a zip archive (zip.h), by PKWARE's APPNOTE 6.3.10, sections 4.3.7 (header of an entry),
 * 4.3.12 (directory), 4.3.14 to 4.3.16 (end, ZIP64) and 4.5.3 (ZIP64 sizes). All sizes come from the directory. */
#include "core/format/zip/zip.h"
#include <string.h>

/* Bytes of the records without names, extra fields and comments. */
enum { HEADER = 30, ENTRY = 46, END = 22, LOCATOR64 = 20, END64 = 56, COMMENT_MAX = 65535 };
enum { STORED = 0, DEFLATED = 8, ENCRYPTED = 1, EXTRA_ZIP64 = 1 };

static uint64_t get(const uint8_t *p, int bytes)         /* little-endian */
{
    uint64_t v = 0;
    while (bytes--) v = v << 8 | p[bytes];
    return v;
}

bool pf_zip_recognise(const void *file, size_t size) { return size >= 4 && !memcmp(file, "PK\3\4", 4); }

/* The end record: the last one whose comment (p + 20: its length) ends exactly where the file ends. NULL: none. */
static const uint8_t *find_end(const uint8_t *file, size_t size)
{
    for (size_t back = END; back <= size && back <= END + COMMENT_MAX; back++) {
        const uint8_t *p = file + size - back;
        if (!memcmp(p, "PK\5\6", 4) && get(p + 20, 2) == back - END) return p;
    }
    return NULL;
}

static peft_status damaged(const char *what)
{
    return pf_fail(PEFT_E_FORMAT, "the archive has a damaged %s: fetch it again", what);
}

peft_status pf_zip_open(const void *bytes, size_t size, pf_zip *out)
{
    const uint8_t *file = bytes, *end = find_end(file, size);
    if (!end) return pf_fail(PEFT_E_FORMAT, "the directory at its end is missing: it is cut short, fetch it again");
    uint64_t entries = get(end + 10, 2), length = get(end + 12, 4), start = get(end + 16, 4);
    if (end - file >= LOCATOR64 && !memcmp(end - LOCATOR64, "PK\6\7", 4)) {
        const uint64_t end64 = get(end - LOCATOR64 + 8, 8);
        if (end64 > size - LOCATOR64 - END || size - END - LOCATOR64 - end64 < END64
            || memcmp(file + end64, "PK\6\6", 4)) return damaged("end (ZIP64)");
        entries = get(file + end64 + 32, 8);
        length = get(file + end64 + 40, 8);
        start = get(file + end64 + 48, 8);
    }
    const size_t before_end = (size_t)(end - file);
    if (start > before_end || length > before_end - start || entries > length / ENTRY
        || (entries && memcmp(file + start, "PK\1\2", 4))) return damaged("directory");
    *out = (pf_zip){ file, size, (size_t)start, (size_t)length, entries };
    return PEFT_OK;
}

/* The directory has 0xffffffff where a size or place does not fit into 32 bits: replaces these, in the order of value,
 * by the next numbers of the extra field ZIP64. */
static peft_status read_zip64(const uint8_t *extra, size_t length, pf_zip_entry *e)
{
    uint64_t *const value[] = { &e->unpacked, &e->packed, &e->header };
    while (length >= 4) {
        const size_t id = (size_t)get(extra, 2), n = (size_t)get(extra + 2, 2);
        if (n > length - 4) break;
        size_t at = 0;
        for (int i = 0; i < 3 && id == EXTRA_ZIP64; i++) {
            if (*value[i] != UINT32_MAX) continue;
            if (n - at < 8) return damaged("directory (ZIP64)");
            *value[i] = get(extra + 4 + at, 8);
            at += 8;
        }
        extra += 4 + n;
        length -= 4 + n;
    }
    return PEFT_OK;
}

peft_status pf_zip_next(const pf_zip *z, size_t *place, pf_zip_entry *out)
{
    const uint8_t *p = z->file + z->directory + *place;
    const size_t left = z->directory_size - *place;
    if (left < ENTRY || memcmp(p, "PK\1\2", 4)) return damaged("directory");
    const size_t name = (size_t)get(p + 28, 2), extra = (size_t)get(p + 30, 2), comment = (size_t)get(p + 32, 2);
    if (left - ENTRY < name + extra + comment) return damaged("directory");
    *out = (pf_zip_entry){ .name = (const char *)p + ENTRY, .name_length = name, .packed = get(p + 20, 4),
                           .unpacked = get(p + 24, 4), .header = get(p + 42, 4), .method = (int)get(p + 10, 2),
                           .flags = (int)get(p + 8, 2) };
    *place += ENTRY + name + extra + comment;
    return read_zip64(p + ENTRY + name, extra, out);
}

peft_status pf_zip_data(const pf_zip *z, const pf_zip_entry *e, const uint8_t **data)
{
    const int shown = e->name_length < 80 ? (int)e->name_length : 80;
    if (e->flags & ENCRYPTED)
        return pf_fail(PEFT_E_UNSUPPORTED, "entry '%.*s' of the archive is encrypted; save it without a password",
                       shown, e->name);
    if (e->method != STORED)
        return pf_fail(PEFT_E_UNSUPPORTED, "entry '%.*s' of the archive is compressed (%s); expected it stored, as "
                       "torch.save does: unpack the archive and pack it again with 'zip -0 -r'", shown, e->name,
                       e->method == DEFLATED ? "Deflate" : "another method");
    if (e->header > z->size || z->size - e->header < HEADER) return damaged("entry");
    const uint8_t *header = z->file + e->header;
    if (memcmp(header, "PK\3\4", 4)) return damaged("entry");
    const uint64_t before = HEADER + get(header + 26, 2) + get(header + 28, 2), left = z->size - e->header;
    if (left < before || left - before < e->unpacked || e->packed != e->unpacked)
        return pf_fail(PEFT_E_FORMAT, "entry '%.*s' of the archive states %llu bytes, more than the file has, or "
                       "another number packed: fetch it again", shown, e->name, (unsigned long long)e->unpacked);
    *data = header + before;
    return PEFT_OK;
}
