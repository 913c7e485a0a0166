/* SPDX-License-Identifier: Apache-2.0
 * io_files.h -- fixture of the tests of libpeft-io: a context and a temporary folder for each test, and functions that
 * write images, .npy files and zip archives into it. */
#ifndef IO_FILES_H
#define IO_FILES_H
#include "suite.h"
#include <ftw.h>
#include <peft/io.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#define ok(call) \
    do { \
        peft_status s_ = (call); \
        ck_assert_msg(s_ == PEFT_OK, "%s: %s: %s", #call, peft_status_name(s_), peft_last_error()); \
    } while (0)
/* Asserts that the call succeeds (ok), or that it fails with this status and a message that contains word (fails). */
#define fails(status, word, call) \
    do { \
        peft_status s_ = (call); \
        ck_assert_msg(s_ == (status), "%s: %s, not %s", #call, peft_status_name(s_), #status); \
        ck_assert_msg(strstr(peft_last_error(), word) != NULL, "%s: no '%s' in: %s", #call, word, peft_last_error()); \
    } while (0)

static char io_folder[64];
static peft_context *io_ctx;                                  /* the context of all objects of a test */
static size_t io_memory;                                      /* bytes allocated in io_ctx when the test began */

/* Called by nftw for each file and folder. */
static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* Runs after each test: removes its folder and asserts that the test freed every object. */
static void folder_remove(void)
{
    if (*io_folder) nftw(io_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *io_folder = 0;
    ck_assert_uint_eq(peft_context_memory_used(io_ctx), io_memory);
    peft_context_free(io_ctx);
}

/* Runs before each test: makes its folder and context. */
static void folder_make(void)
{
    strcpy(io_folder, "/tmp/peft-io-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(io_folder));
    ok(peft_context_create(NULL, NULL, NULL, &io_ctx));
    io_memory = peft_context_memory_used(io_ctx);
}

/* The path of `name` in the test's folder; creates its parent folders. The eight last results stay valid. */
static inline const char *in_folder(const char *name)
{
    static char path[8][400];
    static int calls;
    char *p = path[calls++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", io_folder, name);
    for (char *slash = p + strlen(io_folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(p, 0777);
        *slash = '/';
    }
    return p;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    fclose(f);
}

/* The content of a file of at most 1 MiB; the caller frees it. */
static inline unsigned char *read_bytes(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    unsigned char *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

/* An image of pseudorandom samples of `depth` bits (8 or 16), different for each seed. */
static inline peft_image *picture(int64_t width, int64_t height, int channels, int depth, unsigned seed)
{
    int64_t n = width * height * channels;
    uint16_t *v = malloc((size_t)n * 2);
    for (int64_t i = 0; i < n; i++) {
        unsigned x = (unsigned)(i * 2654435761u) ^ (seed * 40503u), mixed = (x >> 7) * 31 + (unsigned)i * 5;
        if (depth == 8) ((uint8_t *)v)[i] = (uint8_t)mixed;
        else v[i] = (uint16_t)(mixed * 257 + x);
    }
    peft_image *im;
    const int64_t rows_without_gaps = 0;
    ok(peft_image_from_buffer(io_ctx, v, width, height, channels, depth, rows_without_gaps, &im));
    free(v);
    return im;
}

/* Saves a picture of 8 bits as a PNG file. */
static inline void save_picture(const char *path, int64_t width, int64_t height, int channels, unsigned seed)
{
    peft_image *im = picture(width, height, channels, 8, seed);
    ok(peft_image_save_png(im, path));
    peft_image_free(im);
}

static inline size_t pixel_bytes(const peft_image *im)
{
    return (size_t)(peft_image_width(im) * peft_image_height(im) * peft_image_channels(im) *
                    (peft_image_depth(im) == 8 ? 1 : 2));
}

/* Asserts that both images have the same properties and pixels. */
static inline void same_image(const peft_image *a, const peft_image *b)
{
    ck_assert_int_eq(peft_image_width(a), peft_image_width(b));
    ck_assert_int_eq(peft_image_height(a), peft_image_height(b));
    ck_assert_int_eq(peft_image_channels(a), peft_image_channels(b));
    ck_assert_int_eq(peft_image_depth(a), peft_image_depth(b));
    ck_assert_mem_eq(peft_image_pixels(a), peft_image_pixels(b), pixel_bytes(a));
}

/* Writes the bytes of an .npy file of format version 1.0 to `out`; returns their number. The file begins with 10 bytes
 * (magic, version, length of the header) and the header: `dictionary`, padded with spaces so that the data begin at a
 * multiple of 64 bytes. */
static inline size_t npy_file(unsigned char *out, const char *dictionary, const void *data, size_t bytes)
{
    size_t n = strlen(dictionary), length = (10 + n + 1 + 63) / 64 * 64 - 10;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)(length & 255);
    out[9] = (unsigned char)(length >> 8);
    memset(out + 10, ' ', length);
    memcpy(out + 10, dictionary, n);
    out[10 + length - 1] = '\n';
    if (bytes) memcpy(out + 10 + length, data, bytes);
    return 10 + length + bytes;
}

/* A file in a zip archive. */
typedef struct entry { const char *name; const void *data; size_t size; } entry;

/* Writes an archive of the n files. */
static inline void zip_make(const char *path, const entry *e, size_t n)
{
    int error;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    ck_assert_ptr_nonnull(z);
    for (size_t i = 0; i < n; i++) {
        const int keep_data = 0;                              /* zip_close does not free it */
        zip_source_t *source = zip_source_buffer(z, e[i].data, e[i].size, keep_data);
        ck_assert_int_ge(zip_file_add(z, e[i].name, source, 0), 0);
    }
    ck_assert_int_eq(zip_close(z), 0);
}

/* SUITE_MAIN of suite.h, with folder_make before and folder_remove after every test. */
#define IO_SUITE_MAIN(name, ...) \
    int main(void) \
    { \
        const suite_test tests[] = { __VA_ARGS__ }; \
        Suite *s = suite_create(name); \
        TCase *c = tcase_create(name); \
        tcase_set_timeout(c, 300); \
        tcase_add_checked_fixture(c, folder_make, folder_remove); \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(c, tests[i]); \
        suite_add_tcase(s, c); \
        SRunner *r = srunner_create(s); \
        srunner_run_all(r, CK_NORMAL); \
        int failed = srunner_ntests_failed(r); \
        srunner_free(r); \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
    }
#endif
