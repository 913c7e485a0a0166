/* SPDX-License-Identifier: Apache-2.0
 * state.c -- a saved state of a trainer or of an adaptor. One trainer and one adaptor restore all inputs, as an
 * object that refused a file must stay usable. */
#include "fuzz/fuzz.h"

static peft_adapter *adapter;
static peft_trainer *trainer;
static peft_adaptor *adaptor;

static void make(void)
{
    peft_options *o = fuzz_options("batch=2");
    peft_model *m = fuzz_model("lora", "r=1", &adapter);
    fuzz_must(peft_trainer_create(m, o, &trainer));
    peft_options_free(o);
    o = fuzz_options("kind=tent,batch=2");
    fuzz_must(peft_adaptor_create(m, o, &adaptor));
    peft_options_free(o);
    peft_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!trainer) make();
    const char *path = fuzz_write("state.safetensors", data, size);
    fuzz_valid(peft_trainer_restore(trainer, path));
    fuzz_valid(peft_adaptor_restore(adaptor, path));
    return 0;
}
