/* SPDX-License-Identifier: Apache-2.0
 * test_sys_method.c -- peft_sys_register_method: tables that are refused; that a method belongs to its context and
 * lives as long; files of such methods; and built-in methods registered under other names, which train to the same
 * bits. */
#include <pthread.h>
#include "failing_alloc.h"
#include "tiny_files.h"

static peft_status init_nothing(peft_adapter *a, const peft_vit *v)
{
    (void)v;
    return peft_sys_init_status(a);
}
static void emit_nothing(const void *state, peft_build *b, peft_site *s) { (void)state, (void)b, (void)s; }
static const peft_method nothing = { .name = "nothing", .init = init_nothing };

/* A context without registered methods. */
static peft_context *plain_context(void)
{
    peft_context *ctx;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    OK(peft_context_set_threads(ctx, 1));
    OK(peft_context_set_seed(ctx, 7));
    return ctx;
}

/* --- tables that are refused -------------------------------------------------------------------- */
/* A table, and the error that its registration gives. METHOD: with these further members. WITH_OPTION: with one option,
 * given as { name, type, default, lowest and highest value, help }. */
typedef struct refusal { peft_method m; peft_status status; const char *text; } refusal;
#define METHOD(...) { .name = "mine", .init = init_nothing, __VA_ARGS__ }
#define WITH_OPTION(...) METHOD(.opts = (const peft_option[]){ { __VA_ARGS__ }, { 0 } })

/* Each table is refused, without a change of the context. */
static void check_refusals(peft_context *ctx, const refusal *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t used = peft_context_memory_used(ctx);
        FAILS(r[i].status, r[i].text, peft_sys_register_method(ctx, &r[i].m, PEFT_METHOD_ABI));
        ck_assert_uint_eq(peft_context_memory_used(ctx), used);
    }
    ck_assert_ptr_null(peft_sys_method(ctx, peft_method_count()));
}

START_TEST(bad_method_tables_are_refused)
{
    peft_option many[70];                    /* no empty row ends it within the 64 rows that are read */
    char names[70][8];
    for (int i = 0; i < 70; i++) {
        snprintf(names[i], sizeof names[i], "a%d", i);
        many[i] = (peft_option){ names[i], 's', "", 0, 0, "" };
    }
    const refusal all[] = {
        { { .init = init_nothing }, PEFT_E_INVALID, "name is NULL" },
        { { .name = "", .init = init_nothing }, PEFT_E_INVALID, "lower-case" },
        { { .name = "Mine", .init = init_nothing }, PEFT_E_INVALID, "'Mine'" },
        { { .name = "my method", .init = init_nothing }, PEFT_E_INVALID, "'my method'" },
        { { .name = "2fold", .init = init_nothing }, PEFT_E_INVALID, "a letter first" },
        { { .name = "a2345678901234567890123456789012345678901", .init = init_nothing }, PEFT_E_INVALID, "at most 40" },
        { { .name = "mine" }, PEFT_E_INVALID, "init is NULL" },
        { METHOD(.sites = PEFT_AT(PEFT_ATTN)), PEFT_E_INVALID, "emit is NULL" },
        { METHOD(.emit = emit_nothing), PEFT_E_INVALID, "sites is 0" },
        { METHOD(.emit = emit_nothing, .sites = 1u << 31), PEFT_E_INVALID, "sites is 0x80000000" },
        { WITH_OPTION("Size", 'i', "1", 0, 0, ""), PEFT_E_INVALID, "bad name" },
        { WITH_OPTION("size", 'q', "1", 0, 0, ""), PEFT_E_INVALID, "bad type" },
        { WITH_OPTION("size", 0, "1", 0, 0, ""), PEFT_E_INVALID, "bad type" },
        { WITH_OPTION("size", 'i', NULL, 0, 0, ""), PEFT_E_INVALID, "bad fallback" },
        { WITH_OPTION("size", 'i', "1", 0, 0, NULL), PEFT_E_INVALID, "bad help" },
        { WITH_OPTION("size", 'i', "1", 3, 2, ""), PEFT_E_INVALID, "bad bounds" },
        { WITH_OPTION("size", 'i', "0", 1, 9, ""), PEFT_E_INVALID, "option 'size' is '0'" },
        { WITH_OPTION("size", 'i', "big", 0, 0, ""), PEFT_E_INVALID, "an integer" },
        { WITH_OPTION("size", 'b', "maybe", 0, 0, ""), PEFT_E_INVALID, "true or false" },
        { METHOD(.opts = (const peft_option[]){ { "a", 's', "", 0, 0, "" }, { "a", 'i', "1", 0, 0, "" }, { 0 } }),
          PEFT_E_INVALID, "earlier row" },
        { METHOD(.opts = many), PEFT_E_INVALID, "NULL name" },
        { { .name = "ept", .init = init_nothing }, PEFT_E_STATE, "a method of the library" } };
    peft_context *ctx = plain_context();
    check_refusals(ctx, all, sizeof all / sizeof *all);
    FAILS(PEFT_E_INVALID, "ctx is NULL", peft_sys_register_method(NULL, &nothing, PEFT_METHOD_ABI));
    FAILS(PEFT_E_INVALID, "method is NULL", peft_sys_register_method(ctx, NULL, PEFT_METHOD_ABI));
    OK(peft_sys_register_method(ctx, &nothing, PEFT_METHOD_ABI));
    FAILS(PEFT_E_STATE, "a method of this context", peft_sys_register_method(ctx, &nothing, PEFT_METHOD_ABI));
    peft_context_free(ctx);
}
END_TEST

