/* SPDX-License-Identifier: Apache-2.0
 * double_e2vpt.c -- mathematical properties of e2vpt in double precision: keys and values that are one tensor, masks,
 * and its relation to vpt and prefix. */
#include "invariants.h"

#define TOKEN_MASK "prompt_soft_tokens_mask_cls_token"
#define PIECE_MASK "prompt_soft_tokens_pieces_mask_cls_token"

static peft_param *param_of(const tiny *t, const char *name)
{
    peft_param *p = peft_model_find_param(t->model, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    return p;
}
static pk_real *values_of(const tiny *t, const char *name)
{
    return peft_tensor_data(peft_param_value(param_of(t, name)));
}
static const pk_real *grad_of(const tiny *t, const char *name)
{
    return peft_tensor_cdata(peft_param_grad(param_of(t, name)));
}

/* Sets every parameter of `to` to that of the same name of `from`, where it has one. */
static void copy_params(const tiny *from, const tiny *to)
{
    for (size_t i = 0; i < peft_model_param_count(to->model); i++) {
        peft_param *p = peft_model_param(to->model, i), *q = peft_model_find_param(from->model, peft_param_name(p));
        if (!q || peft_tensor_count(&p->value) != peft_tensor_count(&q->value)) continue;
        memcpy(p->value.data, q->value.data, pf_tensor_bytes(&q->value));
    }
}

static void same_logits(const tiny *a, const tiny *b, const char *what)
{
    peft_tensor *x = logits_of(a), *y = logits_of(b);
    ck_assert_msg(!memcmp(peft_tensor_cdata(x), peft_tensor_cdata(y), pf_tensor_bytes(x)), "%s: logits differ", what);
    peft_tensor_free(x);
    peft_tensor_free(y);
}

/* The gradient of a tensor T that is both keys and values is the sum of those of keys T and of values T. */
START_TEST(a_shared_tensor_has_the_gradients_of_keys_and_of_values)
{
    tiny one = VARIANT(.method = "e2vpt", .options = "kv_tokens=4", .classes = 3);
    tiny two = VARIANT(.method = "e2vpt", .options = "kv_tokens=4,kv_shared=false", .classes = 3);
    char name[64];
    tiny_perturb(one.model);
    copy_params(&one, &two);
    for (int l = 0; l < 3; l++) {
        snprintf(name, sizeof name, "blocks.%d.attn.deep_QKV_embeddings", l);
        const size_t n = (size_t)peft_tensor_count(&param_of(&one, name)->value);
        for (size_t i = 0; i < 2; i++)
            memcpy(values_of(&two, name) + i * n, values_of(&one, name), n * sizeof(pk_real));
    }
    ck_assert_double_le(difference(logits_of(&one), logits_of(&two)), 1e-14);
    peft_trainer *a = backward(&one), *b = backward(&two);
    for (int l = 0; l < 3; l++) {
        snprintf(name, sizeof name, "blocks.%d.attn.deep_QKV_embeddings", l);
        const int64_t n = peft_tensor_count(&param_of(&one, name)->value);
        const pk_real *sum = grad_of(&one, name), *parts = grad_of(&two, name);
        const double scale = largest(sum, n);
        ck_assert_double_gt(scale, 0);
        ck_assert_double_gt(largest(parts, n), 0);
        for (int64_t i = 0; i < n; i++)
            ck_assert_double_le(fabs((double)(sum[i] - parts[i] - parts[n + i])), 1e-12 * scale);
    }
    peft_trainer_free(a);
    peft_trainer_free(b);
    tiny_free(&one);
    tiny_free(&two);
}
END_TEST

START_TEST(without_keys_and_masks_it_is_vpt)
{
    tiny vpt = VARIANT(.method = "vpt", .options = "tokens=4");
    tiny e2vpt = VARIANT(.method = "e2vpt", .options = "tokens=4,kv_tokens=0");
    tiny_perturb(vpt.model);
    copy_params(&vpt, &e2vpt);
    same_logits(&vpt, &e2vpt, "vpt and e2vpt");
    tiny_free(&vpt);
    tiny_free(&e2vpt);
}
END_TEST

/* Trained masks start at ones; fixed ones may be given as lists. */
START_TEST(masks_of_ones_change_no_bit)
{
    static const char *const ones[] = { "mask_tokens=trained", "pieces=2,mask_pieces=trained",
                                        "pieces=2,mask_tokens=trained,mask_pieces=trained",
                                        "pieces=2,mask_tokens=[1,1,1],mask_pieces=[[1,1],[1,1],[1,1]]" };
    tiny plain = VARIANT(.method = "e2vpt");
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
        tiny masked = VARIANT(.method = "e2vpt", .options = ones[i]);
        same_logits(&plain, &masked, ones[i]);
        tiny_free(&masked);
    }
    tiny_free(&plain);
}
END_TEST

/* Logits of a model with fixed masks equal those of one without, whose prompts are 0 where the masks are. Piece p of a
 * prompt has the channels p, p + pieces, ..; the values that a mask leaves out have no effect and no gradient. */
