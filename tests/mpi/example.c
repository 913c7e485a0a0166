/* SPDX-License-Identifier: Apache-2.0
 * example.c -- the program of docs/mpi.md: trains on random pictures by the ranks that mpirun starts. */
#include <peft/mpi.h>
#include <peft/peft.h>
#include <stdio.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); peft_mpi_abort(mpi, 1); } } while (0)

/* 8 batches of 4 pictures of two classes: dark and bright ones. */
static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    (void)epoch, (void)ids, (void)user;
    if (batch >= 8) return 0;
    float *pixel = peft_tensor_data(images);
    int64_t *label = peft_tensor_data(labels);
    for (int n = 0; n < 4; n++) {
        label[n] = n % 2;
        for (int i = 0; i < 3 * 32 * 32; i++) *pixel++ = (label[n] ? 0.5f : -0.5f) + (float)(i % (3 + batch)) / 10;
    }
    return 4;
}

int main(void)
{
    peft_mpi *mpi = NULL;
    peft_context *ctx;
    peft_options *o, *head, *to;
    peft_backbone *vit;
    peft_adapter *lora;
    peft_model *m;
    peft_trainer *t;
    TRY(peft_mpi_open(NULL, &mpi));                                  /* MPI_COMM_WORLD */
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64"));
    TRY(peft_backbone_create(ctx, o, &vit));
    TRY(peft_options_create(ctx, &head));
    TRY(peft_options_parse(head, "classes=2"));
    TRY(peft_model_create(vit, head, &m));
    TRY(peft_adapter_create(vit, "lora", NULL, &lora));
    TRY(peft_model_attach(m, lora));

    TRY(peft_options_create(ctx, &to));
    TRY(peft_options_parse(to, "batch=4,accumulate=4,lr=0.01,threads=1"));
    TRY(peft_trainer_create(m, to, &t));
    TRY(peft_mpi_attach(mpi, t));                                    /* 1 to 4 ranks */
    TRY(peft_trainer_fit(t, 20, next, NULL, NULL));
    TRY(peft_mpi_save(mpi, t, "state.safetensors"));
    if (!peft_mpi_rank(mpi)) printf("loss %.9f\n", peft_trainer_get(t, "loss"));

    peft_trainer_free(t);
    peft_model_free(m);
    peft_adapter_free(lora);
    peft_backbone_free(vit);
    peft_options_free(to);
    peft_options_free(head);
    peft_options_free(o);
    peft_context_free(ctx);
    peft_mpi_free(mpi);
    return 0;
}