/* The message names the given version and layout and the library's, and the table (here at an invalid address) is not
 * read. tests/scripts/method_abi.sh compiles methods with other headers. */
START_TEST(another_abi_version_or_layout_is_refused)
{
    const peft_method *unreadable = (const peft_method *)16;
    /* PEFT_METHOD_ABI: the version in the highest 8 bits, a hash of the layout in the others */
    const uint64_t hash = PEFT_METHOD_ABI & (((uint64_t)1 << 56) - 1);
    char text[96], of_library[96];
    peft_context *ctx = plain_context();
    snprintf(of_library, sizeof of_library, "this library has version %u, layout %#llx", PEFT_METHOD_VERSION,
             (unsigned long long)hash);
    for (int bit = 0; bit < 64; bit++) {
        const uint64_t abi = PEFT_METHOD_ABI ^ (uint64_t)1 << bit;
        snprintf(text, sizeof text, "compiled for version %u, layout %#llx", (unsigned)(abi >> 56),
                 (unsigned long long)(abi & (((uint64_t)1 << 56) - 1)));
        FAILS(PEFT_E_UNSUPPORTED, text, peft_sys_register_method(ctx, unreadable, abi));
        FAILS(PEFT_E_UNSUPPORTED, of_library, peft_sys_register_method(ctx, unreadable, abi));
    }
    FAILS(PEFT_E_UNSUPPORTED, "version 0", peft_sys_register_method(ctx, unreadable, 0));
    peft_context_free(ctx);
}
END_TEST

/* Whoever changes a struct that methods see changes PEFT_METHOD_VERSION and the sizes here. */
START_TEST(sizes_of_public_structs_belong_to_the_method_version)
{
    if (sizeof(void *) != 8) return;
    ck_assert_uint_eq(PEFT_METHOD_VERSION, 3);
    ck_assert_uint_eq(sizeof(peft_method), 80);
    ck_assert_uint_eq(sizeof(peft_site), 64);
    ck_assert_uint_eq(sizeof(peft_vit), 72);
    ck_assert_uint_eq(sizeof(peft_option), 48);
    /* the last site and the last role: methods are compiled with these numbers */
    ck_assert_int_eq(PEFT_POOL, 9);
    ck_assert_int_eq(PEFT_MLP, 12);
}
END_TEST

/* Allocation n of a registration fails, for n = 0, 1, ..; then the same registration succeeds. */
START_TEST(registration_without_memory_changes_nothing)
{
    for (long n = 0; ; n++) {
        failing_alloc f = { .fail_at = -1 };
        peft_context *ctx;
        OK(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx));
        OK(peft_sys_register_method(ctx, &nothing, PEFT_METHOD_ABI));
        const size_t used = peft_context_memory_used(ctx);
        f.calls = 0, f.fail_at = n;
        peft_status s = peft_sys_register_method(ctx, &gated_prompt, PEFT_METHOD_ABI);
        bool refused = f.calls > n;
        f.fail_at = -1;
        ck_assert_int_eq(s, refused ? PEFT_E_NOMEM : PEFT_OK);
        if (refused) {
            ck_assert_uint_eq(peft_context_memory_used(ctx), used);
            OK(peft_sys_register_method(ctx, &gated_prompt, PEFT_METHOD_ABI));
        }
        ck_assert_str_eq(peft_sys_method(ctx, peft_method_count() + 1)->name, "gated_prompt");
        peft_context_free(ctx);
        ck_assert_int_eq(f.blocks, 0);
        if (!refused) break;
    }
}
END_TEST

