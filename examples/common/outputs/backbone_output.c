/* SPDX-License-Identifier: Apache-2.0
 * backbone_output.c -- checks the path that a program is to write a backbone to (backbone_output.h). */
#include "backbone_output.h"
#include "common/files/output.h"
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

void check_backbone_output(const char *out, const char *naming, bool force, const input_files *in)
{
    static const char *const written[] = { "model.safetensors", "config.json", "preprocessor_config.json" };
    struct stat st;
    const char *const inputs[] = { in->backbone, in->model };
    const bool folder = !strncmp(naming, "hf", strlen("hf")) && !ends_in(out, ".safetensors");
    if (!folder || stat(out, &st) || !S_ISDIR(st.st_mode)) {
        check_output("out", out, force, inputs, 2);
        check_not_input("out", out, in);
        return;
    }
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        char *file;
        if (asprintf(&file, "%s/%s", out, written[i]) < 0) fail("out of memory");
        if (!i) check_output("out", file, force, inputs, 2);
        check_not_input("out", file, in);
        free(file);
    }
}
