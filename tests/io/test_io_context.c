/* SPDX-License-Identifier: Apache-2.0
 * test_io_context.c -- objects of libpeft-io use the allocator, log and seed of their context, keep it alive, and
 * report PEFT_E_NOMEM without a leak whichever allocation fails. */
#include "failing_alloc.h"
#include "io_files.h"
#include "png_files.h"
#include <jpeglib.h>
#include <peft/io.h>

/* Makes the call unless an earlier one failed. */
#define TRY(call) do { if (!s) s = (call); } while (0)

/* --- memory: every allocation refused in turn --------------------------------------------------------------------- */
/* Functions for failing_alloc_loop: each makes objects under ctx, frees them, also after a failure, and returns the
 * first error. */
static peft_status load_and_rescale_image(peft_context *ctx, void *path)
{
    peft_image *im = NULL, *rescaled = NULL;
    peft_status s = peft_image_load(ctx, path, "slice=0", &im);
    TRY(peft_image_rescale(im, 2, 1, &rescaled));
    peft_image_free(im);
    peft_image_free(rescaled);
    return s;
}

/* arg: path of the file to write. */
static peft_status edit_image(peft_context *ctx, void *arg)
{
    static const uint8_t pixels[9 * 7 * 3];
    static float plane[5 * 6 * 3];
    peft_image *im = NULL, *resized = NULL, *cropped = NULL;
    peft_status s = peft_image_from_buffer(ctx, pixels, 9, 7, 3, 8, 0, &im);
    TRY(peft_image_resize(im, 5, 6, "bicubic", &resized));
    TRY(peft_image_resize_float(im, 5, 6, "lanczos", plane));
    TRY(peft_image_save_png(resized, arg));
    TRY(peft_image_crop(im, -1, 2, 4, 4, &cropped));
    peft_image_free(im);
    peft_image_free(resized);
    peft_image_free(cropped);
    return s;
}

/* arg: path of an image with alpha. */
static peft_status apply_transforms(peft_context *ctx, void *arg)
{
    static const int16_t samples[11 * 8];
    static float out[3 * 6 * 6];
    peft_image *im = NULL, *alpha_image = NULL;
    peft_transform *t = NULL, *plain = NULL;
    const char *text = "size=6,range=p1:p99,random_crop=true,flip=1,pad=1,brightness=0.5,erase=1";
    peft_status s = peft_transform_parse(ctx, text, &t);
    TRY(peft_transform_parse_over(ctx, "size=6", "alpha=white,grey=true,resize=longest_mean,mean=0.1:0.5:0.9", &plain));
    TRY(peft_image_from_buffer(ctx, samples, 11, 8, 1, PEFT_SIGNED_16, 0, &im));
    TRY(peft_image_load(ctx, arg, NULL, &alpha_image));
    TRY(peft_transform_apply_train(t, im, 1, 2, 3, out));
    TRY(peft_transform_apply(plain, alpha_image, out));
    peft_image_free(im);
    peft_image_free(alpha_image);
    peft_transform_free(t);
    peft_transform_free(plain);
    return s;
}

/* Opens the data set at the path, makes subsets and loads a batch. */
static peft_status use_data_set(peft_context *ctx, void *path)
{
    static float pixels[2 * 3 * 4 * 4];
    const int64_t dims[] = { 2, 3, 4, 4 };
    peft_dataset *d = NULL, *few = NULL, *rest = NULL, *part = NULL, *narrow = NULL, *matched = NULL;
    peft_transform *t = NULL;
    peft_loader *l = NULL;
    peft_tensor *images = NULL;
    char hex[65];
    int64_t n;
    peft_status s = peft_dataset_open(ctx, path, strstr(path, ".npz") ? "train" : NULL, &d);
    TRY(peft_dataset_digest(d, hex));
    TRY(peft_dataset_overlap(d, d, 0, NULL, NULL, &n));
    if (!peft_dataset_multilabel(d)) TRY(peft_dataset_few_shot(d, 0, 1, 1, &few, &rest));
    TRY(peft_dataset_split(d, 0.5, 1, &part, NULL));
    if (!strstr(path, ".npz")) TRY(peft_dataset_with_image_options(part, "max_side=100", &narrow));
    TRY(peft_dataset_match_classes(d, part, &matched));
    TRY(peft_transform_parse(ctx, "size=4", &t));
    TRY(peft_loader_create(matched, t, "batch=2,shuffle=true", &l));
    TRY(peft_tensor_wrap(ctx, PEFT_F32, 4, dims, pixels, &images));
    const int64_t epoch = 0, batch = 0;
    TRY(peft_loader_read(l, epoch, batch, images, NULL, NULL, &n));
    peft_tensor_free(images);
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(matched);
    peft_dataset_free(narrow);
    peft_dataset_free(part);
    peft_dataset_free(rest);
    peft_dataset_free(few);
    peft_dataset_free(d);
    return s;
}

