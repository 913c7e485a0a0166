/* SPDX-License-Identifier: Apache-2.0
 * hf_config.c -- adapter_config.json of a Hugging Face PEFT directory, beside the weights of a LoRA. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool saved;
    peft_adapter *a;
    if (!saved) {
        fuzz_path("");                                   /* makes the folder */
        peft_model *m = fuzz_model("lora", "r=1", &a);
        fuzz_must(peft_adapter_save_hf(a, fuzz_path(""), NULL));
        peft_adapter_free(a);
        peft_model_free(m);
        saved = true;
    }
    fuzz_write("adapter_config.json", data, size);
    if (fuzz_valid(peft_adapter_load_hf(fuzz_backbone(), fuzz_path(""), &a))) peft_adapter_free(a);
    return 0;
}
