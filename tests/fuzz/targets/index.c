/* SPDX-License-Identifier: Apache-2.0
 * index.c -- the index of a model in shards, model.safetensors.index.json, beside one shard with the whole backbone and
 * one with the tensors of an adapter. */
#include "fuzz/fuzz.h"

static void save_shards(void)
{
    peft_adapter *a;
    peft_options *o = fuzz_options("r=1");
    fuzz_must(peft_backbone_save(fuzz_backbone(), fuzz_path("model-00001-of-00001.safetensors")));
    fuzz_must(peft_adapter_create(fuzz_backbone(), "lora", o, &a));
    fuzz_must(peft_adapter_save(a, fuzz_path("other.safetensors")));
    peft_options_free(o);
    peft_adapter_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool saved;
    peft_backbone *b;
    if (!saved) save_shards();
    saved = true;
    const char *path = fuzz_write("model.safetensors.index.json", data, size);
    if (fuzz_valid(peft_backbone_load(fuzz_context(), path, NULL, &b))) peft_backbone_free(b);
    return 0;
}
