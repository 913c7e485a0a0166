/* SPDX-License-Identifier: Apache-2.0
 * test_views.c -- backbones in files of torch.save whose tensors are views with strides (transposed matrices and
 * kernels) load as those of the safetensors file with the same values, also where loading joins, splits or averages
 * tensors. */
#include "core/os/file.h"
#include "torch_file.h"
#include "weights/formats.h"

/* The elements of a tensor of r rows and c columns, n times, as [c, r]. */
static void *transposed(const void *data, int64_t n, int64_t r, int64_t c)
{
    const float *from = data;
    float *to = malloc((size_t)(n * r * c) * sizeof *to);
    for (int64_t k = 0; k < n; k++, from += r * c)
        for (int64_t i = 0; i < r * c; i++) to[k * r * c + i % c * r + i / c] = from[i];
    return to;
}

/* Writes the f32 tensors of a safetensors file as a dictionary of torch.save, each with a storage of its own. The last
 * two axes of a matrix or kernel are those of its storage in the other order. */
static void write_transposed(peft_context *ctx, const char *from, const char *path)
{
    pf_st *in;
    bytes pickle = { 0 };
    zip_builder z = { .entries = 0 };
    OK(pf_st_open(ctx, from, &in));
    PUT(&pickle, "\x80\2}(");
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        char key[24], entry[48];
        snprintf(key, sizeof key, "%zu", i);
        saved_tensor s = { .name = t->name, .type = "Float", .key = key, .ndim = t->ndim,
                           .elements = pf_dims_count(t->ndim, t->dim) };
        int64_t step = 1;
        for (int k = t->ndim; k-- > 0; step *= t->dim[k]) s.dim[k] = t->dim[k], s.stride[k] = step;
        const int last = t->ndim - 1;
        void *data = NULL;
        if (last > 0) {
            s.stride[last] = t->dim[last - 1];
            s.stride[last - 1] = 1;
            data = transposed(t->data, s.elements / (t->dim[last] * t->dim[last - 1]), t->dim[last - 1], t->dim[last]);
        }
        pickle_text(&pickle, t->name);
        pickle_tensor(&pickle, &s, false);
        snprintf(entry, sizeof entry, "checkpoint/data/%zu", i);
        zip_add(&z, entry, data ? data : t->data, t->bytes, 64);
        free(data);
    }
    PUT(&pickle, "u.");
    zip_add(&z, "checkpoint/data.pkl", pickle.data, pickle.size, 64);
    static const char more[1 << 20];           /* memory for the objects of the pickle is bounded by the file's size */
    zip_add(&z, "checkpoint/more", more, sizeof more, 64);
    bytes file = zip_end(&z, true);
    OK(peft_write_file(path, file.data, file.size));
    bytes_free(&file);
    bytes_free(&pickle);
    pf_st_close(in);
}

/* Loads the safetensors file and its transposed copy, and compares all tensors. */
static void compare(peft_context *ctx, const char *from, const char *options, const char *who)
{
    peft_backbone *a, *b;
    write_transposed(ctx, from, tiny_path("views.pth"));
    a = load(ctx, from, options);
    b = load(ctx, tiny_path("views.pth"), options);
    ck_assert_uint_eq(a->weights, b->weights);
    for (size_t i = 0; i < a->weights; i++) {
        const peft_tensor *x = &a->weight[i].tensor, *y = &b->weight[i].tensor;
        ck_assert_msg(pf_tensor_bytes(x) == pf_tensor_bytes(y) && !memcmp(x->data, y->data, pf_tensor_bytes(x)),
                      "%s: %s differs", who, a->weight[i].name);
    }
    peft_backbone_free(a);
    peft_backbone_free(b);
}

START_TEST(transposed_views_load_in_every_format)
{
    static const format more[] = {
        { "HF SigLIP", "vision_model.", "encoder.layers.%d.", "classifier",
          NO_HEAD ",class_token=false,pool=attention,act=gelu_tanh", "", hf_siglip, NULL, 0 },
        { "CONCH", "", "blocks.%d.", "head", NO_HEAD ",pool=attention", "pool_heads=2", conch, NULL, 0 },
        { "DINOv3", "", "blocks.%d.", "head", NO_HEAD ",registers=3,layer_scale=true,pos_embed=false,rope=dinov3,"
          "swiglu=true", "image_size=8", dinov3, NULL, 0 },
        { "HF DINOv2", "", "encoder.layer.%d.", "classifier", VIT ",layer_scale=true,swiglu=true,pool=cls_mean", "",
          hf_dino, NULL, 0 } };
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < FORMATS + 4; i++) {
        format f = i < FORMATS ? formats[i] : more[i - FORMATS];
        f.extra = NULL;
        peft_backbone *b = random_backbone(ctx, f.create);
        write_format(b, &f, f.flags, tiny_path("file.safetensors"));
        compare(ctx, tiny_path("file.safetensors"), f.load, f.name);
        peft_backbone_free(b);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Distilled DeiT: loading makes one classifier of two. */
START_TEST(transposed_classifiers_of_two_tokens_are_averaged)
{
    static const char *const names[] = { "head", "head_dist" };
    enum { CLASSES = 5, WIDTH = 16 };
    static float weight[2][CLASSES * WIDTH], bias[2][CLASSES];
    static const format f = { "distilled DeiT", "", "blocks.%d.", "head", NO_HEAD ",registers=1,pool=cls_dist", "",
                              deit, NULL, 0 };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = random_backbone(ctx, f.create);
    pf_st *in;
    pf_st_out *out;
    write_format(b, &f, 0, tiny_path("without"));
    OK(pf_st_open(ctx, tiny_path("without"), &in));
    OK(pf_st_out_create(ctx, &out));
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        OK(pf_st_out_tensor(out, t->name, t->type, t->ndim, t->dim, t->data));
    }
    for (int k = 0; k < 2; k++) {
        char name[32];
        for (int i = 0; i < CLASSES * WIDTH; i++) weight[k][i] = (float)(i + 100 * k);
        for (int i = 0; i < CLASSES; i++) bias[k][i] = (float)(i - 3 * k);
        snprintf(name, sizeof name, "%s.weight", names[k]);
        OK(pf_st_out_tensor(out, name, PEFT_F32, 2, (int64_t[]){ CLASSES, WIDTH }, weight[k]));
        snprintf(name, sizeof name, "%s.bias", names[k]);
        OK(pf_st_out_tensor(out, name, PEFT_F32, 1, (int64_t[]){ CLASSES }, bias[k]));
    }
    OK(pf_st_out_write(out, tiny_path("file.safetensors")));
    pf_st_out_free(out);
    pf_st_close(in);
    compare(ctx, tiny_path("file.safetensors"), "", "distilled DeiT");
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("views", transposed_views_load_in_every_format, transposed_classifiers_of_two_tokens_are_averaged)
