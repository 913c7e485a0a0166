/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- prints how many pictures of each format, size and number of bits a folder or zip has (pictures.h). */
#include "pictures.h"
#include "common/data/forms.h"
#include "common/data/image_options.h"
#include "common/program/errors.h"
#include "common/program/progress_line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_ERRORS = 3 };
typedef struct summary {
    form_list formats, endings, sizes, slices;
    picture_forms stored;
    pthread_mutex_t lock;                                     /* of add_forms; there is one thread */
    int64_t broken;
} summary;

/* Loads picture i; of a file of several slices, which are counted, the first, unless the options choose one. */
static peft_status load(summary *s, peft_context *ctx, const peft_dataset *d, int64_t i, const char *image_options,
                        bool is_file, peft_image **im)
{
    int64_t slices;
    char text[40], *options;
    const char *path = peft_dataset_name(d, i);
    const char *slice = find_image_option(image_options, "slice", strlen("slice"));
    const bool chosen = slice && strncmp(slice, "slice=none", strlen("slice=none"));
    if (!is_file || chosen || peft_image_slices(ctx, path, image_options, &slices) || slices < 2)
        return peft_dataset_load(d, i, im);
    snprintf(text, sizeof text, "%lld", (long long)slices);
    count_form(&s->slices, text);
    options = merge_image_options(image_options, "slice=0");
    const peft_status status = peft_image_load(ctx, path, options, im);
    free(options);
    return status;
}

/* The ending of a name with its dot, or "none". */
static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : "none";
}

static void add_picture(summary *s, peft_context *ctx, const peft_dataset *d, int64_t i, const char *image_options)
{
    const char *path = peft_dataset_name(d, i), *format = picture_format(path);     /* NULL: in a zip */
    peft_image *im;
    char size[80];
    const peft_status status = load(s, ctx, d, i, image_options, format, &im);
    if (status && s->broken++ < MOST_ERRORS) printf("  cannot be read: %s\n", peft_last_error());
    if (status) return;
    if (format) count_form(&s->formats, format);
    else count_form(&s->endings, ending_of(path));
    snprintf(size, sizeof size, "%lldx%lld %s", (long long)peft_image_height(im), (long long)peft_image_width(im),
             peft_image_channels(im) == 1 ? "grey" : "RGB");
    count_form(&s->sizes, size);
    add_forms(&s->stored, &s->lock, ctx, path, im);
    peft_image_free(im);
}

static void print_list(const char *title, const form_list *l)
{
    char text[1000];
    if (l->count) printf("  %s: %s\n", title, forms_text(l, text, sizeof text));
}

static void print_summary(summary *s)
{
    if (s->broken) printf("  cannot be read: %lld in all\n", (long long)s->broken);
    print_list("formats", &s->formats);
    print_list("formats by their endings", &s->endings);
    print_list("sizes (height x width)", &s->sizes);
    print_list("files of several slices, by their number", &s->slices);
    print_list("bits", &s->stored.bits);
    print_list("modalities", &s->stored.modalities);
    print_list("photometric", &s->stored.photometric);
    print_list("windows", &s->stored.windows);
    free_form_list(&s->formats);
    free_form_list(&s->endings);
    free_form_list(&s->sizes);
    free_form_list(&s->slices);
    free_forms(&s->stored);
}

/* Is the path a folder, or a .zip? */
static bool holds_pictures(const char *path)
{
    struct stat st;
    const size_t n = strlen(path);
    return !stat(path, &st) && (S_ISDIR(st.st_mode) || (n > 4 && !strcasecmp(path + n - 4, ".zip")));
}

bool inspect_folder(peft_context *ctx, const char *path, const char *image_options, bool *failed)
{
    peft_dataset *d, *with_options;
    if (!holds_pictures(path) || peft_dataset_open_pictures(ctx, path, &d)) return false;
    if (image_options) {
        if (peft_dataset_with_image_options(d, image_options, &with_options))
            fail("--image-options: %s; inspect --options lists them", peft_last_error());
        peft_dataset_free(d);
        d = with_options;
    }
    const int64_t count = peft_dataset_count(d);
    const char *skipped = peft_dataset_skipped(d);
    summary s = { .lock = PTHREAD_MUTEX_INITIALIZER };
    printf("%s: %lld picture%s%s%s\n", path, (long long)count, count == 1 ? "" : "s", *skipped ? "; not read: " : "",
           skipped);
    progress_line bar = start_progress("pictures", count);
    for (int64_t i = 0; i < count; i++) {
        add_picture(&s, ctx, d, i, image_options);
        show_progress(&bar, i + 1, 0, "");
    }
    hide_progress(&bar);
    *failed |= s.broken > 0;
    print_summary(&s);
    peft_dataset_free(d);
    return true;
}