/* --- owner and lifetime of a method --------------------------------------------------------------- */
/* A method that multiplies the pooled feature with a parameter; the option `with` is its initial value. */
typedef struct factor { peft_param *p; } factor;
static peft_status factor_init(peft_adapter *a, const peft_vit *v)
{
    factor *m = peft_sys_state(a);
    m->p = peft_sys_declare(a, PEFT_DIMS(v->width), peft_sys_opt_string(a, "with"), "factor");
    return peft_sys_init_status(a);
}
static void factor_emit(const void *state, peft_build *b, peft_site *s)
{
    s->out = peft_sys_mul(b, s->out, peft_sys_param(b, ((const factor *)state)->p));
}

/* Registers a table on the stack and overwrites it afterwards: the context has to keep a copy. */
static void register_factor(peft_context *ctx, const char *with)
{
    char name[] = "factor", option[] = "with", fallback[16], help[] = "initial value";
    peft_option opts[] = { { option, 's', fallback, 0, 0, help }, { 0 } };
    peft_method m = { .name = name, .opts = opts, .sites = PEFT_AT(PEFT_POOL), .state_size = sizeof(factor),
                      .init = factor_init, .emit = factor_emit };
    snprintf(fallback, sizeof fallback, "%s", with);
    OK(peft_sys_register_method(ctx, &m, PEFT_METHOD_ABI));
    memset(name, 'x', sizeof name - 1), memset(option, 'x', sizeof option - 1);
    memset(fallback, 'x', sizeof fallback - 1), memset(help, 'x', sizeof help - 1);
    memset(opts, 0xff, sizeof opts), memset(&m, 0xff, sizeof m);
}

START_TEST(a_context_keeps_a_copy_of_the_method)
{
    peft_context *ctx = plain_context(), *other = plain_context();
    peft_backbone *before = tiny_default_backbone(ctx), *elsewhere = tiny_default_backbone(other);
    peft_adapter *a, *b;
    FAILS(PEFT_E_NOTFOUND, "peft_sys_register_method", peft_adapter_create(before, "factor", NULL, &a));
    register_factor(ctx, "one");
    const peft_method *m = peft_sys_method(ctx, peft_method_count());
    ck_assert_str_eq(m->name, "factor");
    ck_assert_str_eq(m->summary, "");
    ck_assert_str_eq(m->opts[0].help, "initial value");
    ck_assert_ptr_null(m->opts[1].name);
    ck_assert_ptr_null(peft_sys_method(ctx, peft_method_count() + 1));
    ck_assert_ptr_null(peft_sys_method(other, peft_method_count()));
    ck_assert_ptr_null(peft_sys_method(NULL, 0));
    for (size_t i = 0; i < peft_method_count(); i++)
        ck_assert_str_eq(peft_sys_method(ctx, i)->name, peft_method_name(i));
    ck_assert_ptr_null(peft_method_summary("factor"));

    OK(peft_adapter_create(before, "factor", NULL, &a));           /* the backbone is older than the method */
    FAILS(PEFT_E_NOTFOUND, "did you mean 'factor'?", peft_adapter_create(before, "facter", NULL, &b));
    FAILS(PEFT_E_NOTFOUND, "'factor' is neither", peft_adapter_create(elsewhere, "factor", NULL, &b));
    peft_options *o = tiny_options(ctx, "with=two");
    FAILS(PEFT_E_OPTION, "two", peft_adapter_create(before, "factor", o, &b));
    peft_options_free(o);
    o = tiny_options(ctx, "wiht=one");
    FAILS(PEFT_E_OPTION, "did you mean 'with'?", peft_adapter_create(before, "factor", o, &b));
    peft_options_free(o);

    /* Now only the adapter keeps the context alive. */
    peft_backbone_free(before);
    peft_context_free(ctx);
    ck_assert_str_eq(peft_adapter_method(a), "factor");
    ck_assert_float_eq(*(float *)peft_tensor_data(peft_param_value(peft_adapter_param(a, 0))), 1);
    peft_adapter_free(a);
    peft_backbone_free(elsewhere);
    peft_context_free(other);
}
END_TEST

/* A thread whose context has a method "factor" with the initial value `with`: zero gives logits of zero. */
static void *predict_with_factor(void *with)
{
    for (int round = 0; round < 20; round++) {
        peft_context *ctx = plain_context();
        register_factor(ctx, with);
        peft_backbone *b = tiny_default_backbone(ctx);
        peft_adapter *a;
        peft_model *m = tiny_model(b, NULL);
        OK(peft_adapter_create(b, "factor", NULL, &a));
        OK(peft_model_attach(m, a));
        peft_session *s = tiny_session(m, "batch=2");
        tiny_batch images = tiny_first_batch(m, 2);
        peft_tensor *logits = tiny_tensor(ctx, PEFT_F32, 2, 2, 3);
        OK(peft_session_predict(s, images.images, logits));
        const bool zero = !strcmp(with, "zero");
        for (int i = 0; i < 6; i++) ck_assert_int_eq(((float *)peft_tensor_data(logits))[i] == 0, zero);
        peft_tensor_free(logits);
        tiny_batch_free(&images);
        peft_session_free(s);
        peft_model_free(m);
        peft_adapter_free(a);
        peft_backbone_free(b);
        peft_context_free(ctx);
    }
    return NULL;
}