/* A grey JPEG of 16 x 16 pixels. */
static void write_jpeg(const char *path)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[16] = { 9, 200 };
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &size);
    c.image_width = c.image_height = 16;
    c.input_components = 1;
    c.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < 16; y++) jpeg_write_scanlines(&c, (JSAMPROW[]){ row }, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    write_bytes(path, data, size);
    free(data);
}

/* A PNG with alpha: the decoder allocates one array for the samples and one for alpha. */
static void write_alpha(const char *path)
{
    static const uint8_t samples[3 * 2 * 4] = { 1, 2, 3, 4 };
    size_t size;
    void *png = png_of(SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, 3, 2, NULL, samples, sizeof samples, &size);
    write_bytes(path, png, size);
    free(png);
}

#define DICT(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"
/* An .npy file of two slices of 5 x 6 pixels. */
static void write_stack(const char *path)
{
    static const uint8_t samples[2 * 5 * 6];
    static unsigned char file[1000];
    write_bytes(path, file, npy_file(file, DICT("|u1", "(2, 5, 6)"), samples, sizeof samples));
}

static void write_pgm(const char *path) { write_bytes(path, "P5 2 2 255\n\1\2\3\4", 15); }

START_TEST(images_survive_failing_allocations)
{
    static const struct { const char *name; void (*write)(const char *path); long allocations; } kinds[] = {
        { "a.pgm", write_pgm, 3 }, { "a.npy", write_stack, 4 }, { "a.jpg", write_jpeg, 4 },
        { "a.png", write_alpha, 8 } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s", in_folder(kinds[i].name));
        kinds[i].write(path);
        const long allocations = failing_alloc_loop(load_and_rescale_image, path);
        ck_assert_msg(allocations >= kinds[i].allocations, "%s: %ld allocations, expected at least %ld", path,
                      allocations, kinds[i].allocations);
    }
    ck_assert_int_gt(failing_alloc_loop(edit_image, (char *)in_folder("out.png")), 15);
}
END_TEST

START_TEST(transforms_survive_failing_allocations)
{
    char path[300];
    snprintf(path, sizeof path, "%s", in_folder("a.png"));
    write_alpha(path);
    ck_assert_int_gt(failing_alloc_loop(apply_transforms, path), 40);
}
END_TEST

/* The same data set of four samples in two classes as a folder, a zip, an .npz and a list; and a multi-label list. */
static void write_data_sets(void)
{
    static unsigned char images[2000], labels[1000];
    static const uint8_t pixels[4 * 5 * 6] = { 1, [40] = 9, [70] = 3, [110] = 5 };
    static const int64_t label[4] = { 0, 1, 0, 1 };
    const char *names[] = { "set/a/1.png", "set/a/2.png", "set/b/3.png", "set/b/4.png" };
    unsigned char *data[4];
    entry entries[5] = { { "set/notes.txt", "-", 1 } };
    for (unsigned i = 0; i < 4; i++) {
        save_picture(in_folder(names[i]), 6, 5, 3, i);
        data[i] = read_bytes(in_folder(names[i]), &entries[i + 1].size);
        entries[i + 1] = (entry){ names[i], data[i], entries[i + 1].size };
    }
    write_bytes(in_folder("set/notes.txt"), "-", 1);
    zip_make(in_folder("set.zip"), entries, 5);
    for (int i = 0; i < 4; i++) free(data[i]);
    const size_t n = npy_file(images, DICT("|u1", "(4, 5, 6)"), pixels, sizeof pixels);
    const size_t m = npy_file(labels, DICT("<i8", "(4,)"), label, sizeof label);
    const entry arrays[] = { { "train_images.npy", images, n }, { "train_labels.npy", labels, m } };
    zip_make(in_folder("set.npz"), arrays, 2);
    const char list[] = "\"set/a/1.png\" 0\nset/a/2.png 0\nset/b/3.png 1\nset/b/4.png 1\n";
    const char multilabel[] = "set/a/1.png 0,1\nset/a/2.png 1,0\nset/b/3.png 1,1\nset/b/4.png 0,1\n";
    write_bytes(in_folder("set.txt"), list, sizeof list - 1);
    write_bytes(in_folder("many.txt"), multilabel, sizeof multilabel - 1);
}

