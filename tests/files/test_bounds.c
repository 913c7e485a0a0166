/* SPDX-License-Identifier: Apache-2.0
 * test_bounds.c -- memory and time that small hostile files cost. Each file is opened in its own process; peak memory
 * must stay below a multiple of the file's size plus a fixed allowance. */
#include "io_files.h"
#include "tiny_files.h"
#include <jpeglib.h>
#include <peft/io.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* The allowance is for what does not depend on the file: pages of libraries, formatting of error messages. */
enum { ALLOWANCE_KIB = 6 * 1024, SECONDS = 10 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Opens a file; true: the result is as expected. */
typedef bool (*opener)(const char *path);

/* Peak memory of a child process that runs fn(path), in KiB. */
static long peak_of(opener fn, const char *path, const char *what)
{
    struct rusage used;
    int status;
    fflush(NULL);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) _exit(fn(path) ? 0 : 1);
    ck_assert_int_eq(wait4(child, &status, 0, &used), child);
    ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s: fn returned false, or the process crashed", what);
    return used.ru_maxrss;
}

/* For the memory of a process that opens no file. */
static bool open_nothing(const char *path) { return path != NULL; }

/* Opening the file by fn takes at most `multiple` bytes of memory for each byte of the file, beside the allowance, and
 * less than SECONDS. */
static void check_bounds(const char *what, const char *path, opener fn, long multiple)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    const long baseline = peak_of(open_nothing, path, what);
    const double start = seconds_now();
    const long peak = peak_of(fn, path, what) - baseline;
    const double seconds = seconds_now() - start;
    printf("%-44s %8lld bytes: %6ld KiB, %.3f s\n", what, (long long)info.st_size, peak, seconds);
#ifndef __SANITIZE_ADDRESS__
    ck_assert_msg(peak <= ALLOWANCE_KIB + multiple * (long)(info.st_size / 1024 + 1),
                  "%s: %ld KiB of memory for a file of %lld bytes", what, peak, (long long)info.st_size);
#endif
    ck_assert_msg(seconds < SECONDS, "%s: took %g s", what, seconds);
}

/* --- files of libpeft ------------------------------------------------------------------------------------------- */
static bool adapter_is_refused(const char *path)
{
    peft_context *ctx = tiny_plain_context();
    peft_adapter *a;
    return peft_adapter_load(tiny_default_backbone(ctx), path, &a) == PEFT_E_FORMAT;
}

START_TEST(an_adapter_with_options_of_huge_tensors)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    const char *path = tiny_path("large");
    tiny_edit(tiny_path("adapter"), path, &(tiny_change){ SET_META, "libpeft.adapter.0.options", "length=1000000" });
    check_bounds("adapter of 1,000,000 prompts", path, adapter_is_refused, 16);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

enum { NOTES = 100000 };
static bool notes_are_read(const char *path)
{
    peft_context *ctx = tiny_plain_context();
    peft_file *f;
    OK(peft_file_open(ctx, path, &f));
    const char *last = "Q0t";                                  /* 99999 = 26 * 3844 + 0 * 62 + 55 in digits 0-9A-Za-z */
    return peft_file_meta_count(f) == NOTES && !strcmp(peft_file_meta(f, last), "");
}

START_TEST(a_header_of_many_notes)
{
    char *text = malloc(12 * NOTES + 100), *end = text + 8;
    static const char digit[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    end += sprintf(end, "{\"__metadata__\":{");
    for (int i = 0; i < NOTES; i++)                           /* names of three characters: a header is at most 1 MiB */
        end += sprintf(end, "%s\"%c%c%c\":\"\"", i ? "," : "", digit[i / 3844], digit[i / 62 % 62], digit[i % 62]);
    end += sprintf(end, "}}");
    while ((end - text) % 8) *end++ = ' ';
    const uint64_t length = (uint64_t)(end - text - 8);
    memcpy(text, &length, 8);
    write_bytes(in_folder("notes.safetensors"), text, (size_t)(end - text));
    check_bounds("header of 100,000 notes", in_folder("notes.safetensors"), notes_are_read, 24);
    free(text);
}
END_TEST

/* --- files of libpeft-io ---------------------------------------------------------------------------------------- */
static bool image_is_refused(const char *path)
{
    peft_image *im;
    return peft_image_load(io_ctx, path, NULL, &im) != PEFT_OK;
}

/* A progressive JPEG of 16 x 16 whose header says 16,000 x 16,000. */
START_TEST(a_jpeg_that_announces_a_huge_image)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[16 * 3], *frame;
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
    ck_assert_ptr_nonnull(frame = memmem(data, size, "\xff\xc2", 2));                     /* the frame header */
    memcpy(frame + 5, "\x3e\x80\x3e\x80", 4);                                             /* height and width */
    write_bytes(in_folder("large.jpg"), data, size);
    check_bounds("JPEG that announces 16,000 x 16,000", in_folder("large.jpg"), image_is_refused, 16);
    free(data);
}
END_TEST

/* Resizing 1 x 16384 to a shorter side of 256 would give 4,194,304 rows; the crop reads 224 of them. */
static bool long_image_is_transformed(const char *path)
{
    static float out[3 * 224 * 224];
    peft_image *im;
    peft_transform *t;
    return !peft_image_load(io_ctx, path, NULL, &im) && !peft_transform_parse(io_ctx, "size=224,resize=shorter", &t) &&
           !peft_transform_apply(t, im, out);
}

START_TEST(an_image_of_one_pixel_width)
{
    static uint8_t pixels[16384];
    peft_image *im;
    OK(peft_image_from_buffer(io_ctx, pixels, 1, 16384, 1, 8, 0, &im));
    OK(peft_image_save_png(im, in_folder("strip.png")));
    peft_image_free(im);
    check_bounds("PNG of 1 x 16384, shorter side to 256", in_folder("strip.png"), long_image_is_transformed, 16);
}
END_TEST

static bool arrays_are_refused(const char *path)
{
    peft_dataset *d;
    return peft_dataset_open_npz(io_ctx, path, "val", &d) != PEFT_OK;
}

/* A zip member of one byte; the archive's directory gives its size as 3.5 GiB. */
START_TEST(an_npz_that_announces_a_huge_array)
{
    zip_t *z = zip_open(in_folder("m.npz"), ZIP_CREATE, NULL);
    ck_assert_ptr_nonnull(z);
    ck_assert_int_ge(zip_file_add(z, "val_images.npy", zip_source_buffer(z, "-", 1, 0), 0), 0);
    ck_assert_int_eq(zip_close(z), 0);
    size_t bytes;
    unsigned char *data = read_bytes(in_folder("m.npz"), &bytes), *directory = memmem(data, bytes, "PK\1\2", 4);
    directory[27] = directory[23] = 0xe0;                     /* highest bytes of the plain and the compressed size */
    write_bytes(in_folder("m.npz"), data, bytes);
    check_bounds("npz that announces 3.5 GiB", in_folder("m.npz"), arrays_are_refused, 16);
    free(data);
}
END_TEST

IO_SUITE_MAIN("bounds", an_adapter_with_options_of_huge_tensors, a_header_of_many_notes,
              a_jpeg_that_announces_a_huge_image, an_image_of_one_pixel_width, an_npz_that_announces_a_huge_array)