START_TEST(contexts_in_two_threads_have_different_methods_of_one_name)
{
    static char one[] = "one", zero[] = "zero";
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, predict_with_factor, one), 0);
    predict_with_factor(zero);
    pthread_join(other, NULL);
}
END_TEST

START_TEST(files_load_only_where_their_method_is_registered)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "gated_prompt" });
    peft_context *fresh = plain_context();
    peft_backbone *b = tiny_default_backbone(fresh);
    peft_adapter *a;
    peft_model *m;
    OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
    OK(peft_model_save(t.model, tiny_path("model")));
    FAILS(PEFT_E_NOTFOUND, "peft_sys_register_method", peft_adapter_load(b, tiny_path("adapter"), &a));
    FAILS(PEFT_E_NOTFOUND, "'gated_prompt'", peft_model_load(b, tiny_path("model"), &m));
    OK(peft_sys_register_method(fresh, &gated_prompt, PEFT_METHOD_ABI));
    OK(peft_adapter_load(b, tiny_path("adapter"), &a));
    OK(peft_model_load(b, tiny_path("model"), &m));
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_context_free(fresh);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- built-in methods, registered -------------------------------------------------------------------- */
/* Trains two steps and records the state and the logits. */
static void record_training(peft_backbone *b, const char *method, const char *options, const char *model,
                            tiny_bits *bits)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_model *m = tiny_model(b, model);
    peft_adapter *a;
    OK(peft_adapter_create(b, method, o, &a));
    OK(peft_model_attach(m, a));
    peft_trainer *t = tiny_trainer(m, "batch=3,lr=1e-2");
    for (int i = 0; i < 2; i++) tiny_step(t, 3, 3 * i);
    tiny_bits_training(bits, t);
    peft_trainer_free(t);
    tiny_bits_logits(bits, m);
    peft_adapter_free(a);
    peft_model_free(m);
    peft_options_free(o);
}

START_TEST(built_in_methods_registered_under_other_names_train_the_same)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    for (size_t i = 0; i < peft_method_count(); i++) {
        peft_method copy = *peft_sys_method(ctx, i);
        /* options that the method requires, or that the tiny network needs */
        const char *options = copy.network ? "classes=3,side_image=16" : !strcmp(copy.name, "vp") ? "width=3"
                            : !strcmp(copy.name, "partial") ? "blocks=2" : "";
        const char *model = copy.network ? "classes=3,head=side_encoder" : "classes=3";
        char name[48];
        tiny_bits bits[2] = { { 0 } };
        record_training(b, copy.name, options, model, &bits[0]);
        snprintf(name, sizeof name, "my_%s", copy.name);
        copy.name = name;
        OK(peft_sys_register_method(ctx, &copy, PEFT_METHOD_ABI));
        record_training(b, name, options, model, &bits[1]);
        tiny_same(&bits[0], &bits[1], name);
        tiny_bits_free(&bits[0]);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

/* gated_prompt starts with gates of zero. */
START_TEST(a_gate_of_zero_changes_no_logit)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    peft_model *m = tiny_model(b, "classes=0");
    peft_adapter *a = tiny_adapter(b, "gated_prompt", NULL);
    tiny_bits without = { 0 }, with = { 0 };
    tiny_bits_logits(&without, m);
    OK(peft_model_attach(m, a));
    tiny_bits_logits(&with, m);
    tiny_same(&without, &with, "gates at zero");
    tiny_bits_free(&without);
    peft_backbone *merged;
    FAILS(PEFT_E_UNSUPPORTED, "'gated_prompt' cannot be merged", peft_model_merge(m, &merged));
    peft_adapter_free(a);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("sys_method", bad_method_tables_are_refused, another_abi_version_or_layout_is_refused,
           sizes_of_public_structs_belong_to_the_method_version, registration_without_memory_changes_nothing,
           a_context_keeps_a_copy_of_the_method, contexts_in_two_threads_have_different_methods_of_one_name,
           files_load_only_where_their_method_is_registered,
           built_in_methods_registered_under_other_names_train_the_same, a_gate_of_zero_changes_no_logit)
