/* SPDX-License-Identifier: Apache-2.0
 * features.c -- writes the pooled features of all pictures of a data set as a NumPy array: float32 [samples, width].
 *
 *   features BACKBONE DATA OUT.npy        (in Python: numpy.load("OUT.npy")) */
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>
#include <string.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); return 1; } } while (0)

/* Writes the header of version 1.0 of the format: ten bytes (magic, version, and the length of the rest, 0x76 = 118),
 * then a dictionary with blanks behind it, so that the header has 128 bytes, a multiple of 64. Returns 0 on failure. */
static int write_npy_header(FILE *f, int64_t rows, int64_t cols)
{
    char text[118];
    const int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                           (long long)rows, (long long)cols);
    memset(text + n, ' ', sizeof text - (size_t)n);
    text[sizeof text - 1] = '\n';
    return fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f) == 10 && fwrite(text, 1, sizeof text, f) == sizeof text;
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_backbone *vit;
    peft_dataset *pictures;
    peft_transform *prepare;
    peft_options *o;
    peft_model *model;
    peft_session *session;
    peft_tensor *images, *features;
    peft_image *picture;
    char size[32];
    if (argc != 4) return fprintf(stderr, "usage: features BACKBONE DATA OUT.npy\n"), 2;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));
    snprintf(size, sizeof size, "size=%d", (int)peft_backbone_get(vit, "image_size"));
    TRY(peft_transform_parse_over(ctx, peft_backbone_note(vit, "preprocess"), size, &prepare));
    TRY(peft_dataset_open(ctx, argv[2], NULL, &pictures));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, "head=none"));                    /* features need no classes */
    TRY(peft_model_create(vit, o, &model));
    TRY(peft_session_create(model, NULL, &session));

    const int64_t side = peft_transform_size(prepare), width = peft_model_feature_width(model);
    const int64_t image_dims[] = { 1, 3, side, side }, feature_dims[] = { 1, width };
    TRY(peft_tensor_create(ctx, PEFT_F32, 4, image_dims, &images));
    TRY(peft_tensor_create(ctx, PEFT_F32, 2, feature_dims, &features));
    FILE *f = fopen(argv[3], "wb");
    int written = f && write_npy_header(f, peft_dataset_count(pictures), width);
    for (int64_t i = 0; i < peft_dataset_count(pictures) && written; i++) {
        TRY(peft_dataset_load(pictures, i, &picture));
        TRY(peft_transform_apply(prepare, picture, peft_tensor_data(images)));
        TRY(peft_session_features(session, images, features));
        written = fwrite(peft_tensor_data(features), sizeof(float), (size_t)width, f) == (size_t)width;
        peft_image_free(picture);
    }
    if (!written || fclose(f)) return perror(argv[3]), 1;
    printf("%s: %d rows of %d\n", argv[3], (int)peft_dataset_count(pictures), (int)width);
    return 0;                                           /* a short program leaves freeing to the system */
}
