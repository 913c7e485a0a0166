/* SPDX-License-Identifier: Apache-2.0
 * forms.c -- counts how pictures are stored (forms.h). */
#include "forms.h"
#include "common/program/errors.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void count_form(form_list *l, const char *given)
{
    const char *text = *given ? given : "not given";
    int64_t i = 0;
    while (i < l->count && strcmp(l->item[i].text, text)) i++;
    if (i == l->count) {
        l->item = grow_by_one(l->item, l->count, sizeof *l->item);
        l->item[l->count++] = (picture_form){ check_alloc(strdup(text)), 0 };
    }
    l->item[i].count++;
}

const char *picture_format(const char *path)
{
    char head[4096];
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return NULL;
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    const size_t size = fread(head, 1, sizeof head, in);
    fclose(in);
    return peft_image_format(head, size);
}

const char *depth_text(const peft_image *im, char *text)
{
    const int depth = peft_image_depth(im);
    snprintf(text, DEPTH_SIZE, "%s%d bits", depth == PEFT_FLOAT_32 ? "float of " : depth < 0 ? "signed " : "",
             abs(depth));
    return text;
}

void add_forms(picture_forms *f, pthread_mutex_t *lock, peft_context *ctx, const char *path, const peft_image *im)
{
    peft_dicom_header *h = NULL;
    char text[DEPTH_SIZE];
    const char *format = picture_format(path);
    const bool dicom = format && !strcmp(format, "DICOM") && !peft_dicom_header_read(ctx, path, &h);
    pthread_mutex_lock(lock);
    count_form(&f->bits, dicom ? peft_dicom_header_text(h, "bits") : depth_text(im, text));
    if (dicom) count_form(&f->photometric, peft_dicom_header_text(h, "photometric"));
    if (dicom) count_form(&f->modalities, peft_dicom_header_text(h, "modality"));
    if (dicom && *peft_dicom_header_text(h, "windows")) count_form(&f->windows, peft_dicom_header_text(h, "windows"));
    pthread_mutex_unlock(lock);
    peft_dicom_header_free(h);
}

static int most_first(const void *a, const void *b)
{
    const picture_form *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->text, y->text);
}

const char *forms_text(const form_list *l, char *text, size_t size)
{
    enum { NAMED = 4 };
    size_t used = 0;
    *text = 0;
    if (l->count) qsort(l->item, (size_t)l->count, sizeof *l->item, most_first);
    for (int64_t i = 0; i < l->count && i < NAMED && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.60s (%lld)", i ? ", " : "", l->item[i].text,
                                 (long long)l->item[i].count);
    if (l->count > NAMED && used < size)
        snprintf(text + used, size - used, ", %lld more", (long long)(l->count - NAMED));
    return text;
}

void warn_of_forms(const picture_forms *f)
{
    static bool warned;
    const struct { const char *title; const form_list *forms; } row[] = {
        { "bits", &f->bits }, { "photometric interpretation", &f->photometric }, { "windows", &f->windows } };
    char all[1400] = "", text[400];
    size_t used = 0;
    for (size_t i = 0; i < sizeof row / sizeof *row && used < sizeof all; i++)
        if (row[i].forms->count > 1)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s: %s", used ? "; " : "", row[i].title,
                                     forms_text(row[i].forms, text, sizeof text));
    if (!*all || warned) return;
    warned = true;
    warn("the pictures are not stored alike: %s. If the classes differ in this, the model may learn it in place of the "
         "finding; the same brightness may stand for different values%s", all,
         f->windows.count > 1 ? " (--image-options window=none with --preprocess range=LO:HI reads the values of DICOM "
                                "files alike)" : "");
}

void free_form_list(form_list *l)
{
    for (int64_t i = 0; i < l->count; i++) free(l->item[i].text);
    free(l->item);
}

void free_forms(picture_forms *f)
{
    free_form_list(&f->bits);
    free_form_list(&f->photometric);
    free_form_list(&f->windows);
    free_form_list(&f->modalities);
}
