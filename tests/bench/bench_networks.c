/* SPDX-License-Identifier: Apache-2.0
 * bench_networks.c -- time of networks with rotary positions, gated MLPs and attention pooling against that of a
 * ViT-B/16 for the same FLOPs: training steps of random networks at 224 pixels, measured alternately.
 *     bench_networks [THREADS [ROUNDS [BATCH]]] */
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* options: of peft_backbone_create; the first row is the one that the others are compared with. */
static const struct { const char *name, *options; } networks[] = {
    { "ViT-B/16", "depth=12" },
    { "DINOv3-B/16", "rope=dinov3,rope_rotate_half=true,pos_embed=false,registers=4,layer_scale=true,eps=1e-5" },
    { "DINOv3-S+/16", "width=384,heads=6,mlp=1536,gate=first,act=silu,rope=dinov3,rope_rotate_half=true,"
                      "pos_embed=false,registers=4,layer_scale=true,eps=1e-5" },
    { "SigLIP-B/16", "class_token=false,pool=attention,act=gelu_tanh,final_norm=before" } };
enum { NETWORKS = sizeof networks / sizeof *networks, ROUNDS_MAX = 64 };

/* A step of linear probing is a forward pass and little else; one of LoRA has the backward pass too. */
static const char *const methods[] = { "linear", "lora" };
enum { METHODS = sizeof methods / sizeof *methods };

/* The trainer of a network and a method, and the seconds of each round. */
typedef struct { peft_trainer *t; double seconds[ROUNDS_MAX]; } run;

static void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "bench_networks: %s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, compare);
    return v[n / 2];
}

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

static peft_trainer *make(peft_context *ctx, const char *network, const char *method, int batch)
{
    char sizes[32];
    peft_backbone *b;
    peft_model *m;
    peft_adapter *a;
    peft_trainer *t;
    peft_options *o = options(ctx, network);
    must(peft_backbone_create(ctx, o, &b));
    peft_options_free(o);
    o = options(ctx, "classes=2");
    must(peft_model_create(b, o, &m));
    peft_options_free(o);
    must(peft_adapter_create(b, method, NULL, &a));
    must(peft_model_attach(m, a));
    snprintf(sizes, sizeof sizes, "batch=%d", batch);
    o = options(ctx, sizes);
    must(peft_trainer_create(m, o, &t));
    peft_options_free(o);
    peft_adapter_free(a);
    peft_model_free(m);
    peft_backbone_free(b);
    return t;
}

static void measure(run *r, const peft_tensor *images, const peft_tensor *labels, double *seconds)
{
    const double start = now();
    must(peft_trainer_step(r->t, images, labels, NULL));
    *seconds = now() - start;
}

int main(int argc, char **argv)
{
    static run runs[METHODS][NETWORKS];
    if (argc > 1 && !strcmp(argv[1], "--help")) return puts("bench_networks [THREADS [ROUNDS [BATCH]]]") < 0;
    const int threads = argc > 1 ? atoi(argv[1]) : 1, batch = argc > 3 ? atoi(argv[3]) : 4;
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    peft_context *ctx;
    peft_tensor *images, *labels;
    double warm_up;
    if (rounds < 1 || rounds > ROUNDS_MAX) rounds = 7;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    must(peft_context_set_threads(ctx, threads));
    must(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ batch, 3, 224, 224 }, &images));
    must(peft_tensor_create(ctx, PEFT_I64, 1, (int64_t[]){ batch }, &labels));
    float *p = peft_tensor_data(images);
    for (int64_t i = 0; i < peft_tensor_count(images); i++) p[i] = (float)((i * 2654435761u >> 8) & 1023) / 512 - 1;
    for (int i = 0; i < batch; i++) ((int64_t *)peft_tensor_data(labels))[i] = i % 2;
    for (int k = 0; k < METHODS; k++) {
        for (int i = 0; i < NETWORKS; i++) {
            runs[k][i].t = make(ctx, networks[i].options, methods[k], batch);
            measure(&runs[k][i], images, labels, &warm_up);
        }
        for (int r = 0; r < rounds; r++)
            for (int i = 0; i < NETWORKS; i++) measure(&runs[k][i], images, labels, &runs[k][i].seconds[r]);
        printf("\n%-28s %9s %9s %22s\n", methods[k], "ms", "GFLOP", "ms a GFLOP / ViT-B's");
        double first = 0;
        for (int i = 0; i < NETWORKS; i++) {
            const double seconds = median(runs[k][i].seconds, rounds), flops = peft_trainer_get(runs[k][i].t, "flops");
            if (!i) first = seconds / flops;
            printf("%-28s %9.1f %9.1f %22.3f\n", networks[i].name, 1e3 * seconds, 1e-9 * flops,
                   seconds / flops / first);
            peft_trainer_free(runs[k][i].t);
        }
    }
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_context_free(ctx);
}
