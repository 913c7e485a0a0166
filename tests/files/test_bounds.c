/* SPDX-License-Identifier: Apache-2.0
 * test_bounds.c -- what small hostile files may cost. Each is opened in a process of its own; peak memory and time are
 * printed, and memory must stay below a multiple of the file beside a fixed allowance. */
#include "io_files.h"
#include "tiny_files.h"
#include <jpeglib.h>
#include <peft/io.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* RSS counts whole pages of libraries, and a process that fails formats a message: 6 MiB, whatever the file is. */
enum { ALLOWANCE_KIB = 6 << 10, SECONDS = 10 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Peak memory of a process that runs fn(path), in KiB. fn returns whether the outcome is as it must be. */
typedef bool (*opener)(const char *path);
static long peak_of(opener fn, const char *path, const char *what)
{
    struct rusage used;
    int status;
    fflush(NULL);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) _exit(fn(path) ? 0 : 1);
    ck_assert_int_eq(wait4(child, &status, 0, &used), child);
    ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s: another outcome than expected", what);
    return used.ru_maxrss;
}

static bool nothing(const char *path) { return path != NULL; }

/* multiple: bytes of memory a byte of the file may take. */
static void bounded(const char *what, const char *path, opener fn, long multiple)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    const long bare = peak_of(nothing, path, what);
    const double start = seconds_now();
    const long peak = peak_of(fn, path, what) - bare;
    const double seconds = seconds_now() - start;
    printf("%-44s %8lld bytes: %6ld KiB, %.3f s\n", what, (long long)info.st_size, peak, seconds);
#ifndef __SANITIZE_ADDRESS__
    ck_assert_msg(peak <= ALLOWANCE_KIB + multiple * (long)(info.st_size / 1024 + 1), "%s: %ld KiB for %lld bytes", what,
                  peak, (long long)info.st_size);
#endif
    ck_assert_msg(seconds < SECONDS, "%s: %g s", what, seconds);
}

/* --- files of libpeft ------------------------------------------------------------------------------------------- */
static bool adapter_is_refused(const char *path)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_adapter *a;
    return peft_adapter_load(tiny_backbone(ctx, NULL, NULL), path, &a) == PEFT_E_FORMAT;
}

START_TEST(adapter_that_asks_for_much)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    const char *path = tiny_path("large");
    tiny_edit(tiny_path("adapter"), path, &(tiny_change){ SET_META, "libpeft.adapter.0.options", "length=1000000" });
    bounded("adapter of 1,000,000 prompts", path, adapter_is_refused, 16);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

enum { NOTES = 100000 };
static bool notes_are_read(const char *path)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_file *f;
    OK(peft_file_open(ctx, path, &f));
    return peft_file_meta_count(f) == NOTES && !strcmp(peft_file_meta(f, "Q0t"), "");
}

START_TEST(header_of_many_notes)
{
    char *text = malloc(12 * NOTES + 100), *at = text + 8;
    static const char digit[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    at += sprintf(at, "{\"__metadata__\":{");
    for (int i = 0; i < NOTES; i++)                           /* names of three characters: a header is at most 1 MiB */
        at += sprintf(at, "%s\"%c%c%c\":\"\"", i ? "," : "", digit[i / 3844], digit[i / 62 % 62], digit[i % 62]);
    at += sprintf(at, "}}");
    while ((at - text) % 8) *at++ = ' ';
    const uint64_t length = (uint64_t)(at - text - 8);
    memcpy(text, &length, 8);
    write_bytes(in_folder("notes.safetensors"), text, (size_t)(at - text));
    bounded("header of 100,000 notes", in_folder("notes.safetensors"), notes_are_read, 24);
    free(text);
}
END_TEST

/* --- files of libpeft-io ---------------------------------------------------------------------------------------- */
static bool picture_is_refused(const char *path)
{
    peft_image *im;
    return peft_image_load(io_ctx, path, NULL, &im) != PEFT_OK;
}

/* A progressive JPEG of 16 x 16 whose header says 16,000 x 16,000. */
START_TEST(picture_that_announces_much)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[16 * 3], *at;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &size);
    c.image_width = c.image_height = 16;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < 16; y++) {
        JSAMPROW rows[] = { row };
        for (int i = 0; i < 48; i++) row[i] = (unsigned char)(i * 5 + y * 7);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    ck_assert_ptr_nonnull(at = memmem(data, size, "\xff\xc2", 2));
    memcpy(at + 5, "\x3e\x80\x3e\x80", 4);
    write_bytes(in_folder("large.jpg"), data, size);
    bounded("JPEG that announces 16,000 x 16,000", in_folder("large.jpg"), picture_is_refused, 16);
    free(data);
}
END_TEST

/* 1 x 16384 with the shorter side to 256 would be 4,194,304 rows; the crop needs 224. */
static bool strip_is_prepared(const char *path)
{
    static float out[3 * 224 * 224];
    peft_image *im;
    peft_transform *t;
    return !peft_image_load(io_ctx, path, NULL, &im) && !peft_transform_parse(io_ctx, "size=224,resize=shorter", &t) &&
           !peft_transform_apply(t, im, out);
}

START_TEST(long_strip)
{
    static uint8_t pixels[16384];
    peft_image *im;
    OK(peft_image_from_buffer(io_ctx, pixels, 1, 16384, 1, 8, 0, &im));
    OK(peft_image_save_png(im, in_folder("strip.png")));
    peft_image_free(im);
    bounded("PNG of 1 x 16384, shorter side to 256", in_folder("strip.png"), strip_is_prepared, 16);
}
END_TEST

static bool arrays_are_refused(const char *path)
{
    peft_dataset *d;
    return peft_dataset_open_npz(io_ctx, path, "val", &d) != PEFT_OK;
}

/* A member of one byte whose directory says 3.5 GiB. */
START_TEST(arrays_that_announce_much)
{
    zip_t *z = zip_open(in_folder("m.npz"), ZIP_CREATE, NULL);
    ck_assert_ptr_nonnull(z);
    ck_assert_int_ge(zip_file_add(z, "val_images.npy", zip_source_buffer(z, "-", 1, 0), 0), 0);
    ck_assert_int_eq(zip_close(z), 0);
    size_t bytes;
    unsigned char *data = read_bytes(in_folder("m.npz"), &bytes), *at = memmem(data, bytes, "PK\1\2", 4);
    at[27] = at[23] = 0xe0;
    write_bytes(in_folder("m.npz"), data, bytes);
    bounded("npz that announces 3.5 GiB", in_folder("m.npz"), arrays_are_refused, 16);
    free(data);
}
END_TEST

IO_SUITE_MAIN("bounds", adapter_that_asks_for_much, header_of_many_notes, picture_that_announces_much, long_strip,
              arrays_that_announce_much)
