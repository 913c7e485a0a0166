/* SPDX-License-Identifier: Apache-2.0
 * shift.c -- Dice of a segmentation model on images of another scanner, as it is and with test-time adaptation.
 *   shift BACKBONE MODEL SOURCE TEST [KIND,OPTION=VALUE..]..
 * SOURCE, TEST: folders with images/ and masks/, of training images and of the other scanner. A KIND is the kind of an
 * adaptor with its options. Each adapts image by image, in order. Prints the mean Dice of classes 1 and 2 at the size
 * of the model's input, and the 95 % bootstrap interval, over images, of its difference from the model as it is. */
#include <math.h>
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 3, RESAMPLES = 2000, IMAGES_MAX = 1000 };

static void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "shift: %s\n", peft_last_error());
    exit(1);
}

/* Batches of one image and its mask, of the folder. */
static peft_loader *open_batches(peft_context *ctx, peft_transform *t, const char *folder)
{
    char path[1024];
    peft_dataset *d, *masked;
    peft_loader *l;
    snprintf(path, sizeof path, "%s/images", folder);
    must(peft_dataset_open_pictures(ctx, path, &d));
    snprintf(path, sizeof path, "%s/masks", folder);
    must(peft_dataset_with_masks(d, path, "classes=tissue:benign:malignant", &masked));
    must(peft_loader_create(masked, t, "batch=1", &l));
    peft_dataset_free(d);
    peft_dataset_free(masked);
    return l;
}

typedef struct study {
    peft_context *ctx;
    peft_model *model;
    peft_session *session;
    peft_loader *source, *test;
    int64_t side;                      /* of the model's input */
} study;

static peft_adaptor *make_adaptor(const study *s, const char *options)
{
    char text[512];
    peft_options *o;
    peft_adaptor *a;
    peft_tensor *image;
    const int64_t dims[] = { 1, 3, s->side, s->side };
    int64_t n;
    snprintf(text, sizeof text, "batch=1,kind=%s", options);
    must(peft_options_create(s->ctx, &o));
    must(peft_options_parse(o, text));
    must(peft_adaptor_create(s->model, o, &a));
    must(peft_tensor_create(s->ctx, PEFT_F32, 4, dims, &image));
    const int by_tokens = !strncmp(options, "vptta", 5) && !strstr(options, "align=batch_norm");
    for (int64_t b = 0; by_tokens && b < peft_loader_batches(s->source); b++) {
        must(peft_loader_read(s->source, 0, b, image, NULL, NULL, &n));
        must(peft_adaptor_source(a, image));
    }
    peft_options_free(o);
    peft_tensor_free(image);
    return a;
}

/* Writes Dice of each test image and class to dice; options NULL: the model as it is. Returns the images. */
static int64_t judge(const study *s, const char *options, double *dice)
{
    const int64_t side = s->side, image_dims[] = { 1, 3, side, side }, map_dims[] = { 1, side, side };
    const int64_t logit_dims[] = { 1, side, side, CLASSES };
    peft_adaptor *a = options ? make_adaptor(s, options) : NULL;
    peft_segmentation *figures;
    peft_tensor *image, *truth, *logits, *label;
    peft_segment segments[CLASSES];
    int64_t count = 0, n;
    must(peft_segmentation_create(s->ctx, CLASSES, 0, &figures));
    must(peft_tensor_create(s->ctx, PEFT_F32, 4, image_dims, &image));
    must(peft_tensor_create(s->ctx, PEFT_I64, 3, map_dims, &truth));
    must(peft_tensor_create(s->ctx, PEFT_I64, 3, map_dims, &label));
    must(peft_tensor_create(s->ctx, PEFT_F32, 4, logit_dims, &logits));
    for (int64_t b = 0; b < peft_loader_batches(s->test) && count < IMAGES_MAX; b++, count++) {
        must(peft_loader_read(s->test, 0, b, image, truth, NULL, &n));
        if (a) must(peft_adaptor_predict(a, image, logits));
        else must(peft_session_predict(s->session, image, logits));
        const float *z = peft_tensor_data(logits);
        int64_t *out = peft_tensor_data(label);
        for (int64_t i = 0; i < side * side; i++) {
            out[i] = 0;
            for (int c = 1; c < CLASSES; c++) if (z[i * CLASSES + c] > z[i * CLASSES + out[i]]) out[i] = c;
        }
        must(peft_segmentation_add(figures, label, truth, NULL));
        must(peft_segmentation_case(figures, segments, CLASSES));
        must(peft_segmentation_values(segments, CLASSES, "dice", NULL, dice + count * CLASSES));
    }
    peft_tensor *const tensors[] = { image, truth, label, logits };
    for (int i = 0; i < 4; i++) peft_tensor_free(tensors[i]);
    peft_segmentation_free(figures);
    peft_adaptor_free(a);
    return count;
}

