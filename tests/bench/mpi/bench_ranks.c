/* SPDX-License-Identifier: Apache-2.0
 * bench_ranks.c -- prints the seconds of an update on random pictures, in rank 0: bench_ranks BACKBONE METHOD THREADS
 * SAMPLES UPDATES. SAMPLES: of an update, which the ranks share. The first two updates are not counted; the fastest of
 * the others is printed, and the bytes of gradients that a rank sends in an update. */
#include <peft/mpi.h>
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRY(call) \
    do { if (call) { fprintf(stderr, "bench_ranks: %s\n", peft_last_error()); peft_mpi_abort(mpi, 1); } } while (0)

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    enum { WARM_UP = 2, MOST = 1000 };
    static double seconds[MOST];
    peft_mpi *mpi = NULL;
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_adapter *a = NULL;
    peft_model *m;
    peft_trainer *t;
    peft_tensor *images, *labels;
    char text[200];
    if (argc != 6) return 2;
    const int threads = atoi(argv[3]), updates = atoi(argv[5]);
    if (updates < 1 || updates > MOST) return 2;
    TRY(peft_mpi_open(NULL, &mpi));
    const int64_t ranks = peft_mpi_ranks(mpi), batch = atoi(argv[4]) / ranks;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_context_set_threads(ctx, threads));
    TRY(peft_options_create(ctx, &o));
    if (strchr(argv[1], '=')) {
        TRY(peft_options_parse(o, argv[1]));
        TRY(peft_backbone_create(ctx, o, &vit));
        peft_options_free(o);
        TRY(peft_options_create(ctx, &o));
    } else TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));
    TRY(peft_options_set_int(o, "classes", 3));
    TRY(peft_model_create(vit, o, &m));
    peft_options_free(o);
    TRY(peft_adapter_create(vit, argv[2], NULL, &a));
    TRY(peft_model_attach(m, a));
    TRY(peft_options_create(ctx, &o));
    snprintf(text, sizeof text, "batch=%lld,accumulate=%lld,lr=1e-4", (long long)batch, (long long)ranks);
    TRY(peft_options_parse(o, text));
    TRY(peft_trainer_create(m, o, &t));
    TRY(peft_mpi_attach(mpi, t));
    const int64_t side = peft_backbone_get(vit, "image_size");
    TRY(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ batch, 3, side, side }, &images));
    TRY(peft_tensor_create(ctx, PEFT_I64, 1, &batch, &labels));
    float *x = peft_tensor_data(images);
    for (int64_t i = 0; i < peft_tensor_count(images); i++) x[i] = (float)(i * 7919 % 1009) / 504.5f - 1;
    for (int64_t i = 0; i < batch; i++) ((int64_t *)peft_tensor_data(labels))[i] = i % 3;
    for (int i = -WARM_UP; i < updates; i++) {
        const double start = seconds_now();
        TRY(peft_trainer_step(t, images, labels, NULL));
        if (i >= 0) seconds[i] = seconds_now() - start;
    }
    int64_t bytes;
    TRY(peft_mpi_get_int(mpi, "bytes_sent", &bytes));
    qsort(seconds, (size_t)updates, sizeof *seconds, ascending);
    if (!peft_mpi_rank(mpi))
        printf("%.4f %lld %lld\n", seconds[0], (long long)(bytes / (updates + WARM_UP)),
               (long long)peft_model_trainable_count(m));
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_trainer_free(t);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(vit);
    peft_options_free(o);
    peft_context_free(ctx);
    peft_mpi_free(mpi);
    return 0;
}
