/* SPDX-License-Identifier: Apache-2.0
 * input_files.c -- refuses to write over a file that loading a backbone or a model reads (input_files.h). */
#include "input_files.h"
#include "common/backbone/weights.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The output, which exists. */
typedef struct output { const char *flag, *path; struct stat st; } output;

static const char *const descriptions[] = { "config.json", "open_clip_config.json", "preprocessor_config.json",
                                            "processor_config.json", NULL };
static const char *const adapter_files[] = { "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin",
                                             NULL };

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_output(const output *o, const char *input)
{
    struct stat st;
    return !stat(input, &st) && st.st_dev == o->st.st_dev && st.st_ino == o->st.st_ino;
}

static void compare(const output *o, const char *input)
{
    if (is_output(o, input))
        fail("--%s %s: this command reads the file (%s), and input files are never written over; give another path",
             o->flag, o->path, input);
}

/* Compares the output with the files in the folder that have one of these names. */
static void compare_named(const output *o, const char *folder, const char *const *names)
{
    char *input;
    for (; *names; names++) {
        if (asprintf(&input, "%s/%s", folder, *names) < 0) fail("out of memory");
        compare(o, input);
        free(input);
    }
}

/* The text of a file up to a zero byte, to be freed; NULL: it cannot be read. */
static char *text_of(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    if (getdelim(&text, &size, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    fclose(f);
    return text;
}

/* Compares the output with the files of the folder whose names are texts in the index of shards. */
static void compare_shards(const output *o, const char *folder, const char *index)
{
    char *text = text_of(index), *input, *quoted;
    DIR *d = text ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (asprintf(&input, "%s/%s", folder, e->d_name) < 0 || asprintf(&quoted, "\"%s\"", e->d_name) < 0)
            fail("out of memory");
        if (is_output(o, input) && strstr(text, quoted)) compare(o, input);
        free(input);
        free(quoted);
    }
    if (d) closedir(d);
    free(text);
}

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && !strcmp(path + n - m, end);
}

/* The descriptions: those beside the weights, or what the option config names. */
static void compare_descriptions(const output *o, const char *folder, const char *options)
{
    settings s = read_settings(options, "--backbone-options");
    const char *config = find_setting(&s, "config");
    if (!config || !strcmp(config, "auto")) compare_named(o, folder, descriptions);
    else if (is_folder(config)) compare_named(o, config, descriptions);
    else compare(o, config);
    free_settings(&s);
}

void check_not_input(const char *flag, const char *path, const input_files *in)
{
    output o = { .flag = flag, .path = path };
    if (stat(path, &o.st)) return;
    if (in->model && is_folder(in->model)) compare_named(&o, in->model, adapter_files);
    else if (in->model) compare(&o, in->model);
    if (!in->backbone) return;
    char *file = weights_file(in->backbone);
    if (!file) {                                              /* a .npz file, which is read alone */
        compare(&o, in->backbone);
        return;
    }
    const char *slash = strrchr(file, '/');
    char *folder = check_alloc(slash ? strndup(file, (size_t)(slash - file) + 1) : strdup("."));
    compare(&o, file);
    if (ends_in(file, ".index.json")) compare_shards(&o, folder, file);
    compare_descriptions(&o, folder, in->backbone_options);
    free(folder);
    free(file);
}

void check_not_record(const char *flag, const char *path, const char *folder)
{
    output o = { .flag = flag, .path = path };
    char *input;
    if (stat(path, &o.st)) return;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!ends_in(e->d_name, ".csv")) continue;
        if (asprintf(&input, "%s/%s", folder, e->d_name) < 0) fail("out of memory");
        compare(&o, input);
        free(input);
    }
    if (d) closedir(d);
}
