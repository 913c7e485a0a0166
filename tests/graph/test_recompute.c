/* SPDX-License-Identifier: Apache-2.0
 * test_recompute.c -- under a memory limit a trainer computes values again in the backward pass: no bit of losses,
 * gradients and parameters differs from training without a limit, the plan is within the limit, and a limit below the
 * least is refused with this least. */
#include "tiny_bits.h"
#include "core/graph/report/report.h"

static const char *const heads[] = { "classes=3", "classes=3,head=bn_linear", "classes=3,head=mlp,head_layers=2",
    "classes=3,head=setr_pup,head_width=4", "classes=0" };
enum { HEADS = 5, BATCH = 4, LEVELS = 3 };

/* Trains on batches of 4 down to 1 images (2 for models with buffers), evaluates, and records all results. */
static void record(const tiny *t, peft_trainer *r, tiny_bits *bits)
{
    for (int n = BATCH; n >= (peft_model_buffer_count(t->model) ? 2 : 1); n--) {
        tiny_batch b = tiny_batch_make(t->model, n, n);
        peft_tensor *logits = tiny_logits(t->model, n);
        OK(peft_trainer_step(r, b.images, b.labels, b.ids));
        tiny_bits_add(bits, "loss", &r->last_loss, sizeof r->last_loss);
        tiny_bits_grads(bits, t->model);
        OK(peft_trainer_evaluate(r, b.images, logits));
        tiny_bits_tensor(bits, "logits", logits);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
}

/* Makes a trainer with this limit; NULL: it is refused, and *least is the number of bytes that the message names as
 * enough. */
static peft_trainer *limited(const tiny *t, const char *options, size_t limit, size_t *least)
{
    char text[256], given[64], cure[64];
    peft_options *o;
    peft_trainer *r = NULL;
    snprintf(text, sizeof text, "batch=%d,lr=1e-2,memory_limit=%zu%s", BATCH, limit, options);
    OK(peft_options_create(t->ctx, &o));
    OK(peft_options_parse(o, text));
    const peft_status s = peft_trainer_create(t->model, o, &r);
    peft_options_free(o);
    if (!s) return r;
    ck_assert_ptr_null(r);
    ck_assert_msg(s == PEFT_E_UNSUPPORTED, "%s: %s", text, peft_last_error());
    const char *takes = strstr(peft_last_error(), " bytes, allowed are ");
    ck_assert_msg(takes != NULL, "%s: %s", text, peft_last_error());
    while (takes[-1] != ' ') takes--;
    *least = (size_t)strtoull(takes, NULL, 10);
    ck_assert_uint_gt(*least, limit);
    snprintf(given, sizeof given, "memory_limit: the graph for ");
    snprintf(cure, sizeof cure, "allowed are %zu: give memory_limit=%zu or more", limit, *least);
    ck_assert_msg(strstr(peft_last_error(), given) && strstr(peft_last_error(), cure), "%s", peft_last_error());
    return NULL;
}

/* The smallest limit that is not refused. A trainer has several graphs, of which a message names one. */
static size_t find_least(const tiny *t, const char *options)
{
    size_t limit = 1, least = 0;
    peft_trainer *r;
    while (!(r = limited(t, options, limit, &least))) limit = least;
    peft_trainer_free(r);
    return limit;
}

static size_t planned(const peft_trainer *r)
{
    const size_t net = pf_exec_bytes(&r->net.exec), eval = pf_exec_bytes(&r->eval.exec),
        front = r->front.crossings ? pf_exec_bytes(&r->front.exec) : 0;
    return net > eval ? net > front ? net : front : eval > front ? eval : front;
}

/* Bytes of the plan without a limit, and of the smallest one. */
typedef struct plans { size_t most, least; } plans;

/* Trains without a limit and at LEVELS limits from the least one on. */
static plans check(const tiny_spec *spec, const char *options)
{
    tiny_bits want = { 0 };
    size_t most = 0, least = 0;
    for (int level = -1; level < LEVELS; level++) {
        char who[256];
        tiny_bits got = { 0 };
        tiny t = tiny_make(spec);
        size_t limit = 0, named;
        if (level == 0) {
            peft_trainer *r;
            least = find_least(&t, options);
            ck_assert_msg(!(r = limited(&t, options, least - 1, &named)) && named == least,
                          "%s: %zu is the least, but %zu is accepted or %zu named", spec->method, least, least - 1,
                          named);
        }
        if (level >= 0) limit = least + (most - least) * (size_t)level / LEVELS;
        peft_trainer *r = limited(&t, options, limit, &named);
        snprintf(who, sizeof who, "%s, %s%s, limit %zu", spec->method, spec->model, options, limit);
        ck_assert_msg(r != NULL, "%s: %s", who, peft_last_error());
        if (level < 0) most = planned(r);
        else ck_assert_msg(planned(r) <= limit, "%s: %zu bytes planned", who, planned(r));
        record(&t, r, level < 0 ? &want : &got);
        if (level >= 0) tiny_same(&want, &got, who);
        peft_trainer_free(r);
        tiny_free(&t);
    }
    tiny_bits_free(&want);
    return (plans){ most, least };
}

START_TEST(limits_change_no_bit_for_every_method_and_head)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (int h = PARTIAL ? (int)i % HEADS : 0; h < HEADS; h += partial_step(HEADS)) {
            tiny_spec spec = { .more = "depth=3", .method = tiny_method_name(i), .model = heads[h] };
            tiny t = tiny_make(&spec);
            const bool trained = peft_model_param_count(t.model) > 0;
            tiny_free(&t);
            if (trained) check(&spec, "");
        }
}
END_TEST

