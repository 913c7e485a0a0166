/* SPDX-License-Identifier: Apache-2.0
 * config.c -- configuration files beside the weights of a backbone. The first byte of the input chooses which. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "config.json", "open_clip_config.json", "preprocessor_config.json" };
    const char *name = names[fuzz_choice(&data, &size, 3)];
    char path[512];
    peft_backbone *b;
    fuzz_must(peft_backbone_save(fuzz_backbone(), fuzz_path("model.safetensors")));
    snprintf(path, sizeof path, "%s", fuzz_write(name, data, size));
    if (fuzz_valid(peft_backbone_load(fuzz_context(), fuzz_path("model.safetensors"), NULL, &b))) peft_backbone_free(b);
    remove(path);
    return 0;
}
