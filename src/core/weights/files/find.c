/* SPDX-License-Identifier: Apache-2.0
 * find.c -- finds the weights file in a folder, by the names that Hugging Face's libraries and open_clip use. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/format/folder.h"
#include "core/weights/files/files.h"

/* The first that exists is taken. */
static const char *const names[] = {
    "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin" };
#define NAMES (sizeof names / sizeof *names)

static peft_status not_found(const char *folder)
{
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
    char list[256];
    size_t used = 0;
    for (size_t i = 0; i < NAMES; i++)
        if (!strcmp(last, names[i]))
            return pf_fail(PEFT_E_IO, "%s: is a folder; a file of weights is expected under this name", folder);
    for (size_t i = 0; i < NAMES; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i + 1 == NAMES ? " or " : i ? ", " : "",
                                 names[i]);
    return pf_fail(PEFT_E_IO, "%s: is a folder without a file of weights; expected %s, or the path of the file itself",
                   folder, list);
}

peft_status pf_weights_find(peft_context *ctx, const char *path, char **file)
{
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) return (*file = pf_strdup(ctx, path)) ? PEFT_OK : PEFT_E_NOMEM;
    for (size_t i = 0; i < NAMES; i++) {
        if (!(*file = pf_path_join(ctx, path, names[i]))) return PEFT_E_NOMEM;
        if (!access(*file, F_OK)) return PEFT_OK;
        pf_free(ctx, *file);
    }
    return not_found(path);
}
