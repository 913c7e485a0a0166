/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_refused.c -- DICOM files that are damaged, too large or not decoded, and transforms that do not fit;
 * headers; threads. */
#include "dicom_files.h"
#include "failing_alloc.h"
#include <peft/transform.h>
#include <pthread.h>
#include <sys/resource.h>

static const uint16_t ramp[12] = { 0, 1, 40, 500, 1000, 1023, 1024, 1025, 2000, 3000, 4094, 4095 };
#define CT .rows = 3, .columns = 4, .allocated = 16, .stored = 12, .pixels = ramp, .size = sizeof ramp

/* Each file is cut after every byte, in memory of exactly that size. */
START_TEST(cut_files_are_refused)
{
    static const table voi = { 12, 0, 12, ramp, NULL };
    const scan scans[] = { { CT, .voi = &voi }, { CT, .syntax = IMPLICIT_LITTLE }, { CT, .syntax = EXPLICIT_BIG },
                           { .syntax = RLE_LOSSLESS, .rows = 1, .columns = 2, .allocated = 8, .stored = 8,
                             .pixels = "\1\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3",
                                       .size = 68 } };
    for (size_t k = 0; k < sizeof scans / sizeof *scans; k++) {
        dicom d;
        make_dicom(&d, &scans[k]);
        /* Behind the fragments only the end of their sequence follows, which no pixel needs. */
        const size_t needed = d.size - (k == 3 ? 8 : 0);
        for (size_t n = 0; n < d.size; n++) {
            unsigned char *part = malloc(n ? n : 1);
            peft_image *im = NULL;
            memcpy(part, d.data, n);
            const peft_status s = peft_image_load_memory(io_ctx, part, n, NULL, &im);
            ck_assert_msg(n >= needed || s == PEFT_E_FORMAT || s == PEFT_E_UNSUPPORTED,
                          "file %zu, %zu of %zu bytes: %s", k, n,
                          d.size, s ? peft_last_error() : "accepted");
            peft_image_free(im);
            free(part);
        }
    }
}
END_TEST

START_TEST(headers_that_cannot_be_are_refused)
{
    refused(PEFT_E_FORMAT, "no pixels", &(scan){ .rows = 3, .columns = 4, .allocated = 16, .stored = 12 }, NULL);
    refused(PEFT_E_FORMAT, "0 columns", &(scan){ .rows = 3, .allocated = 16, .stored = 12, .pixels = ramp,
                                                  .size = sizeof ramp }, NULL);
    refused(PEFT_E_FORMAT, "bytes of pixels", &(scan){ CT, .frames = "2" }, "slice=0");
    refused(PEFT_E_FORMAT, "bytes of pixels", &(scan){ CT, .frames = "2147483647" }, "slice=0");
    refused(PEFT_E_FORMAT, "24 for each of 9223372036854775807 frames",
            &(scan){ CT, .frames = "9223372036854775807" }, "slice=0");
    for (int k = 0; k < 2; k++)
        refused(PEFT_E_UNSUPPORTED, "signed samples", &(scan){ .rows = 1, .columns = 1, .channels = 3, .is_signed = 1,
                .photometric = k ? "YBR_FULL" : "RGB", .allocated = 8, .stored = 8, .pixels = ramp, .size = 3 }, NULL);
    refused(PEFT_E_FORMAT, "bits stored", &(scan){ .rows = 3, .columns = 4, .allocated = 16, .stored = 17,
                                                   .pixels = ramp,
                                                    .size = sizeof ramp }, NULL);
    refused(PEFT_E_UNSUPPORTED, "12 bits allocated", &(scan){ .rows = 3, .columns = 4, .allocated = 12, .stored = 12,
                                                               .pixels = ramp, .size = sizeof ramp }, NULL);
    refused(PEFT_E_UNSUPPORTED, "HSV", &(scan){ .rows = 1, .columns = 2, .channels = 3, .photometric = "HSV",
                                                 .allocated = 8, .stored = 8, .pixels = ramp, .size = 6 }, NULL);
    refused(PEFT_E_FORMAT, "Rescale Slope", &(scan){ CT, .slope = "0", .intercept = "1" }, NULL);
    refused(PEFT_E_FORMAT, "window=none", &(scan){ CT, .centre = "1", .width = "0" }, NULL);
    refused(PEFT_E_UNSUPPORTED, "CUBIC", &(scan){ CT, .centre = "1", .width = "9", .function = "CUBIC" }, NULL);
    refused(PEFT_E_OPTION, "no windows", &(scan){ .rows = 1, .columns = 1, .channels = 3, .photometric = "RGB",
                                                   .allocated = 8, .stored = 8, .pixels = ramp, .size = 3 },
                                                   "window=0");
    refused(PEFT_E_FORMAT, "tables of red", &(scan){ .rows = 1, .columns = 2, .photometric = "PALETTE COLOR",
                                                      .allocated = 8, .stored = 8, .pixels = ramp, .size = 2 }, NULL);
}
END_TEST