/* Mean Dice of classes 1 and 2 of an image; NaN: it has neither. */
static double of_image(const double *dice)
{
    double sum = 0, n = 0;
    for (int c = 1; c < CLASSES; c++) if (!isnan(dice[c])) { sum += dice[c]; n++; }
    return n > 0 ? sum / n : NAN;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints the mean, and the interval of the mean difference from `base` over resamples of the images. */
static void print(const char *name, const double *dice, const double *base, int64_t count)
{
    static double x[IMAGES_MAX], difference[IMAGES_MAX], means[RESAMPLES];
    double mean = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        const double own = of_image(dice + i * CLASSES);
        if (isnan(own)) continue;
        x[n] = own;
        difference[n++] = own - of_image(base + i * CLASSES);
    }
    if (!n) { printf("| %s | no image has a lesion | |\n", name); return; }
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    unsigned long long state = 1;
    for (int r = 0; r < RESAMPLES; r++) {
        means[r] = 0;
        for (int64_t i = 0; i < n; i++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            means[r] += difference[(state >> 33) % (unsigned long long)n] / (double)n;
        }
    }
    qsort(means, RESAMPLES, sizeof *means, ascending);
    printf("| %s | %.1f | %+.1f to %+.1f |\n", name, 100 * mean, 100 * means[RESAMPLES / 40],
           100 * means[RESAMPLES - 1 - RESAMPLES / 40]);
}

int main(int argc, char **argv)
{
    static double base[IMAGES_MAX * CLASSES], dice[IMAGES_MAX * CLASSES];
    study s = { 0 };
    peft_backbone *vit;
    peft_transform *t;
    if (argc < 5) { fprintf(stderr, "usage: shift BACKBONE MODEL SOURCE TEST [KIND,OPTION=VALUE..]..\n"); return 2; }
    must(peft_context_create(NULL, NULL, NULL, &s.ctx));
    must(peft_backbone_load(s.ctx, argv[1], NULL, &vit));
    must(peft_model_load(vit, argv[2], &s.model));
    must(peft_transform_parse(s.ctx, peft_model_note(s.model, "preprocess"), &t));
    must(peft_session_create(s.model, NULL, &s.session));
    s.side = peft_backbone_get(vit, "image_size");
    s.source = open_batches(s.ctx, t, argv[3]);
    s.test = open_batches(s.ctx, t, argv[4]);
    printf("| adaptation | mean Dice, %% | difference, 95 %% |\n|---|---|---|\n");
    const int64_t count = judge(&s, NULL, base);
    print("none", base, base, count);
    for (int i = 5; i < argc; i++) {
        judge(&s, argv[i], dice);
        print(argv[i], dice, base, count);
    }
    peft_loader_free(s.source);
    peft_loader_free(s.test);
    peft_session_free(s.session);
    peft_transform_free(t);
    peft_model_free(s.model);
    peft_backbone_free(vit);
    peft_context_free(s.ctx);
    return 0;
}
