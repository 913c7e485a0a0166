/* SPDX-License-Identifier: Apache-2.0
 * test_tiff_levels.c -- pages, levels and regions of TIFF files: slides in several sizes, of which parts are read. */
#include "tiff_files.h"
#include "io/image/image.h"

enum { SIDE = 96 };
/* A sample of the picture of this side. */
static uint8_t sample(int side, int x, int y) { return (uint8_t)(x * 7 + y * 13 + side); }

/* Adds a page that is a square picture. */
static void add_square(TIFF *t, page p, int side)
{
    uint8_t v[SIDE * SIDE];
    p.width = p.height = side;
    for (int i = 0; i < side * side; i++) v[i] = sample(side, i % side, i / side);
    add_page(t, &p, v);
}

/* Reading with these options gives the part of the square picture of this side that begins at (x, y). */
static void is_part(const char *path, const char *options, int side, int x, int y, int w, int h)
{
    peft_image *im = load_tiff(path, options);
    ck_assert_msg(im->width == w && im->height == h, "%s: %lld x %lld", options, (long long)im->width,
                  (long long)im->height);
    for (int i = 0; i < w * h; i++)
        ck_assert_msg(((uint8_t *)im->pixels)[i] == sample(side, x + i % w, y + i / w), "%s: pixel %d", options, i);
    peft_image_free(im);
}

static int64_t slices_of(const char *path)
{
    int64_t n;
    ok(peft_image_slices(io_ctx, path, NULL, &n));
    return n;
}

static const page tiles = { .tile = 16 }, strips = { .rows = 8 }, reduced = { .tile = 16, .reduced = 1 };

START_TEST(pages_are_slices)
{
    const char *path = in_folder("p.tif");
    peft_image *im;
    TIFF *t = TIFFOpen(path, "w");
    for (int i = 0; i < 5; i++) add_square(t, i % 2 ? tiles : strips, 20 + i);
    TIFFClose(t);
    ck_assert_int_eq(slices_of(path), 5);
    fails(PEFT_E_UNSUPPORTED, "holds 5 slices", peft_image_load(io_ctx, path, NULL, &im));
    for (int i = 0; i < 5; i++) {
        char options[40];
        snprintf(options, sizeof options, "slice=%d", i);
        is_part(path, options, 20 + i, 0, 0, 20 + i, 20 + i);
    }
    fails(PEFT_E_OPTION, "level=1, the picture has 1 level", peft_image_load(io_ctx, path, "slice=2 level=1", &im));
}
END_TEST

/* Reduced pages belong to the page before them; reduced sub-directories come first. */
START_TEST(levels_are_reduced_pages_and_sub_directories)
{
    const char *path = in_folder("l.tif");
    peft_image *im;
    TIFF *t = TIFFOpen(path, "w");
    page whole = tiles;
    whole.subdirectories = 2;
    add_square(t, whole, SIDE);
    add_square(t, reduced, 48);
    add_square(t, reduced, 24);                               /* the sub-directories of the first */
    add_square(t, reduced, 12);
    add_square(t, strips, 30);
    add_square(t, reduced, 15);
    TIFFClose(t);
    ck_assert_int_eq(slices_of(path), 2);
    is_part(path, "slice=0", SIDE, 0, 0, SIDE, SIDE);
    is_part(path, "slice=0 level=1", 48, 0, 0, 48, 48);
    is_part(path, "slice=0 level=2", 24, 0, 0, 24, 24);
    is_part(path, "slice=0 level=3", 12, 0, 0, 12, 12);
    is_part(path, "slice=1 level=1", 15, 0, 0, 15, 15);
    fails(PEFT_E_OPTION, "level=4, the picture has 4 levels", peft_image_load(io_ctx, path, "slice=0 level=4", &im));
}
END_TEST

/* A slide by Aperio: tiled pages are levels; thumbnail, label and view of the glass are in strips. */
START_TEST(slides_by_aperio)
{
    const char *path = in_folder("s.svs");
    TIFF *t = TIFFOpen(path, "w");
    page first = tiles;
    first.description = "Aperio Image Library v10.0.50";
    add_square(t, first, SIDE);
    add_square(t, strips, 40);
    add_square(t, tiles, 48);
    add_square(t, tiles, 24);
    add_square(t, strips, 30);
    TIFFClose(t);
    ck_assert_int_eq(slices_of(path), 1);
    is_part(path, "", SIDE, 0, 0, SIDE, SIDE);
    is_part(path, "level=1", 48, 0, 0, 48, 48);
    is_part(path, "level=2 region=3:5:20:7", 24, 3, 5, 20, 7);
}
END_TEST