START_TEST(data_sets_survive_failing_allocations)
{
    static const char *const names[] = { "set", "set.zip", "set.npz", "set.txt", "many.txt" };
    write_data_sets();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        ck_assert_int_gt(failing_alloc_loop(use_data_set, path), 60);
    }
}
END_TEST

/* --- memory: count of bytes, lifetime of the context -------------------------------------------------------------- */
START_TEST(image_memory_counts_for_the_context)
{
    peft_image *im, *flipped;
    const size_t before = peft_context_memory_used(io_ctx), bytes = 100 * 200 * 3;
    im = picture(100, 200, 3, 8, 1);
    ck_assert_uint_ge(peft_context_memory_used(io_ctx), before + bytes);
    ok(peft_image_flip(im, &flipped));
    ck_assert_uint_ge(peft_context_memory_used(io_ctx), before + 2 * bytes);
    peft_image_free(im);
    peft_image_free(flipped);
    ck_assert_uint_eq(peft_context_memory_used(io_ctx), before);
}
END_TEST

START_TEST(objects_keep_their_context_alive)
{
    static float pixels[2 * 3 * 4 * 4];
    const int64_t dims[] = { 2, 3, 4, 4 };
    failing_alloc f = { .fail_at = -1 };
    peft_context *ctx, *other;
    peft_dataset *d;
    peft_transform *t;
    peft_loader *l;
    peft_image *im;
    peft_tensor *images;
    int64_t n;
    write_data_sets();
    ok(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx));
    ok(peft_context_create(NULL, NULL, NULL, &other));
    ok(peft_dataset_open_zip(ctx, in_folder("set.zip"), NULL, &d));
    ok(peft_transform_parse(ctx, "size=4", &t));
    ok(peft_loader_create(d, t, "batch=2", &l));
    peft_context_free(ctx);
    ok(peft_dataset_load(d, 0, &im));
    peft_dataset_free(d);
    peft_transform_free(t);
    ok(peft_tensor_wrap(other, PEFT_F32, 4, dims, pixels, &images));
    ok(peft_loader_read(l, 0, 0, images, NULL, NULL, &n));
    peft_loader_free(l);
    ck_assert_int_eq(peft_image_width(im), 6);
    ck_assert_int_gt(f.blocks, 0);                            /* blocks of the context and of the image */
    peft_image_free(im);
    ck_assert_int_eq(f.blocks, 0);
    peft_tensor_free(images);
    peft_context_free(other);
}
END_TEST

/* --- log ---------------------------------------------------------------------------------------------------------- */
static void count_lines(int level, const char *message, void *user)
{
    ck_assert_int_eq(level, 1);
    ck_assert_ptr_null(strchr(message, '\n'));
    ++*(int *)user;
}

/* A data set warns in the log of the context it is opened under, and not at log level 0. */
START_TEST(each_context_has_its_log)
{
    peft_context *ctx[3];
    int lines[3] = { 0 };
    peft_dataset *d;
    write_bytes(in_folder("missing_class.txt"), "a.png 1\n", 8);
    for (int i = 0; i < 3; i++) {
        ok(peft_context_create(NULL, NULL, NULL, &ctx[i]));
        const int warnings = 1, nothing = 0;                  /* levels of the log */
        ok(peft_context_set_log(ctx[i], count_lines, &lines[i], i == 2 ? nothing : warnings));
    }
    for (int i = 0; i < 3; i++) {
        ok(peft_dataset_open_list(ctx[i], in_folder("missing_class.txt"), NULL, 0, &d));
        ck_assert_int_eq(lines[0], 1);
        ck_assert_int_eq(lines[1], i >= 1);
        ck_assert_int_eq(lines[2], 0);
        peft_dataset_free(d);
        peft_context_free(ctx[i]);
    }
}
END_TEST

