/* SPDX-License-Identifier: Apache-2.0
 * hf_config.c -- a directory of Hugging Face's PEFT. The first byte of the input chooses its tensors: those that an
 * adapter of each method was saved with; or those of the input, behind its first byte 0, as a safetensors file or a
 * PyTorch file. The rest of the input is adapter_config.json. */
#include "fuzz/fuzz.h"
#include <sys/stat.h>

static const char *const methods[][2] = { { "lora", "r=1,dora=true" }, { "ia3", "" }, { "ln_tune", "" },
                                          { "vera", "r=2" }, { "oft", "block_size=4" } };
enum { METHODS = sizeof methods / sizeof *methods, SAFETENSORS = METHODS, TORCH, KINDS };

static const char *folder_of(size_t kind)
{
    char name[16];
    snprintf(name, sizeof name, "%zu", kind);
    return fuzz_path(name);
}

static void make_folders(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        peft_adapter *a;
        if (mkdir(folder_of(i), 0700)) abort();
        if (i >= METHODS) continue;
        peft_options *o = fuzz_options(methods[i][1]);
        fuzz_must(peft_adapter_create(fuzz_backbone(), methods[i][0], o, &a));
        fuzz_must(peft_adapter_save_hf(a, folder_of(i), NULL));
        peft_options_free(o);
        peft_adapter_free(a);
    }
}

static void write_in(size_t kind, const char *file, const void *data, size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "%zu/%s", kind, file);
    fuzz_write(name, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    peft_adapter *a;
    peft_model *m;
    const size_t kind = fuzz_choice(&data, &size, KINDS);
    const uint8_t *zero = kind < METHODS || !size ? NULL : memchr(data, 0, size);
    const size_t config = zero ? (size_t)(zero - data) : size, tensors = zero ? config + 1 : size;
    if (!made) make_folders();
    made = true;
    if (kind >= METHODS)
        write_in(kind, kind == TORCH ? "adapter_model.bin" : "adapter_model.safetensors", data + tensors,
                 size - tensors);
    write_in(kind, "adapter_config.json", data, config);
    if (fuzz_valid(peft_adapter_load_hf(fuzz_backbone(), folder_of(kind), &a))) peft_adapter_free(a);
    if (fuzz_valid(peft_model_load_hf(fuzz_backbone(), folder_of(kind), &m))) peft_model_free(m);
    return 0;
}
