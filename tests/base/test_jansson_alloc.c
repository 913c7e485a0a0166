/* SPDX-License-Identifier: Apache-2.0
 * test_jansson_alloc.c -- an application that gave the JSON library jansson its own allocator: its blocks are freed by
 * that allocator only, and where it fails libpeft returns PEFT_E_NOMEM; and pf_is_utf8 against jansson's own check. */
#include "tiny.h"
#include <jansson.h>
#include <sys/stat.h>
#include "core/base/json_text.h"

/* The application's allocator puts MARK in front of each block and asserts it when the block is freed. */
enum { MARK = 0x5ca1ab1e, FRONT = 16 };                  /* FRONT: bytes in front of a block */
static long calls, fail_at = -1, blocks;                 /* call number fail_at returns NULL; -1: none does */

static void *marked_alloc(size_t n)
{
    if (calls++ == fail_at) return NULL;
    char *p = malloc(n + FRONT);
    *(int *)(void *)p = MARK;
    blocks++;
    return p + FRONT;
}

static void marked_free(void *block)
{
    char *p = block;
    if (!p) return;
    ck_assert_int_eq(*(int *)(void *)(p - FRONT), MARK);
    blocks--;
    free(p - FRONT);
}

/* A model, and a folder with the paths in it: a directory of transformers, one of PEFT, a model file. */
typedef struct fixture { char folder[40], hf[60], peft[60], model[60]; tiny t; } fixture;

/* Saves or loads one of the files that hold JSON. */
static peft_status save_backbone(const fixture *f)
{
    peft_options *o = tiny_options(f->t.ctx, "naming=hf");
    const peft_status s = peft_backbone_save_as(f->t.backbone, f->hf, o);
    peft_options_free(o);
    return s;
}

static peft_status load_backbone(const fixture *f)
{
    peft_backbone *b = NULL;
    char file[100];
    snprintf(file, sizeof file, "%s/model.safetensors", f->hf);
    const peft_status s = peft_backbone_load(f->t.ctx, file, NULL, &b);
    peft_backbone_free(b);
    return s;
}

static peft_status save_adapter(const fixture *f) { return peft_adapter_save_hf(f->t.adapter, f->peft, NULL); }

static peft_status load_adapter(const fixture *f)
{
    peft_adapter *a = NULL;
    const peft_status s = peft_adapter_load_hf(f->t.backbone, f->peft, &a);
    peft_adapter_free(a);
    return s;
}

static peft_status set_note(const fixture *f) { return peft_model_set_note(f->t.model, "key", "value"); }

/* These two not when allocations fail: jansson itself aborts when one fails inside a string with escapes, as model
 * files have. */
static peft_status save_model(const fixture *f) { return peft_model_save(f->t.model, f->model); }

static peft_status load_model(const fixture *f)
{
    peft_model *m = NULL;
    const peft_status s = peft_model_load(f->t.backbone, f->model, &m);
    peft_model_free(m);
    return s;
}

typedef peft_status step(const fixture *f);
static step *const failing[] = { save_backbone, load_backbone, save_adapter, load_adapter, set_note };

static void save_and_load(const fixture *f)
{
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) OK(failing[i](f));
    OK(save_model(f));
    OK(load_model(f));
}

/* Every allocation of a step fails once. Returns how often the step was refused. */
static long fail_each(step *run, const fixture *f)
{
    const long before = blocks;
    long refused = 0;
    for (fail_at = 0;; fail_at++) {
        calls = 0;
        const peft_status s = run(f);
        ck_assert_int_eq(blocks, before);
        if (calls <= fail_at) break;
        refused += s != PEFT_OK;
        ck_assert_msg(s == PEFT_OK || s == PEFT_E_NOMEM, "allocation %ld: %s: %s", fail_at, peft_status_name(s),
                      peft_last_error());
    }
    fail_at = -1;
    return refused;
}

START_TEST(an_allocator_given_to_jansson_is_respected)
{
    char command[100];
    fixture f = { .folder = "/tmp/peft-jansson-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(f.folder));
    snprintf(f.hf, sizeof f.hf, "%s/hf", f.folder);
    snprintf(f.peft, sizeof f.peft, "%s/peft", f.folder);
    snprintf(f.model, sizeof f.model, "%s/model", f.folder);
    json_set_alloc_funcs(marked_alloc, marked_free);
    f.t = tiny_make(&(tiny_spec){ .method = "lora", .backbone = "image_size=16,patch=8,width=64,depth=1,heads=2,mlp=64,"
                                                                "eps=1e-12,seed=1" });
    OK(peft_context_set_log(f.t.ctx, NULL, NULL, 0));
    save_and_load(&f);
    long refused = 0;
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) refused += fail_each(failing[i], &f);
    ck_assert_int_gt(refused, 100);
    save_and_load(&f);
    tiny_free(&f.t);
    ck_assert_int_eq(blocks, 0);
    json_set_alloc_funcs(malloc, free);
    snprintf(command, sizeof command, "rm -rf %s", f.folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(utf8_is_valid_where_jansson_accepts_it)
{
    static const struct { const char *text; bool right; } cases[] = {
        { "", true }, { "plain", true }, { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", true }, { "\x80", false },
        { "\xc3", false }, { "\xc3(", false }, { "\xc0\xaf", false }, { "\xc1\xbf", false }, { "\xe0\x80\xaf", false },
        { "\xe0\xa0\x80", true }, { "\xed\x9f\xbf", true }, { "\xed\xa0\x80", false }, { "\xee\x80\x80", true },
        { "\xf0\x80\x80\xaf", false }, { "\xf4\x8f\xbf\xbf", true }, { "\xf4\x90\x80\x80", false },
        { "\xf5\x80\x80\x80", false }, { "\xff", false }, { "a\xe2\x82", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *by_jansson = json_string(cases[i].text);
        ck_assert_msg(pf_is_utf8(cases[i].text) == cases[i].right, "case %zu is taken for %s UTF-8", i,
                      cases[i].right ? "invalid" : "valid");
        ck_assert_int_eq(by_jansson != NULL, cases[i].right);
        json_decref(by_jansson);
    }
}
END_TEST

SUITE_MAIN("jansson_alloc", an_allocator_given_to_jansson_is_respected, utf8_is_valid_where_jansson_accepts_it)
