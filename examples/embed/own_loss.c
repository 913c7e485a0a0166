/* SPDX-License-Identifier: Apache-2.0
 * own_loss.c -- trains with a loss of the program's own: cross entropy with a confidence penalty (Pereyra et al. 2017),
 * -log p_y + beta sum_c p_c log p_c, averaged over the batch.
 *
 *   own_loss BACKBONE DATA       DATA: a folder of pictures, DATA/<class>/<file> */
#include <math.h>
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); return 1; } } while (0)
enum { CLASSES_MAX = 64 };

/* logits and gradient [n,classes], labels [n]. With q = sum_c p_c log p_c, the derivative by logit c is
 * (p_c - [c is the label] + beta p_c (log p_c - q)) / n. user: beta. */
static int penalised_cross_entropy(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient,
                                   double *loss, void *user)
{
    const double beta = *(const double *)user;
    const int64_t n = peft_tensor_dim(logits, 0), classes = peft_tensor_dim(logits, 1);
    const float *z = peft_tensor_cdata(logits);
    const int64_t *label = peft_tensor_cdata(labels);
    float *g = peft_tensor_data(gradient);
    double sum = 0;
    for (int64_t i = 0; i < n; i++, z += classes, g += classes) {
        double max = z[0], total = 0, q = 0, log_p[CLASSES_MAX];          /* total: sum_c exp(z_c - max) */
        for (int64_t c = 1; c < classes; c++) if (z[c] > max) max = z[c];
        for (int64_t c = 0; c < classes; c++) total += exp(z[c] - max);
        for (int64_t c = 0; c < classes; c++) {
            log_p[c] = z[c] - max - log(total);
            q += exp(log_p[c]) * log_p[c];
        }
        for (int64_t c = 0; c < classes; c++) {
            const double p = exp(log_p[c]);
            g[c] = (float)((p - (c == label[i]) + beta * p * (log_p[c] - q)) / (double)n);
        }
        sum += -log_p[label[i]] + beta * q;
    }
    *loss = sum / (double)n;
    return 0;
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_backbone *vit;
    peft_dataset *images;
    peft_transform *prepare;
    peft_loader *batches;
    peft_adapter *bitfit;
    peft_options *o;
    peft_model *model;
    peft_trainer *trainer;
    double beta = 0.1;
    char size[32];
    if (argc != 3) return fprintf(stderr, "usage: own_loss BACKBONE DATA\n"), 2;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));
    TRY(peft_dataset_open(ctx, argv[2], NULL, &images));
    if (peft_dataset_classes(images) > CLASSES_MAX) return fprintf(stderr, "more than 64 classes\n"), 1;
    snprintf(size, sizeof size, "size=%d", (int)peft_backbone_get(vit, "image_size"));
    TRY(peft_transform_parse_over(ctx, peft_backbone_note(vit, "preprocess"), size, &prepare));
    TRY(peft_loader_create(images, prepare, "batch=8,shuffle=true", &batches));
    TRY(peft_adapter_create(vit, "bitfit", NULL, &bitfit));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_set_int(o, "classes", peft_dataset_classes(images)));
    TRY(peft_model_create(vit, o, &model));
    TRY(peft_model_attach(model, bitfit));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, "batch=8,lr=0.001"));
    TRY(peft_trainer_create(model, o, &trainer));
    TRY(peft_trainer_set_loss(trainer, penalised_cross_entropy, &beta));
    const int64_t epochs = 3;
    TRY(peft_trainer_fit(trainer, epochs, peft_loader_next, NULL, batches));
    printf("loss %.4f\n", peft_trainer_get(trainer, "loss"));
    return 0;                                           /* a short program leaves freeing to the system */
}
