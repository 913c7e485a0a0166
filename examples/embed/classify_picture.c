/* SPDX-License-Identifier: Apache-2.0
 * classify_picture.c -- the most probable class of a picture by an adapted model, which finetune or adapt.c wrote.
 *
 *   classify_picture BACKBONE MODEL PICTURE */
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>
#include <string.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); return 1; } } while (0)

/* Line number `row`, counted from 0, of the note "class_names", which has a line for each class. Sets *length; the text
 * is not terminated there. A model without the note, or with fewer lines: an empty name. */
static const char *class_name(const peft_model *m, int64_t row, int *length)
{
    const char *line = peft_model_note(m, "class_names");
    if (!line) line = "";
    for (; row > 0 && *line; row--) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    *length = (int)strcspn(line, "\n");
    return line;
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_session *session;
    peft_predictor *predictor;
    peft_image *im;
    peft_tensor *probabilities;
    if (argc != 4) return fprintf(stderr, "usage: classify_picture BACKBONE MODEL PICTURE\n"), 2;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));
    TRY(peft_model_load(vit, argv[2], &model));
    TRY(peft_session_create(model, NULL, &session));
    TRY(peft_predictor_create(session, NULL, &predictor));      /* prepares pictures as in training */

    const int64_t classes = peft_model_classes(model), dims[] = { 1, classes };
    TRY(peft_tensor_create(ctx, PEFT_F32, 2, dims, &probabilities));
    TRY(peft_image_load(ctx, argv[3], NULL, &im));
    const peft_image *images[] = { im };
    TRY(peft_predictor_images_probabilities(predictor, images, 1, probabilities));

    const float *p = peft_tensor_cdata(probabilities);
    int64_t best = 0;
    int length;
    for (int64_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    const char *name = class_name(model, best, &length);
    printf("%s: class %d, %.*s, probability %.4f\n", argv[3], (int)best, length, name, p[best]);

    peft_image_free(im);
    peft_tensor_free(probabilities);
    peft_predictor_free(predictor);
    peft_session_free(session);
    peft_model_free(model);
    peft_backbone_free(vit);
    peft_context_free(ctx);
    return 0;
}
