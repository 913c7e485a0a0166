/* SPDX-License-Identifier: Apache-2.0
 * torch_file.h -- builds files of torch.save in memory: pickles opcode by opcode, zip archives, the form before PyTorch
 * 1.6. */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow. */
typedef struct bytes { unsigned char *data; size_t size, capacity; } bytes;

static inline void put(bytes *b, const void *data, size_t n)
{
    if (b->size + n > b->capacity) {
        b->capacity = 2 * (b->size + n);
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    if (n) memcpy(b->data + b->size, data, n);
    b->size += n;
}

static inline void put_zeros(bytes *b, size_t n)
{
    const unsigned char zero = 0;
    while (n--) put(b, &zero, 1);
}

/* A little-endian number of n bytes. */
static inline void put_number(bytes *b, uint64_t v, int n)
{
    for (; n--; v >>= 8) put(b, (const unsigned char[]){ (unsigned char)v }, 1);
}

static inline void bytes_free(bytes *b)
{
    free(b->data);
    *b = (bytes){ 0 };
}

/* A text literal with its length, which may contain NUL. */
#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

/* --- pickles ------------------------------------------------------------------------------------------------------ */
static inline void pickle_text(bytes *b, const char *s)
{
    PUT(b, "X");
    put_number(b, strlen(s), 4);
    put(b, s, strlen(s));
}

static inline void pickle_int(bytes *b, int64_t v)
{
    PUT(b, "\x8a\x08");
    put_number(b, (uint64_t)v, 8);
}

static inline void pickle_ints(bytes *b, int n, const int64_t *v)
{
    PUT(b, "(");
    for (int i = 0; i < n; i++) pickle_int(b, v[i]);
    PUT(b, "t");
}

/* A tensor: type of its storage ("Float"), key and elements of the storage, offset, extents, strides. */
typedef struct saved_tensor {
    const char *name, *type, *key;
    int64_t elements, offset;
    int ndim;
    int64_t dim[8], stride[8];
    const void *data;                                /* of the storage; NULL: zeros, or written by an earlier tensor */
    size_t bytes;
} saved_tensor;

static inline void pickle_tensor(bytes *b, const saved_tensor *t, bool legacy)
{
    PUT(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(b, "storage");
    PUT(b, "ctorch\n");
    put(b, t->type, strlen(t->type));
    PUT(b, "Storage\n");
    pickle_text(b, t->key);
    pickle_text(b, "cpu");
    pickle_int(b, t->elements);
    if (legacy) PUT(b, "N");
    PUT(b, "tQ");
    pickle_int(b, t->offset);
    pickle_ints(b, t->ndim, t->dim);
    pickle_ints(b, t->ndim, t->stride);
    PUT(b, "\x89" "ccollections\nOrderedDict\n)RtR");
}

/* --- zip archives ------------------------------------------------------------------------------------------------- */
/* An archive without and with its directory. method, flags: of the entries that follow; crc is not set. */
typedef struct zip_builder { bytes file, directory; unsigned entries, method, flags; } zip_builder;

/* Adds an entry; its data begins at a multiple of align, as torch.save arranges it with an extra field. */
static inline void zip_add(zip_builder *z, const char *name, const void *data, size_t n, size_t align)
{
    const size_t start = z->file.size, length = strlen(name), fixed = start + 30 + length + 4;
    const size_t pad = (align - fixed % align) % align;
    PUT(&z->file, "PK\3\4");
    put_number(&z->file, 20, 2);
    put_number(&z->file, z->flags, 2);
    put_number(&z->file, z->method, 2);
    put_zeros(&z->file, 8);
    put_number(&z->file, n, 4);
    put_number(&z->file, n, 4);
    put_number(&z->file, length, 2);
    put_number(&z->file, 4 + pad, 2);
    put(&z->file, name, length);
    PUT(&z->file, "FB");
    put_number(&z->file, pad, 2);
    put_zeros(&z->file, pad);
    put(&z->file, data, n);
    PUT(&z->directory, "PK\1\2");
    put_number(&z->directory, 20, 2);
    put_number(&z->directory, 20, 2);
    put_number(&z->directory, z->flags, 2);
    put_number(&z->directory, z->method, 2);
    put_zeros(&z->directory, 8);
    put_number(&z->directory, n, 4);
    put_number(&z->directory, n, 4);
    put_number(&z->directory, length, 2);
    put_zeros(&z->directory, 12);
    put_number(&z->directory, start, 4);
    put(&z->directory, name, length);
    z->entries++;
}

/* Appends the directory and the end; the caller frees the result. zip64: with the end record of ZIP64, which has the
 * places that the other one then lacks. */
static inline bytes zip_end(zip_builder *z, bool zip64)
{
    const size_t start = z->file.size, end64 = start + z->directory.size;
    put(&z->file, z->directory.data, z->directory.size);
    if (zip64) {
        PUT(&z->file, "PK\6\6");
        put_number(&z->file, 44, 8);
        put_number(&z->file, 45, 2);
        put_number(&z->file, 45, 2);
        put_zeros(&z->file, 8);
        put_number(&z->file, z->entries, 8);
        put_number(&z->file, z->entries, 8);
        put_number(&z->file, z->directory.size, 8);
        put_number(&z->file, start, 8);
        PUT(&z->file, "PK\6\7");
        put_zeros(&z->file, 4);
        put_number(&z->file, end64, 8);
        put_number(&z->file, 1, 4);
    }
    PUT(&z->file, "PK\5\6");
    put_zeros(&z->file, 4);
    for (int i = 0; i < 2; i++) put_number(&z->file, zip64 ? 0xffff : z->entries, 2);
    put_number(&z->file, zip64 ? 0xffffffff : z->directory.size, 4);
    put_number(&z->file, zip64 ? 0xffffffff : start, 4);
    put_zeros(&z->file, 2);
    const bytes result = z->file;
    bytes_free(&z->directory);
    *z = (zip_builder){ .entries = 0 };
    return result;
}

/* --- files of torch.save ------------------------------------------------------------------------------------------ */
/* The zip form: this pickle, and the data of one storage "0" of n bytes. */
static inline bytes torch_zip(const void *pickle, size_t size, const void *data, size_t n)
{
    zip_builder z = { .entries = 0 };
    zip_add(&z, "archive/data.pkl", pickle, size, 64);
    zip_add(&z, "archive/byteorder", "little", 6, 64);
    zip_add(&z, "archive/data/0", data, n, 64);
    zip_add(&z, "archive/version", "3\n", 2, 64);
    return zip_end(&z, true);
}

/* The beginning of the form before PyTorch 1.6: three pickles. little: the byte order that it states. */
static inline void put_legacy_front(bytes *b, bool little)
{
    PUT(b, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2}q\0(");
    pickle_text(b, "protocol_version");
    PUT(b, "q\1M\xe9\3");
    pickle_text(b, "little_endian");
    put(b, little ? "q\2\x88" : "q\2\x89", 3);
    PUT(b, "u.");
}

/* The form before 1.6 with this pickle, and the data of one storage "0" of n bytes, elements of the given size. */
static inline bytes torch_legacy(const void *pickle, size_t size, const void *data, size_t n, size_t element)
{
    bytes b = { 0 };
    put_legacy_front(&b, true);
    put(&b, pickle, size);
    PUT(&b, "\x80\2]q\0X\1\0\0\0" "0a.");
    put_number(&b, n / element, 8);
    put(&b, data, n);
    return b;
}
#endif
