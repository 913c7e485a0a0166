/* SPDX-License-Identifier: Apache-2.0
 * same_pictures.c -- the counterpart of same_bits.c for libpeft-io: makes images and a data set and writes all results
 * to files: samples as read, resized and cropped, outputs of transforms, batches of loaders, digests.
 *   same_pictures FOLDER THREADS     writes the files into FOLDER, which exists */
#include <peft/io.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data.h"

static peft_context *ctx;

/* An image of noise and of larger patches, so that resized images depend on the filter. */
static peft_image *picture(uint64_t stream, int64_t width, int64_t height, int channels, int depth)
{
    static uint16_t wide[64 * 64 * 3];
    static uint8_t narrow[64 * 64 * 3];
    peft_image *im;
    const int64_t count = width * height * channels;
    for (int64_t i = 0; i < count; i++) {
        const int64_t x = i / channels % width, y = i / channels / width;
        const float coarse = number(stream + 1, (uint64_t)(x / 5 + y / 7));
        const float v = 0.5f + 0.2f * number(stream, (uint64_t)i) + 0.25f * coarse;
        narrow[i] = (uint8_t)(255 * v);
        wide[i] = (uint16_t)(65535 * v);
    }
    OK(peft_image_from_buffer(ctx, depth == 8 ? (void *)narrow : (void *)wide, width, height, channels, depth,
                              width * channels * depth / 8, &im));
    return im;
}

/* Appends size, depth and samples of an image to the file "CASE.what". */
static void write_image(const char *what, const peft_image *im)
{
    const int64_t size[] = { peft_image_width(im), peft_image_height(im), peft_image_channels(im),
                             peft_image_depth(im) };
    write_bytes(what, size, sizeof size);
    write_bytes(what, peft_image_pixels(im), (size_t)(size[0] * size[1] * size[2] * size[3] / 8));
}

static void write_and_free(const char *what, peft_image *im)
{
    write_image(what, im);
    peft_image_free(im);
}

/* Writes the results of all functions that make an image from an image. */
static void write_derived_images(const peft_image *im)
{
    static const char *const filter[] = { "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos" };
    static float plane[40 * 40 * 3];
    peft_image *out;
    for (size_t i = 0; i < COUNT(filter); i++) {
        OK(peft_image_resize(im, 40, 17, filter[i], &out));
        write_and_free("resized", out);
        OK(peft_image_resize(im, 11, 29, filter[i], &out));
        write_and_free("resized", out);
        OK(peft_image_resize_shorter(im, 13, filter[i], &out));
        write_and_free("shorter", out);
        OK(peft_image_resize_float(im, 21, 22, filter[i], plane));
        write_bytes("floats", plane, sizeof *plane * 21 * 22 * (size_t)peft_image_channels(im));
    }
    OK(peft_image_crop(im, 3, 4, 10, 9, &out));
    write_and_free("cropped", out);
    OK(peft_image_centre_crop(im, 15, 12, &out));
    write_and_free("cropped", out);
    OK(peft_image_flip(im, &out));
    write_and_free("flipped", out);
}

/* Texts of transforms. */
static const char *const recipe[] = {
    "size=24", "size=24,resize=shorter,interpolation=bilinear", "size=24,resize=none,crop_offset=floor",
    "size=24,resize=28,interpolation=lanczos,resize_order=pillow12", "size=24,resize=30x26,interpolation=hamming",
    "size=24,crop_pct=0.8,grey=true,mean=0.4:0.5:0.6,std=0.2:0.25:0.3", "size=24,interpolation=nearest,alpha=white",
    "size=24,random_crop=true,scale=0.3:1,flip=0.5", "size=24,brightness=0.4,contrast=0.3,saturation=0.5,flip=0.5",
    "size=24,pad=3,pad_mode=reflect,interpolation=box", "size=24,pad=4,flip=1",
    "size=24,erase=1,erase_fill=random", "size=24,erase=0.7,erase_area=0.1:0.5,erase_ratio=0.5:2,erase_fill=uniform",
    "size=24,random_crop=true,ratio=0.5:2,brightness=0.2,contrast=0.2,saturation=0.2,pad=2,erase=1,flip=0.5" };

/* Writes the image as every recipe gives it, once as in evaluation and four times as in training. */
static void write_transformed(const peft_image *im)
{
    static float out[3 * 24 * 24];
    for (size_t i = 0; i < COUNT(recipe); i++) {
        peft_transform *t;
        OK(peft_transform_parse(ctx, recipe[i], &t));
        OK(peft_transform_apply(t, im, out));
        write_bytes("inputs", out, sizeof out);
        for (int64_t k = 0; k < 4; k++) {
            const uint64_t seed = 5;
            const int64_t epoch = k / 2, sample = k;
            OK(peft_transform_apply_train(t, im, seed, epoch, sample, out));
            write_bytes("inputs-train", out, sizeof out);
        }
        peft_transform_free(t);
    }
    if (peft_image_depth(im) != 16) return;
    peft_transform *t;
    OK(peft_transform_parse(ctx, "size=24,range=9000:50000", &t));
    OK(peft_transform_apply(t, im, out));
    write_bytes("inputs", out, sizeof out);
    peft_transform_free(t);
}