START_TEST(limits_change_no_bit_with_other_options)
{
    static const char *const options[] = { ",accumulate=2", ",cache_features=1000000", ",loss=ce,threads=3,clip_norm=1",
        ",compute=bf16,optimizer=sgd", ",keep=bf16", ",keep=bf16,cache_features=1000000" };
    enum { OPTIONS = sizeof options / sizeof *options };
    for (size_t k = 0; k < OPTIONS; k++)
        for (size_t i = PARTIAL ? k : 0; i < tiny_method_count(); i += (size_t)partial_step(OPTIONS))
            check(&(tiny_spec){ .more = k % 2 ? "depth=3,pool=mean" : "depth=3,registers=2",
                                .method = tiny_method_name(i), .model = heads[k % 3] }, options[k]);
}
END_TEST

/* Each dropout of each method: the masks of repetitions are those of the forward pass. */
START_TEST(limits_change_no_bit_with_dropout)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (const peft_option *o = tiny_method(i)->opts; o && o->name; o++) {
            char text[64];
            if (!strstr(o->name, "dropout")) continue;
            snprintf(text, sizeof text, "%s=0.3", o->name);
            check(&(tiny_spec){ .more = "depth=3", .method = tiny_method_name(i), .adapter = text,
                                .model = "classes=3" }, "");
        }
}
END_TEST

/* Compiles the training graph of r again, with the same repetitions and these flags of the plan, and records results
 * of a pass. */
static void record_pass(const tiny *t, const peft_trainer *r, unsigned flags, tiny_bits *bits)
{
    pf_net_spec spec = { .model = t->model, .loss = &r->loss, .compile = r->net.exec.g.spec };
    pf_compiled net;
    tiny_batch b = tiny_first_batch(t->model, BATCH);
    spec.compile.memory_limit = 0;
    spec.compile.again = r->net.exec.g.again;
    spec.compile.agains = r->net.exec.g.agains;
    spec.compile.flags = flags;
    OK(pf_compiled_create(&net, &spec));
    ck_assert_uint_eq(net.exec.g.nodes, r->net.exec.g.nodes);
    OK(pf_exec_bind(&net.exec, NULL));
    pf_exec_bind_input(&net.exec, net.images, peft_tensor_cdata(b.images));
    pf_exec_bind_input(&net.exec, net.labels, peft_tensor_cdata(b.labels));
    pf_exec_run(&net.exec, 0, net.exec.g.nodes);
    tiny_bits_add(bits, "loss", pf_exec_data(&net.exec, net.loss), sizeof(pk_real));
    tiny_bits_grads(bits, t->model);
    pf_compiled_free(&net);
    tiny_batch_free(&b);
}

