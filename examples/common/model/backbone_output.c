/* SPDX-License-Identifier: Apache-2.0
 * backbone_output.c -- checks the path that a program is to write a backbone to (backbone_output.h). */
#include "backbone_output.h"
#include "common/files/output.h"
#include "common/model/weights.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

void check_backbone_output(const char *out, const char *naming, bool force, const char *backbone, const char *model)
{
    struct stat st;
    const char *const inputs[] = { backbone, model };
    const bool folder = !strncmp(naming, "hf", strlen("hf")) && !ends_in(out, ".safetensors");
    char *file;
    if (!folder || stat(out, &st) || !S_ISDIR(st.st_mode)) {
        check_output("out", out, force, inputs, 2);
        return;
    }
    if (asprintf(&file, "%s/model.safetensors", out) < 0) fail("out of memory");
    char *backbone_file = weights_file(backbone);
    check_output("out", file, force, (const char *const[]){ backbone_file, model }, 2);
    free(backbone_file);
    free(file);
}
