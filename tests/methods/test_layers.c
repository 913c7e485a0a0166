/* SPDX-License-Identifier: Apache-2.0
 * test_layers.c -- which blocks the methods partial and lora train: lists, and layers that a seed draws. */
#include <math.h>
#include "tiny_files.h"

enum { DEPTH = 12 };
#define BACKBONE "image_size=16,patch=8,width=8,mlp=8,depth=12,heads=2"

typedef struct { peft_context *ctx; peft_backbone *b; } place;
static place make_place(void)
{
    peft_context *ctx = tiny_plain_context();
    return (place){ ctx, tiny_backbone(ctx, BACKBONE, NULL) };
}

static void leave(place p)
{
    peft_backbone_free(p.b);
    peft_context_free(p.ctx);
}

__attribute__((format(printf, 3, 4)))
static peft_adapter *adapter(place p, const char *method, const char *format, ...)
{
    char text[120];
    peft_adapter *a;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    peft_options *o = tiny_options(p.ctx, "%s", text);
    OK(peft_adapter_create(p.b, method, o, &a));
    peft_options_free(o);
    return a;
}

/* The blocks of which the adapter has tensors, as bits. */
static unsigned blocks_of(const peft_adapter *a)
{
    unsigned set = 0;
    for (size_t i = 0; i < a->params.count; i++) {
        int block;
        if (sscanf(a->params.item[i]->name, "blocks.%d.", &block) == 1) set |= 1u << block;
    }
    return set;
}

static int count_bits(unsigned set)
{
    int n = 0;
    for (; set; set &= set - 1) n++;
    return n;
}

START_TEST(partial_trains_the_listed_blocks_and_parts)
{
    static const struct { const char *options; unsigned blocks; int a_block, outside; } rows[] = {
        { "blocks=2", 0xc00, 12, 2 }, { "layers=last", 0x800, 12, 2 }, { "layers=[0,3]", 0x009, 12, 2 },
        { "layers=all", 0xfff, 12, 2 }, { "layers=\"1,6-8\",part=attention", 0x1c2, 4, 0 },
        { "part=attention,blocks=3", 0xe00, 4, 0 } };
    place p = make_place();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_adapter *a = adapter(p, "partial", "%s", rows[i].options);
        ck_assert_msg(blocks_of(a) == rows[i].blocks, "%s: blocks %x", rows[i].options, blocks_of(a));
        ck_assert_uint_eq(a->params.count, (size_t)(count_bits(rows[i].blocks) * rows[i].a_block + rows[i].outside));
        for (size_t k = 0; k < a->params.count && !rows[i].outside; k++)
            ck_assert(strstr(a->params.item[k]->name, ".attn.qkv.") || strstr(a->params.item[k]->name, ".attn.proj."));
        peft_adapter_free(a);
    }
    leave(p);
}
END_TEST

/* COUNT distinct blocks for each seed, whatever the context's seed; over many seeds each block is chosen as often as
 * the others: n draws choose a block about n COUNT / DEPTH times, with a binomial deviation. */
START_TEST(a_seed_draws_blocks)
{
    enum { SEEDS = 600, COUNT = 4 };
    int chosen[DEPTH] = { 0 };
    place p = make_place();
    for (int seed = 0; seed < SEEDS; seed++) {
        peft_adapter *a = adapter(p, "lora", "r=1,targets=attn.q,layers=random:%d:%d", COUNT, seed);
        const unsigned set = blocks_of(a);
        ck_assert_int_eq(count_bits(set), COUNT);
        for (int l = 0; l < DEPTH; l++) chosen[l] += set >> l & 1;
        peft_adapter_free(a);
        if (seed % 100) continue;
        OK(peft_context_set_seed(p.ctx, 1000 + (uint64_t)seed));
        a = adapter(p, "partial", "part=attention,layers=random:%d:%d", COUNT, seed);
        ck_assert_uint_eq(blocks_of(a), set);
        peft_adapter_free(a);
        OK(peft_context_set_seed(p.ctx, 7));
    }
    const double share = (double)COUNT / DEPTH, deviation = sqrt(SEEDS * share * (1 - share));
    for (int l = 0; l < DEPTH; l++)
        ck_assert_msg(fabs(chosen[l] - SEEDS * share) <= 5 * deviation, "block %d: %d times, expected about %g", l,
                      chosen[l], SEEDS * share);
    leave(p);
}
END_TEST

START_TEST(a_file_has_the_drawn_blocks_alone)
{
    place p = make_place();
    peft_adapter *a = adapter(p, "partial", "part=attention,layers=random:3:9"), *loaded;
    OK(peft_adapter_save(a, tiny_path("adapter")));
    OK(peft_adapter_load(p.b, tiny_path("adapter"), &loaded));
    ck_assert_uint_eq(blocks_of(loaded), blocks_of(a));
    ck_assert_uint_eq(loaded->params.count, 3 * 4);
    ck_assert_str_eq(peft_adapter_option_value(loaded, "layers"), "random:3:9");
    peft_adapter_free(loaded);
    peft_adapter_free(a);
    leave(p);
    tiny_clean();
}
END_TEST

START_TEST(other_forms_are_refused)
{
    static const char *const wrong[] = { "layers=random:0:1", "layers=random:13:1", "layers=random:3", "layers=random",
                                         "layers=random:3:-1", "layers=random:3:1x", "layers=\"random:3:1,2\"",
                                         "layers=12" };
    place p = make_place();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        peft_adapter *a;
        peft_options *o = tiny_options(p.ctx, "%s", wrong[i]);
        FAILS(PEFT_E_OPTION, "random:COUNT:SEED", peft_adapter_create(p.b, "partial", o, &a));
        peft_options_free(o);
    }
    peft_adapter *a;
    peft_options *o = tiny_options(p.ctx, "part=norms");
    FAILS(PEFT_E_OPTION, "block or attention", peft_adapter_create(p.b, "partial", o, &a));
    peft_options_free(o);
    o = tiny_options(p.ctx, "blocks=2,layers=all");
    FAILS(PEFT_E_OPTION, "layers=last", peft_adapter_create(p.b, "partial", o, &a));
    peft_options_free(o);
    leave(p);
}
END_TEST

SUITE_MAIN("layers", partial_trains_the_listed_blocks_and_parts, a_seed_draws_blocks,
           a_file_has_the_drawn_blocks_alone, other_forms_are_refused)