/* With PF_PLAN_NAIVE every value has its own memory, which is NaN after its last use. */
static void check_naive(const char *options)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        tiny_bits planned_bits = { 0 }, naive = { 0 };
        size_t least;
        tiny t = tiny_make(&(tiny_spec){ .more = "depth=3", .method = tiny_method_name(i), .model = "classes=3" });
        peft_trainer *r = limited(&t, options, find_least(&t, options), &least);
        ck_assert_ptr_nonnull(r);
        record_pass(&t, r, 0, &planned_bits);
        record_pass(&t, r, PF_PLAN_NAIVE, &naive);
        tiny_same(&planned_bits, &naive, tiny_method_name(i));
        tiny_bits_free(&planned_bits);
        peft_trainer_free(r);
        tiny_free(&t);
    }
}

START_TEST(planned_and_naive_repetitions_agree) { check_naive(""); }
END_TEST

START_TEST(they_agree_with_values_kept_in_bf16) { check_naive(",keep=bf16"); }
END_TEST

/* On a deeper network the least plan of methods that train all blocks is a fraction of the plan without a limit. */
START_TEST(a_limit_saves_memory)
{
    static const char *const methods[] = { "lora", "ept", "vpt", "full", "bitfit" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const tiny_spec spec = { .more = "depth=8", .method = methods[i], .model = "classes=3" };
        const plans f32 = check(&spec, ""), bf16 = check(&spec, ",keep=bf16");
        ck_assert_msg(0.7 * (double)f32.most > (double)f32.least, "%s: the least plan is %zu of %zu bytes", methods[i],
                      f32.least, f32.most);
        ck_assert_msg(bf16.most < f32.most && (double)bf16.least < 1.1 * (double)f32.least, "%s, keep=bf16: %zu to %zu "
                      "bytes, else %zu to %zu", methods[i], bf16.least, bf16.most, f32.least, f32.most);
    }
}
END_TEST

/* Finds the totals in the table of operations, its last line. */
static void keep_last(const char *line, void *user) { snprintf(user, PF_ROW_MAX, "%s", line); }

START_TEST(the_table_has_the_bytes_alive_beside_the_arena)
{
    char last[PF_ROW_MAX], text[96];
    size_t least;
    tiny t = tiny_make(&(tiny_spec){ .more = "depth=3", .method = "lora", .model = "classes=3" });
    for (int level = 0; level < 2; level++) {
        peft_trainer *r = limited(&t, "", level ? find_least(&t, "") : 0, &least);
        const pf_plan *plan = &r->net.exec.plan;
        peft_trainer_describe(r, keep_last, last);
        snprintf(text, sizeof text, "arena %zu bytes (%zu alive at once, by operation %u)", plan->arena, plan->alive,
                 plan->fullest);
        ck_assert_msg(strstr(last, text) != NULL, "'%s' lacks '%s'", last, text);
        ck_assert_uint_gt(plan->alive, 0);
        ck_assert_uint_le(plan->alive, plan->arena);
        ck_assert_int_eq(level, r->net.exec.g.agains > 0);
        peft_trainer_free(r);
    }
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("recompute", the_table_has_the_bytes_alive_beside_the_arena,
           limits_change_no_bit_for_every_method_and_head, limits_change_no_bit_with_other_options,
           limits_change_no_bit_with_dropout, planned_and_naive_repetitions_agree,
           they_agree_with_values_kept_in_bf16, a_limit_saves_memory)
