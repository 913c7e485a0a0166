/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- finds the weights file of a path and loads the backbone (weights.h). */
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

/* Path of the weights file in a folder, to be freed; NULL: the folder has none of the usual names. */
static char *weights_in(const char *folder)
{
    static const char *const file_names[] = {
        "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin" };
    char *path;
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        if (asprintf(&path, "%s/%s", folder, file_names[i]) < 0) fail("out of memory");
        if (!access(path, F_OK)) return path;
        free(path);
    }
    return NULL;
}

bool has_weights(const char *folder)
{
    char *path = weights_in(folder);
    const bool found = path;
    free(path);
    return found;
}

/* Path of the weights file, which is path itself or lies in the folder path; to be freed. Fails if there is none. */
static char *find_weights(const char *path)
{
    struct stat st;
    if (stat(path, &st)) fail("backbone %s: %s; give a safetensors file, a file of PyTorch, a folder with "
                              "model.safetensors or pytorch_model.bin, or a .npz file of Google's ViT", path,
                              strerror(errno));
    if (!S_ISDIR(st.st_mode)) return check_alloc(strdup(path));
    char *file = weights_in(path);
    if (!file) fail("backbone %s: no model.safetensors or pytorch_model.bin in this folder; give the path of the file "
                    "of weights", path);
    return file;
}

void check_backbone(const char *path) { free(find_weights(path)); }

static bool is_npz(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".npz");
}

char *weights_file(const char *path)
{
    char *file = find_weights(path);
    if (!is_npz(file)) return file;
    free(file);
    return NULL;
}

static char *convert_npz(peft_context *ctx, const char *npz)  /* path of a temporary safetensors file, to be freed */
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/%s-XXXXXX", folder && *folder ? folder : "/tmp", program_name) < 0) fail("out of memory");
    int fd = mkstemp(path);
    if (fd < 0) fail("%s: %s; this temporary file is needed to convert %s, set TMPDIR to a folder for it", path,
                     strerror(errno), npz);
    close(fd);
    peft_status s = peft_npz_to_safetensors(ctx, npz, path);
    if (s) remove(path);
    must(s);
    return path;
}

/* Ends the program if image_size in --backbone-options differs from the sides that are used, which replace it. */
static void check_image_size(const char *options, image_sides used)
{
    char text[SIDES_TEXT];
    settings s = read_settings(options, "--backbone-options");
    const char *size = find_setting(&s, "image_size");
    const image_sides wanted = parse_sides(size, "--backbone-options image_size");
    if (wanted.height && !same_sides(wanted, used))
        fail("--backbone-options image_size=%s: the images have the sides %s, by the model's file, --image-size or "
             "--preprocess; leave image_size out, or give image_size=%s", size, sides_text(text, used), text);
    free_settings(&s);
}

peft_status try_load_backbone(peft_context *ctx, const char *path, image_sides sides, const char *options,
                              peft_backbone **out)
{
    char *file = find_weights(path);
    const bool npz = is_npz(file);
    if (npz) {
        char *temporary = convert_npz(ctx, file);
        free(file);
        file = temporary;
    }
    char text[SIDES_TEXT];
    peft_options *o = options_from_text(ctx, options);
    if (sides.height) check_image_size(options, sides);
    if (sides.height) must(peft_options_set_string(o, "image_size", sides_text(text, sides)));
    peft_status s = peft_backbone_load(ctx, file, o, out);
    if (npz) remove(file);                                    /* the backbone can still read its mapping of the file */
    peft_options_free(o);
    free(file);
    return s;
}

peft_backbone *load_backbone(peft_context *ctx, const char *path, image_sides sides, const char *options)
{
    peft_backbone *b;
    must(try_load_backbone(ctx, path, sides, options, &b));
    return b;
}

bool is_int8_backbone(const peft_backbone *b)
{
    for (size_t i = 0; i < peft_backbone_tensor_count(b); i++)
        if (peft_tensor_dtype(peft_backbone_tensor(b, i)) == PEFT_I8) return true;
    return false;
}