/* --- seed --------------------------------------------------------------------------------------------------------- */
/* The order of the samples in epoch 1, a letter each. */
static void order_of(uint64_t context_seed, const char *options, char order[16])
{
    peft_context *ctx;
    peft_dataset *d;
    peft_transform *t;
    peft_loader *l;
    int64_t samples[16], n;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_context_set_seed(ctx, context_seed));
    ck_assert_uint_eq(peft_context_seed(ctx), context_seed);
    ok(peft_dataset_open_list(ctx, in_folder("fifteen.txt"), NULL, 1, &d));
    ok(peft_transform_parse(ctx, "size=4", &t));
    ok(peft_context_set_seed(ctx, 1));                        /* without effect: no loader takes it */
    ok(peft_context_set_seed(ctx, context_seed));             /* the loader takes the seed at its creation */
    ok(peft_loader_create(d, t, options, &l));
    ok(peft_context_set_seed(ctx, 2));                        /* without effect on the loader */
    ok(peft_loader_samples(l, 1, 0, samples, &n));
    for (int64_t i = 0; i < n; i++) order[i] = (char)('a' + samples[i]);
    order[n] = 0;
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(d);
    peft_context_free(ctx);
}

START_TEST(a_loader_takes_the_seed_of_its_context)
{
    char text[200] = "", a[16], b[16], c[16];
    for (int i = 0; i < 15; i++) sprintf(text + strlen(text), "%d.png 0\n", i);
    write_bytes(in_folder("fifteen.txt"), text, strlen(text));
    order_of(0, "batch=15,shuffle=true", a);
    order_of(7, "batch=15,shuffle=true,seed=0", b);           /* the option has precedence */
    ck_assert_str_eq(a, b);
    order_of(7, "batch=15,shuffle=true", b);
    order_of(0, "batch=15,shuffle=true,seed=7", c);
    ck_assert_str_eq(b, c);
    ck_assert_str_ne(a, b);
    order_of(UINT64_MAX, "batch=15,shuffle=true", b);         /* as an option the largest seed is -1 */
    order_of(0, "batch=15,shuffle=true,seed=-1", c);
    ck_assert_str_eq(b, c);
    ck_assert_uint_eq(peft_context_seed(NULL), 0);
}
END_TEST

/* --- no context --------------------------------------------------------------------------------------------------- */
START_TEST(functions_refuse_a_null_context)
{
    peft_image *im = NULL;
    peft_transform *t = NULL;
    peft_dataset *d = NULL;
    int64_t n = -1;
    fails(PEFT_E_INVALID, "ctx is NULL", peft_image_load(NULL, "a", NULL, &im));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_image_load_memory(NULL, "a", 1, NULL, &im));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_image_slices(NULL, "a", NULL, &n));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_image_from_buffer(NULL, "a", 1, 1, 1, 8, 0, &im));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_transform_parse(NULL, NULL, &t));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_transform_parse_over(NULL, NULL, NULL, &t));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_dataset_open(NULL, "a", NULL, &d));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_dataset_open_folder(NULL, "a", NULL, &d));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_dataset_open_zip(NULL, "a", NULL, &d));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_dataset_open_npz(NULL, "a", NULL, &d));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_dataset_open_list(NULL, "a", NULL, 0, &d));
    fails(PEFT_E_INVALID, "ctx is NULL", peft_npz_to_safetensors(NULL, "a", "b"));
    ck_assert(!im && !t && !d && n == -1);
}
END_TEST

IO_SUITE_MAIN("io_context", images_survive_failing_allocations, transforms_survive_failing_allocations,
              data_sets_survive_failing_allocations, image_memory_counts_for_the_context,
              objects_keep_their_context_alive, each_context_has_its_log, a_loader_takes_the_seed_of_its_context,
              functions_refuse_a_null_context)