/* 2^24 + 1 in 32 bits; a window makes a real number of it, which is rounded. */
START_TEST(integers_that_a_float_cannot_hold)
{
    static const uint32_t samples[3] = { 16777216, 16777217, 5 };
#define WIDE .rows = 1, .allocated = 32, .stored = 32, .pixels = samples
    refused(PEFT_E_UNSUPPORTED, "16777217", &(scan){ WIDE, .columns = 2, .size = 8 }, NULL);
    refused(PEFT_E_UNSUPPORTED, "16777217", &(scan){ WIDE, .columns = 2, .size = 8, .is_signed = 1 }, NULL);
    refused(PEFT_E_UNSUPPORTED, "16777219", &(scan){ WIDE, .columns = 2, .size = 8, .slope = "1", .intercept = "2" },
            NULL);
    refused(PEFT_E_UNSUPPORTED, "16777217", &(scan){ WIDE, .columns = 1, .channels = 3, .photometric = "RGB",
            .size = 12 }, NULL);
    peft_image_free(load_scan(&(scan){ WIDE, .columns = 1, .size = 4 }, NULL));
    const scan windowed = { WIDE, .columns = 2, .size = 8, .centre = "16777216", .width = "100" };
    refused(PEFT_E_UNSUPPORTED, "16777217", &windowed, "window=none");
    peft_image_free(load_scan(&windowed, NULL));
}
END_TEST

static char warning[400];

static void keep_warning(int level, const char *message, void *user)
{
    (void)level, (void)user;
    snprintf(warning, sizeof warning, "%s", message);
}

/* Entries of 17 bits: an error, but not with window=none. Without descriptor or entries pydicom
 * takes the window. */
START_TEST(broken_tables)
{
    static const table whole = { 12, 0, 12, ramp, NULL }, wide = { 12, 0, 17, ramp, NULL };
    static const table empty = { 0, 0, 12, ramp, NULL };
    const scan broken = { CT, .voi = &wide, .centre = "150", .width = "100", .names = "W" };
    refused(PEFT_E_FORMAT, "window=none", &broken, NULL);
    refused(PEFT_E_FORMAT, "VOI LUT 0 is broken", &broken, "window=0");
    refused(PEFT_E_FORMAT, "VOI LUT 0 is broken", &broken, "window=CURVE");
    refused(PEFT_E_FORMAT, "Modality LUT", &(scan){ CT, .modality = &wide }, NULL);
    peft_image_free(load_scan(&broken, "window=none"));
    peft_image_free(load_scan(&broken, "window=W"));
    peft_image_free(load_scan(&(scan){ CT, .voi = &whole }, NULL));
    const scan without_entries = { CT, .voi = &empty, .centre = "150", .width = "100" };
    ok(peft_context_set_log(io_ctx, keep_warning, NULL, 1));
    for (int k = 0; k < 2; k++) {
        warning[0] = 0;
        peft_image_free(load_scan(&without_entries, k ? "window=none" : NULL));
        ck_assert_msg(k ? !*warning : strstr(warning, "VOI LUT Sequence") != NULL, "warning: %s", warning);
    }
}
END_TEST

