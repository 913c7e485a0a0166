/* SPDX-License-Identifier: Apache-2.0
 * text.c -- texts that users write: a transform, options of a trainer, and those of a few methods. The first byte of
 * the input chooses which. */
#include "fuzz/fuzz.h"

static const char *const methods[] = { "lora", "ept", "vpt", "e2vpt", "fpt", "vera", "oft", "ia3", "apt", "vfpt" };
enum { TRANSFORM, TRAINER, FIRST_METHOD, READERS = FIRST_METHOD + sizeof methods / sizeof *methods };

static void options_of(const char *text, size_t method)
{
    peft_options *o;
    peft_adapter *a;
    fuzz_must(peft_options_create(fuzz_context(), &o));
    const bool parsed = fuzz_valid(peft_options_parse(o, text));
    if (parsed && fuzz_valid(peft_adapter_create(fuzz_backbone(), methods[method], o, &a))) peft_adapter_free(a);
    peft_options_free(o);
}

static void trainer_of(const char *text)
{
    static peft_model *m;
    static peft_adapter *a;
    peft_trainer *t;
    peft_options *o;
    if (!m) m = fuzz_model("lora", "r=1", &a);
    fuzz_must(peft_options_create(fuzz_context(), &o));
    if (fuzz_valid(peft_options_parse(o, text)) && fuzz_valid(peft_trainer_create(m, o, &t))) peft_trainer_free(t);
    peft_options_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peft_transform *tf;
    const size_t reader = fuzz_choice(&data, &size, READERS);
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (reader == TRANSFORM) {
        if (fuzz_valid(peft_transform_parse(fuzz_context(), text, &tf))) peft_transform_free(tf);
    } else if (reader == TRAINER) trainer_of(text);
    else options_of(text, reader - FIRST_METHOD);
    free(text);
    return 0;
}
