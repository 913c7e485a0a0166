/* SPDX-License-Identifier: Apache-2.0
 * config.c -- configuration files beside the weights of a backbone. The first byte of the input chooses the file, and
 * whether the backbone is loaded or its configuration read alone, which is several times as fast. */
#include "fuzz/fuzz.h"
#include <sys/stat.h>
#include "core/weights/load/load.h"

/* Choices below FILES load the backbone, the others read the configuration alone. So do all of OPEN_CLIP: its file is
 * read beside weights of open_clip only. */
enum { OPEN_CLIP = 1, FILES = 3, CHOICES = 4 * FILES };
static const char *const names[FILES] = { "config.json", "open_clip_config.json", "preprocessor_config.json" };
static char weights[FILES][512];                         /* one folder each: the files of a folder are read together */

static void save_weights(void)
{
    for (int i = 0; i < FILES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%d", i);
        if (mkdir(fuzz_path(name), 0700)) abort();
        snprintf(name, sizeof name, "%d/model.safetensors", i);
        snprintf(weights[i], sizeof weights[i], "%s", fuzz_path(name));
        fuzz_must(peft_backbone_save(fuzz_backbone(), weights[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];
    peft_backbone *b;
    const size_t choice = fuzz_choice(&data, &size, CHOICES), file = choice % FILES;
    if (!*weights[0]) save_weights();
    snprintf(name, sizeof name, "%zu/%s", file, names[file]);
    fuzz_write(name, data, size);
    if (choice < FILES && file != OPEN_CLIP) {
        if (fuzz_valid(peft_backbone_load(fuzz_context(), weights[file], NULL, &b))) peft_backbone_free(b);
        return 0;
    }
    static const pf_naming own_file = { .config_file = "open_clip_config.json" };
    pf_loader l = { .ctx = fuzz_context(), .families = pf_all_families, .naming = &own_file };
    fuzz_valid(pf_config_read(&l, weights[file], &l.config));
    pf_config_free(&l.config);
    return 0;
}