/* Entries beyond those that the descriptor states are not read: peak memory hardly grows for 64 MiB of them. */
START_TEST(long_tables_take_no_memory)
{
    enum { LONG = 64 << 20 };
    static dicom d, end;
    struct rusage before, after;
    peft_image *im;
    const scan s = { CT };
    const size_t pixels = 12 + sizeof ramp;                   /* the last element of the file */
    make_dicom(&d, &s);
    memcpy(end.data, d.data + d.size - pixels, pixels);
    d.size -= pixels;
    put_tag(&d, 0x00283010, "SQ", 0xffffffff);
    put_number(&d, 0xfffe, 2), put_number(&d, 0xe000, 2), put_number(&d, 0xffffffff, 4);
    put_tag(&d, 0x00283002, "US", 6);
    put_number(&d, 2, 2), put_number(&d, 0, 2), put_number(&d, 12, 2);
    put_tag(&d, 0x00283006, "OW", LONG);
    const size_t begin_size = d.size;
    put_number(&d, 0xfffe, 2), put_number(&d, 0xe00d, 2), put_number(&d, 0, 4);
    put_number(&d, 0xfffe, 2), put_number(&d, 0xe0dd, 2), put_number(&d, 0, 4);
    put_bytes(&d, end.data, pixels);
    unsigned char *file = malloc(d.size + LONG);
    memcpy(file, d.data, begin_size);
    memset(file + begin_size, 1, LONG);
    memcpy(file + begin_size + LONG, d.data + begin_size, d.size - begin_size);
    getrusage(RUSAGE_SELF, &before);
    ok(peft_image_load_memory(io_ctx, file, d.size + LONG, NULL, &im));
    getrusage(RUSAGE_SELF, &after);
    const long kib = after.ru_maxrss - before.ru_maxrss;
    ck_assert_msg(kib < LONG / 1024 / 2, "peak memory grew by %ld KiB for a table of %d KiB", kib, LONG / 1024);
    peft_image_free(im);
    free(file);
}
END_TEST

