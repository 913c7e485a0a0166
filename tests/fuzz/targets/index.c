/* SPDX-License-Identifier: Apache-2.0
 * index.c -- the index of a model in shards, model.safetensors.index.json, beside one shard. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool saved;
    peft_backbone *b;
    if (!saved) fuzz_must(peft_backbone_save(fuzz_backbone(), fuzz_path("model-00001-of-00001.safetensors")));
    saved = true;
    const char *path = fuzz_write("model.safetensors.index.json", data, size);
    if (fuzz_valid(peft_backbone_load(fuzz_context(), path, NULL, &b))) peft_backbone_free(b);
    return 0;
}