START_TEST(regions_are_parts)
{
    for (int tiled = 0; tiled < 2; tiled++) {
        const char *path = in_folder("r.tif");
        TIFF *t = TIFFOpen(path, "w");
        add_square(t, tiled ? tiles : strips, 50);
        TIFFClose(t);
        static const int box[][4] = { { 0, 0, 50, 50 }, { 0, 0, 1, 1 }, { 49, 49, 1, 1 }, { 15, 15, 2, 2 }, { 16, 16,
                                                                                                              16, 16 },
            { 3, 20, 40, 29 }, { 33, 0, 17, 50 } };
        for (size_t i = 0; i < sizeof box / sizeof *box; i++) {
            char options[60];
            snprintf(options, sizeof options, "region=%d:%d:%d:%d", box[i][0], box[i][1], box[i][2], box[i][3]);
            is_part(path, options, 50, box[i][0], box[i][1], box[i][2], box[i][3]);
        }
        static const char *const wrong[] = { "region=0:0:51:1", "region=50:0:1:1", "region=0.5:0:1:1", "region=1:1:0:1",
            "region=0:49:1:2" };
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            peft_image *im;
            fails(PEFT_E_OPTION, "the picture has 50x50", peft_image_load(io_ctx, path, wrong[i], &im));
        }
    }
}
END_TEST

/* Only the tiles of the region are decoded: of a picture above max_side, and beside damaged tiles. */
START_TEST(other_tiles_are_not_decoded)
{
    const char *path = in_folder("d.tif");
    size_t size;
    peft_image *im;
    page p = tiles;
    p.compression = COMPRESSION_ADOBE_DEFLATE;
    TIFF *t = TIFFOpen(path, "w");
    add_square(t, p, SIDE);
    TIFFClose(t);
    is_part(path, "max_side=8 max_bytes=100000 region=40:50:8:8", SIDE, 40, 50, 8, 8);
    fails(PEFT_E_UNSUPPORTED, "region=x:y:width:height, or a smaller size of a slide with level=N",
          peft_image_load(io_ctx, path, "max_side=8", &im));
    uint8_t *file = read_bytes(path, &size);
    memset(file + 12, 0x55, 20);                              /* in the first tile */
    fails(PEFT_E_FORMAT, "TIFF: ", peft_image_load_memory(io_ctx, file, size, NULL, &im));
    ok(peft_image_load_memory(io_ctx, file, size, "region=16:16:80:80", &im));
    peft_image_free(im);
    fails(PEFT_E_UNSUPPORTED, "a tile or strip takes 256 bytes",
          peft_image_load_memory(io_ctx, file, size, "region=16:16:2:2 max_bytes=255", &im));
    free(file);
}
END_TEST

/* Formats without levels and regions of their own: a region is cut out of the decoded picture. */
START_TEST(other_formats_have_regions_but_no_levels)
{
    peft_image *whole = picture(9, 8, 3, 8, 4), *part, *loaded;
    ok(peft_image_save_png(whole, in_folder("a.png")));
    ok(peft_image_load(io_ctx, in_folder("a.png"), "region=2:3:5:4", &loaded));
    ok(peft_image_crop(whole, 2, 3, 5, 4, &part));
    same_image(part, loaded);
    peft_image_free(loaded);
    fails(PEFT_E_OPTION, "8x9 pixels (height x width)",
          peft_image_load(io_ctx, in_folder("a.png"), "region=2:3:8:4", &loaded));
    fails(PEFT_E_OPTION, "the option volume", peft_image_load(io_ctx, in_folder("a.png"), "volume=0", &loaded));
    fails(PEFT_E_OPTION, "the option level", peft_image_load(io_ctx, in_folder("a.png"), "level=1", &loaded));
    fails(PEFT_E_OPTION, "the option orient", peft_image_load(io_ctx, in_folder("a.png"), "orient=ras", &loaded));
    peft_image_free(whole);
    peft_image_free(part);
}
END_TEST

/* A file on disk is not read as a whole: one of 3 GiB, of which a region is read, is within a limit of 1 MB. */
START_TEST(files_above_the_limit_are_read_in_parts)
{
    const char *path = in_folder("large.tif");
    peft_image *im;
    size_t size;
    TIFF *t = TIFFOpen(path, "w");
    add_square(t, tiles, SIDE);
    TIFFClose(t);
    uint8_t *file = read_bytes(path, &size);
    free(file);
    ck_assert_int_eq(truncate(path, 3ll << 30), 0);           /* zeros, which take no room on disk */
    is_part(path, "max_bytes=1000000 region=40:50:8:8", SIDE, 40, 50, 8, 8);
    is_part(path, "max_bytes=1000000", SIDE, 0, 0, SIDE, SIDE);
    ck_assert_int_eq(slices_of(path), 1);
    fails(PEFT_E_UNSUPPORTED, "max_bytes", peft_image_load(io_ctx, path, "max_bytes=5000", &im));
    ck_assert_int_eq(truncate(path, (off_t)size / 2), 0);     /* the pixels or the tags are missing */
    fails(PEFT_E_FORMAT, "TIFF: ", peft_image_load(io_ctx, path, NULL, &im));
}
END_TEST

IO_SUITE_MAIN("tiff levels", pages_are_slices, levels_are_reduced_pages_and_sub_directories, slides_by_aperio,
              regions_are_parts, other_tiles_are_not_decoded, files_above_the_limit_are_read_in_parts,
              other_formats_have_regions_but_no_levels)