/* The message says how to convert the file. */
START_TEST(compressions_that_are_not_decoded_are_named)
{
    static const char *const rows[][2] = { { JPEG_2000, "JPEG 2000" }, { "1.2.840.10008.1.2.4.201", "High-Throughput" },
                                           { "1.2.840.10008.1.2.4.102", "MPEG-4" }, { "1.2.3.4.5", "1.2.3.4.5" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const scan s = { CT, .syntax = rows[i][0] };
        refused(PEFT_E_UNSUPPORTED, rows[i][1], &s, NULL);
        refused(PEFT_E_UNSUPPORTED, "gdcmconv --raw", &s, NULL);
    }
}
END_TEST

/* Before memory for pixels is allocated: the file's own size does not bound it. */
START_TEST(limits)
{
    const scan s = { CT, .centre = "1", .width = "9" };
    refused(PEFT_E_UNSUPPORTED, "max_side", &s, "max_side=3");
    refused(PEFT_E_UNSUPPORTED, "max_bytes", &s, "max_bytes=47");
    refused(PEFT_E_UNSUPPORTED, "max_bytes", &s, "max_bytes=23");
    peft_image_free(load_scan(&s, "max_side=4,max_bytes=48"));
    /* RLE whose header states 65535 x 65535 pixels */
    refused(PEFT_E_UNSUPPORTED, "max_bytes", &(scan){ .syntax = RLE_LOSSLESS, .rows = 65535, .columns = 65535,
            .allocated = 8, .stored = 8, .pixels = "\1\0\0\0", .size = 4 }, NULL);
    /* a JPEG of another size than the header's */
    static const char jpeg[] = "\377\330\377\300\0\13\10\377\377\377\377\1\1\021\0\377\331";
    refused(PEFT_E_FORMAT, "65535", &(scan){ .syntax = JPEG_BASELINE, .rows = 8, .columns = 8, .allocated = 8,
                                             .stored = 8,
            .pixels = jpeg, .size = sizeof jpeg - 1 }, NULL);
}
END_TEST

/* Segments outside of the fragment, too many of them, and runs without their byte. */
START_TEST(damaged_runs)
{
    static const unsigned char headers[][8] = { { 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, { 1, 0, 0, 0, 0x30, 0x38, 0x2e,
                                                                                          0x31 },
        { 1, 0, 0, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 64, 0, 0, 0 }, { 0xff, 0xff, 0xff, 0xff, 64, 0, 0, 0 },
        { 1, 0, 0, 0, 65, 0, 0, 0 } };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        unsigned char runs[66] = { 0 };
        memcpy(runs, headers[i], 8);
        runs[64] = 1;
        refused(PEFT_E_FORMAT, "RLE", &(scan){ .syntax = RLE_LOSSLESS, .rows = 1, .columns = 2, .allocated = 8,
                                               .stored = 8,
                .pixels = runs, .size = sizeof runs }, NULL);
    }
}
END_TEST

/* Sequences in sequences, 3000 deep, and an element whose length is nearly 4 GiB. */
START_TEST(nesting_and_lengths_are_bounded)
{
    static dicom d;
    peft_image *im = NULL;
    begin(&d, EXPLICIT_LITTLE);
    for (int i = 0; i < 3000; i++) {
        put_tag(&d, 0x00081140, "SQ", 0xffffffff);
        put_number(&d, 0xfffe, 2), put_number(&d, 0xe000, 2), put_number(&d, 0xffffffff, 4);
    }
    fails(PEFT_E_FORMAT, "nested", peft_image_load_memory(io_ctx, d.data, d.size, NULL, &im));
    begin(&d, EXPLICIT_LITTLE);
    put_tag(&d, 0x00081140, "OB", 0xfffffff0);
    put_bytes(&d, "1234", 4);
    fails(PEFT_E_FORMAT, "DICOM", peft_image_load_memory(io_ctx, d.data, d.size, NULL, &im));
}
END_TEST

/* The transform maps the range of the window. Hounsfield units need window=none and a range. */
START_TEST(transforms)
{
    static float out[3 * 4 * 4];
    static uint16_t pixels[16];
    for (int i = 0; i < 16; i++) pixels[i] = 1024;
    const scan s = { .rows = 4, .columns = 4, .allocated = 16, .stored = 12, .slope = "1", .intercept = "-1024",
                     .centre = "0.5", .width = "1001", .pixels = pixels, .size = sizeof pixels };
    peft_transform *full, *range;
    ok(peft_transform_parse(io_ctx, "size=4,mean=0:0:0,std=1:1:1", &full));
    ok(peft_transform_parse(io_ctx, "size=4,mean=0:0:0,std=1:1:1,range=-1000:600", &range));
    peft_image *windowed = load_scan(&s, NULL), *plain = load_scan(&s, "window=none");
    ok(peft_transform_apply(full, windowed, out));
    ck_assert(out[0] > 0.4999f && out[0] < 0.5001f);          /* 0 HU is the centre */
    fails(PEFT_E_INVALID, "range=lo:hi", peft_transform_apply(full, plain, out));
    ok(peft_transform_apply(range, plain, out));
    ck_assert(out[0] > 0.6249f && out[0] < 0.6251f);
    fails(PEFT_E_INVALID, "window=none", peft_transform_apply(range, windowed, out));
    peft_image_free(windowed);
    peft_image_free(plain);
    peft_transform_free(full);
    peft_transform_free(range);
}
END_TEST

START_TEST(headers_are_read_without_pixels)
{
    const scan s = { CT, .frames = "1", .slope = "2", .intercept = "-1024", .centre = "40\\300", .width = "400\\1500",
                     .names = "BRAIN\\" };
    dicom d;
    peft_dicom_header *h;
    make_dicom(&d, &s);
    write_bytes(in_folder("whole.dcm"), d.data, d.size);
    write_bytes(in_folder("cut.dcm"), d.data, d.size - 20);   /* in the pixels */
    for (int k = 0; k < 2; k++) {
        ok(peft_dicom_header_read(io_ctx, in_folder(k ? "cut.dcm" : "whole.dcm"), &h));
        static const char *const want[][2] = { { "patient", "P 17" }, { "study", "1.2.3" }, { "series", "1.2.3.1" },
            { "instance", "1.2.3.4" }, { "number", "5" }, { "modality", "CT" }, { "position", "" },
            { "photometric", "MONOCHROME2" }, { "rescale", "2 * v + -1024" }, { "windows",
                                                                                "40/400 'BRAIN'\\300/1500" } };
        for (size_t i = 0; i < sizeof want / sizeof *want; i++)
            ck_assert_str_eq(peft_dicom_header_text(h, want[i][0]), want[i][1]);
        ck_assert_ptr_null(peft_dicom_header_text(h, "colour"));
        ck_assert_int_eq(peft_dicom_header_frames(h), 1);
        peft_dicom_header_free(h);
    }
    write_bytes(in_folder("text.dcm"), "hello", 5);
    fails(PEFT_E_FORMAT, "not a DICOM file", peft_dicom_header_read(io_ctx, in_folder("text.dcm"), &h));
    fails(PEFT_E_IO, "absent", peft_dicom_header_read(io_ctx, in_folder("absent"), &h));
}
END_TEST

static peft_status load_one(peft_context *ctx, void *file)
{
    peft_image *im = NULL;
    const dicom *d = file;
    peft_status s = peft_image_load_memory(ctx, d->data, d->size, NULL, &im);
    peft_image_free(im);
    return s;
}

static peft_status read_one_header(peft_context *ctx, void *path)
{
    peft_dicom_header *h = NULL;
    peft_status s = peft_dicom_header_read(ctx, path, &h);
    peft_dicom_header_free(h);
    return s;
}

START_TEST(each_allocation_may_fail)
{
    static dicom d;
    const scan s = { CT, .centre = "1", .width = "9" };
    make_dicom(&d, &s);
    write_bytes(in_folder("a.dcm"), d.data, d.size);
    failing_alloc_loop(load_one, &d);
    failing_alloc_loop(read_one_header, (void *)in_folder("a.dcm"));
}
END_TEST

static void *load_many(void *file)
{
    peft_status s = PEFT_OK;
    for (int i = 0; i < 50 && !s; i++) s = load_one(io_ctx, file);
    return s ? file : NULL;
}

/* Among them the first call, which loads the plug-in: Check runs each test in a process of its own. */
START_TEST(threads_load_at_the_same_time)
{
    static dicom d;
    pthread_t thread[8];
    const scan s = { CT };
    make_dicom(&d, &s);
    for (int i = 0; i < 8; i++) ck_assert_int_eq(pthread_create(&thread[i], NULL, load_many, &d), 0);
    for (int i = 0; i < 8; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

IO_SUITE_MAIN("dicom_refused", cut_files_are_refused, headers_that_cannot_be_are_refused,
              integers_that_a_float_cannot_hold, broken_tables, long_tables_take_no_memory,
              compressions_that_are_not_decoded_are_named, limits, damaged_runs, nesting_and_lengths_are_bounded,
              transforms,
              headers_are_read_without_pixels, each_allocation_may_fail, threads_load_at_the_same_time)