START_TEST(a_mask_leaves_out_what_it_names)
{
    enum { TOKENS = 3, PIECES = 5, WIDTH = 24 };
    static const int token[TOKENS] = { 1, 0, 1 }, piece[TOKENS][PIECES] = { { 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 1 },
                                                                           { 0, 1, 1, 0, 1 } };
    tiny plain = VARIANT(.method = "e2vpt", .classes = 3);
    tiny masked = VARIANT(.method = "e2vpt", .options = "pieces=5,mask_tokens=[1,0,1],"
                          "mask_pieces=[[1,1,1,1,1],[1,1,1,1,1],[0,1,1,0,1]]", .classes = 3);
    static const char *const prompts[] = { "prompt_embeddings", "deep_prompt_embeddings" };
    tiny_perturb(plain.model);
    copy_params(&plain, &masked);
    for (int k = 0; k < 2; k++) {
        const int64_t n = peft_tensor_count(&param_of(&plain, prompts[k])->value);
        for (int64_t i = 0; i < n; i++) {
            const int64_t t = i / WIDTH % TOKENS, c = i % WIDTH;
            if (token[t] && piece[t][c % PIECES]) continue;
            values_of(&plain, prompts[k])[i] = 0;
            values_of(&masked, prompts[k])[i] += 3;
        }
    }
    same_logits(&plain, &masked, "zeros and masks");
    peft_trainer *r = backward(&masked);
    for (int k = 0; k < 2; k++) {
        const int64_t n = peft_tensor_count(&param_of(&masked, prompts[k])->value);
        for (int64_t i = 0; i < n; i++) {
            const int64_t t = i / WIDTH % TOKENS, c = i % WIDTH;
            const bool kept = token[t] && piece[t][c % PIECES];
            ck_assert_msg(kept == (grad_of(&masked, prompts[k])[i] != 0), "%s, element %d", prompts[k], (int)i);
        }
    }
    peft_trainer_free(r);
    tiny_free(&plain);
    tiny_free(&masked);
}
END_TEST

/* The gradient of a mask is the sum over blocks and channels of prompt value times gradient of the masked prompt, which
 * equals the gradient of the prompt where the mask is 1. The terms nearly cancel out for a whole prompt, since norm1
 * removes its scale, so errors are relative to the sum of their magnitudes. */
START_TEST(a_mask_has_the_gradient_of_its_definition)
{
    enum { TOKENS = 3, PIECES = 5, WIDTH = 24, BLOCKS = 3 };
    tiny t = VARIANT(.method = "e2vpt", .options = "pieces=5,mask_tokens=trained,mask_pieces=trained", .classes = 3);
    double token[TOKENS] = { 0 }, piece[TOKENS * PIECES] = { 0 }, scale = 0;
    peft_trainer *r = backward(&t);
    for (int l = 0; l < BLOCKS; l++) {
        const char *name = l ? "deep_prompt_embeddings" : "prompt_embeddings";
        const int64_t skip = l ? (int64_t)(l - 1) * TOKENS * WIDTH : 0;
        for (int64_t i = 0; i < TOKENS * WIDTH; i++) {
            const double product = (double)values_of(&t, name)[skip + i] * (double)grad_of(&t, name)[skip + i];
            scale += fabs(product);
            token[i / WIDTH] += product;
            piece[i / WIDTH * PIECES + i % WIDTH % PIECES] += product;
        }
    }
    ck_assert_double_gt(largest(grad_of(&t, PIECE_MASK), TOKENS * PIECES), 1e-3 * scale);
    ck_assert_double_gt(largest(grad_of(&t, TOKEN_MASK), TOKENS), 1e-9 * scale);
    for (int i = 0; i < TOKENS; i++)
        ck_assert_double_le(fabs((double)grad_of(&t, TOKEN_MASK)[i] - token[i]), 1e-12 * scale);
    for (int i = 0; i < TOKENS * PIECES; i++)
        ck_assert_double_le(fabs((double)grad_of(&t, PIECE_MASK)[i] - piece[i]), 1e-12 * scale);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* Keys of two adapters add up: prefix with 2 tokens beside e2vpt with 3 equals e2vpt with 5. */
START_TEST(keys_of_two_adapters_stand_side_by_side)
{
    static const char *const method[] = { "e2vpt", "prefix" }, *const options[] = { "kv_tokens=3,kv_shared=false",
                                                                                   "tokens=2" };
    tiny whole = VARIANT(.method = "e2vpt", .options = "kv_tokens=5,kv_shared=false");
    tiny_perturb(whole.model);
    for (int order = 0; order < 2; order++) {
        tiny t = VARIANT(.method = method[order], .options = options[order]);
        peft_adapter *second = tiny_adapter(t.backbone, method[!order], options[!order]);
        OK(peft_model_attach(t.model, second));
        copy_params(&whole, &t);
        enum { HEADS = 3, HEAD_WIDTH = 8 };
        for (int l = 0; l < 3; l++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%d.attn.deep_QKV_embeddings", l);
            const pk_real *from = values_of(&whole, name);
            for (int64_t i = 0; i < 2 * HEADS; i++, from += 5 * HEAD_WIDTH) {        /* keys, values of each head */
                memcpy(values_of(&t, "prefix") + (l * 2 * HEADS + i) * 2 * HEAD_WIDTH, from,
                       2 * HEAD_WIDTH * sizeof(pk_real));
                memcpy(values_of(&t, name) + i * 3 * HEAD_WIDTH, from + 2 * HEAD_WIDTH,
                       3 * HEAD_WIDTH * sizeof(pk_real));
            }
        }
        ck_assert_double_le(difference(logits_of(&t), logits_of(&whole)), 1e-12);
        peft_adapter_free(second);
        tiny_free(&t);
    }
    tiny_free(&whole);
}
END_TEST

SUITE_MAIN("e2vpt in double", a_shared_tensor_has_the_gradients_of_keys_and_of_values, without_keys_and_masks_it_is_vpt,
           masks_of_ones_change_no_bit, a_mask_leaves_out_what_it_names, a_mask_has_the_gradient_of_its_definition,
           keys_of_two_adapters_stand_side_by_side)
