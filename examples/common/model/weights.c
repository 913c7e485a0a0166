/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- see weights.h. */
#include "weights.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <errno.h>
#include <peft/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The weights in a folder; NULL: none of a usual name. To be freed. */
static char *weights_in(const char *folder)
{
    static const char *const usual[] = { "model.safetensors", "open_clip_model.safetensors" };
    char *path;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (asprintf(&path, "%s/%s", folder, usual[i]) < 0) fail("out of memory");
        if (!access(path, F_OK)) return path;
        free(path);
    }
    return NULL;
}

static char *resolve(const char *path)                        /* to be freed */
{
    struct stat st;
    if (stat(path, &st)) fail("backbone %s: %s; expected a safetensors file, a folder with model.safetensors, or "
                              "Google's .npz", path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return need(strdup(path));
    char *file = weights_in(path);
    if (!file) fail("backbone %s: no model.safetensors in this folder; give the path of the safetensors file", path);
    return file;
}

void check_backbone(const char *path) { free(resolve(path)); }

static bool is_npz(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".npz");
}

char *weights_file(const char *path)
{
    char *file = resolve(path);
    if (!is_npz(file)) return file;
    free(file);
    return NULL;
}

static char *converted(peft_context *ctx, const char *npz)    /* path of a temporary file, to be freed */
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/%s-XXXXXX", folder && *folder ? folder : "/tmp", program_name) < 0) fail("out of memory");
    int fd = mkstemp(path);
    if (fd < 0) fail("%s: %s; it is to hold what is in %s as a safetensors file", path, strerror(errno), npz);
    close(fd);
    peft_status s = peft_npz_to_safetensors(ctx, npz, path);
    if (s) remove(path);
    must(s);
    return path;
}

peft_status try_load_backbone(peft_context *ctx, const char *path, int64_t image_size, const char *facts,
                              peft_backbone **out)
{
    char *file = resolve(path);
    const bool npz = is_npz(file);
    if (npz) {
        char *made = converted(ctx, file);
        free(file);
        file = made;
    }
    peft_options *o = options_from(ctx, facts);
    if (image_size) must(peft_options_set_int(o, "image_size", image_size));
    peft_status s = peft_backbone_load(ctx, file, o, out);
    if (npz) remove(file);                                    /* what is mapped of it stays readable */
    peft_options_free(o);
    free(file);
    return s;
}

peft_backbone *load_backbone(peft_context *ctx, const char *path, int64_t image_size, const char *facts)
{
    peft_backbone *b;
    must(try_load_backbone(ctx, path, image_size, facts, &b));
    return b;
}