/* Writes the results for four kinds of images. */
static void pictures(void)
{
    static const struct { const char *name; int64_t width, height; int channels, depth; } kind[] = {
        { "grey8", 31, 37, 1, 8 }, { "colour8", 50, 23, 3, 8 }, { "grey16", 37, 33, 1, 16 },
        { "colour16", 29, 41, 3, 16 } };
    for (size_t i = 0; i < COUNT(kind); i++) {
        case_name = kind[i].name;
        peft_image *made = picture(10 * i, kind[i].width, kind[i].height, kind[i].channels, kind[i].depth), *read;
        OK(peft_image_save_png(made, path("png")));
        peft_image_free(made);
        OK(peft_image_load(ctx, path("png"), NULL, &read));
        write_image("samples", read);
        write_derived_images(read);
        write_transformed(read);
        peft_image_free(read);
    }
}

/* A folder with three classes of six images: PNG, PGM and PPM. */
static void make_folder(void)
{
    static const char *const class_name[] = { "set/one", "set/three", "set/two" };
    char name[64];
    if (mkdir("set", 0777)) stop("set", "cannot be made");
    for (size_t c = 0; c < COUNT(class_name); c++) {
        if (mkdir(class_name[c], 0777)) stop(class_name[c], "cannot be made");
        for (int64_t i = 0; i < 6; i++) {
            const int channels = i % 2 ? 3 : 1, depth = i == 4 ? 16 : 8;
            peft_image *im = picture(100 * c + (uint64_t)i, 26 + i, 33 - 2 * i, channels, depth);
            snprintf(name, sizeof name, "%s/%d.%s", class_name[c], (int)i,
                     i < 3 ? "png" : channels == 1 ? "pgm" : "ppm");
            if (i < 3) OK(peft_image_save_png(im, name));
            else {
                FILE *f = fopen(name, "wb");
                const uint8_t *x = peft_image_pixels(im);
                const int64_t n = (26 + i) * (33 - 2 * i) * channels * depth / 8;
                if (!f) stop(name, "cannot be written");
                fprintf(f, "P%d\n%d %d\n%d\n", channels == 1 ? 5 : 6, (int)(26 + i), (int)(33 - 2 * i),
                        depth == 8 ? 255 : 65535);
                /* PNM stores the high byte first */
                for (int64_t k = 0; k < n; k++) fputc(x[depth == 8 ? k : k ^ 1], f);
                if (fclose(f)) stop(name, "cannot be written");
            }
            peft_image_free(im);
        }
    }
}

/* Writes two epochs of batches. text: of the transform; options: of the loader. */
static void write_batches(peft_dataset *d, const char *what, const char *text, const char *options)
{
    peft_transform *t;
    peft_loader *l;
    int64_t ids[5], count = 1;
    OK(peft_transform_parse(ctx, text, &t));
    OK(peft_loader_create(d, t, options, &l));
    peft_tensor *images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 5, 3, 24, 24 });
    peft_tensor *targets = tensor(ctx, PEFT_F32, 2, (const int64_t[]){ 5, peft_dataset_classes(d) });
    for (int64_t epoch = 0; epoch < 2; epoch++)
        for (int64_t b = 0; b < peft_loader_batches(l); b++) {
            OK(peft_loader_read(l, epoch, b, images, targets, ids, &count));
            write_bytes(what, ids, sizeof *ids * (size_t)count);
            write_bytes(what, peft_tensor_cdata(targets), sizeof(float) * (size_t)(count * peft_dataset_classes(d)));
            write_bytes(what, peft_tensor_cdata(images), sizeof(float) * (size_t)(count * 3 * 24 * 24));
        }
    peft_tensor_free(targets);
    peft_tensor_free(images);
    peft_loader_free(l);
    peft_transform_free(t);
}

/* Writes names, labels, digest and batches of a data set and of parts of it. threads: of the loaders. */
static void data_sets(int threads)
{
    peft_dataset *d, *few, *rest, *part, *other;
    char options[128], hex[65];
    case_name = "set";
    make_folder();
    OK(peft_dataset_open_folder(ctx, "set", NULL, &d));
    OK(peft_dataset_digest(d, hex));
    write_bytes("digest", hex, sizeof hex);
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        const int64_t label = peft_dataset_label(d, i);
        write_bytes("names", peft_dataset_name(d, i), strlen(peft_dataset_name(d, i)));
        write_bytes("names", &label, sizeof label);
    }
    OK(peft_dataset_few_shot(d, 0, 2, 9, &few, &rest));
    OK(peft_dataset_split(rest, 0.5, 4, &part, &other));
    snprintf(options, sizeof options, "batch=5,threads=%d", threads);
    write_batches(d, "in-order", recipe[0], options);
    write_batches(few, "few", recipe[1], options);
    write_batches(part, "part", recipe[5], options);
    snprintf(options, sizeof options, "batch=5,threads=%d,shuffle=true,train=true,seed=3,drop_last=true", threads);
    write_batches(d, "shuffled", recipe[COUNT(recipe) - 1], options);
    write_batches(other, "other", recipe[8], options);
    snprintf(options, sizeof options, "batch=4,threads=%d,shuffle=true,train=true,mixup=0.4,cache=4000", threads);
    write_batches(d, "mixed", recipe[7], options);
    peft_dataset_free(other);
    peft_dataset_free(part);
    peft_dataset_free(rest);
    peft_dataset_free(few);
    peft_dataset_free(d);
}

int main(int argc, char **argv)
{
    case_name = "start";
    if (argc != 3 || chdir(argv[1])) return fprintf(stderr, "usage: same_pictures FOLDER THREADS\n"), 2;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    OK(peft_context_set_log(ctx, NULL, NULL, 0));
    pictures();
    data_sets(atoi(argv[2]));
    peft_context_free(ctx);
    return 0;
}
