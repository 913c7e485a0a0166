/* SPDX-License-Identifier: Apache-2.0
 * map_files.c -- the files of segmented pictures (map_files.h): paths, masks and overlays. */
#include "map_files.h"
#include "common/figures/picture.h"
#include "common/program/errors.h"
#include "common/segment/mask_folders.h"
#include "common/segment/overlay.h"
#include "common/segment/palette.h"
#include "dicom_files.h"
#include "predict/command_line.h"
#include <stdlib.h>
#include <string.h>

struct map_files {
    const loaded_model *model;
    const inputs *in;
    mask_paths pictures;                                      /* of the overlay of each picture */
    mask_paths masks;                                         /* [pictures], of several labels [pictures, classes] */
    int64_t masks_each;                                       /* masks of a picture: 1, or the number of labels */
    dicom_files *dicom;                                       /* NULL: no segmentations */
};

/* Masks of several labels lie in a folder for each. */
static void check_label_names(const loaded_model *s)
{
    for (int64_t c = 0; c < s->classes; c++)
        if (!*s->names[c] || strchr(s->names[c], '/') || !strcmp(s->names[c], ".") || !strcmp(s->names[c], ".."))
            fail("--save-masks: has a folder for each label, and '%s' cannot be the name of one; give other names by "
                 "--class-names", s->names[c]);
}

/* "LABEL/PATH" for each label of each picture. */
static mask_paths paths_of_labels(const loaded_model *s, const mask_paths *pictures)
{
    mask_paths m = { pictures->count * s->classes, NULL };
    m.path = check_alloc(malloc(((size_t)m.count + 1) * sizeof *m.path));
    for (int64_t i = 0; i < m.count; i++)
        if (asprintf(&m.path[i], "%s/%s", s->names[i % s->classes], pictures->path[i / s->classes]) < 0)
            fail("out of memory");
    return m;
}

/* Finds the folders of the flags that are given, and makes them. picture [in->count]: the names of the pictures. */
static void prepare_folders(const map_files *f, const char **picture)
{
    const int64_t masks = f->in->count * f->masks_each;
    const char **of_mask = check_alloc(malloc(((size_t)masks + 1) * sizeof *of_mask));
    for (int64_t i = 0; i < masks; i++) of_mask[i] = picture[i / f->masks_each];
    const flag_name shown[] = { name_of_flag(&given[save_masks]), name_of_flag(&given[save_overlays]),
                                name_of_flag(&given[save_segmentations]) };
    const mask_folder all[] = {
        { shown[0].text, given[save_masks].value, "png", &f->masks, of_mask },
        { shown[1].text, given[save_overlays].value, "png", &f->pictures, picture },
        { shown[2].text, given[save_segmentations].value, "dcm", dicom_paths(f->dicom), dicom_names(f->dicom) } };
    enum { KINDS = sizeof all / sizeof *all };
    mask_folder folder[KINDS];
    int folders = 0;
    for (int k = 0; k < KINDS; k++)
        if (all[k].path) folder[folders++] = all[k];
    prepare_mask_folders(folder, folders, picture, f->in->count, given[force].value || given[resume].value);
    free(of_mask);
}

map_files *prepare_map_files(const loaded_model *s, const inputs *in)
{
    const bool several = s->multilabel && s->classes > 1;
    map_files *f = check_alloc(calloc(1, sizeof *f));
    *f = (map_files){ .model = s, .in = in, .masks_each = several ? s->classes : 1 };
    if (several && given[save_masks].value) check_label_names(s);
    const char **picture = check_alloc(malloc(((size_t)in->count + 1) * sizeof *picture));
    for (int64_t i = 0; i < in->count; i++) picture[i] = input_name(in, i);
    f->pictures = find_mask_paths(picture, in->count);
    f->masks = several ? paths_of_labels(s, &f->pictures) : find_mask_paths(picture, in->count);
    if (given[save_segmentations].value) f->dicom = plan_dicom_files(s, in);
    prepare_folders(f, picture);
    free(picture);
    return f;
}

void free_map_files(map_files *f)
{
    if (!f) return;
    free_mask_paths(&f->pictures);
    free_mask_paths(&f->masks);
    free_dicom_files(f->dicom);
    free(f);
}

/* label [height, width]: 1 where pixels have label c; of one class for each pixel the classes themselves. The value of
 * those that have it: `value`. */
static void take_label(const pixel_labels *m, int64_t c, uint8_t value, uint8_t *label)
{
    for (int64_t k = 0; k < m->width * m->height; k++)
        label[k] = !m->several ? m->label[k] : m->label[k * m->classes + c] ? value : 0;
}

/* A mask of the classes with a palette; of several labels a mask of 0 and 255 for each. */
static peft_status write_masks(const map_files *f, int64_t i, const pixel_labels *m)
{
    uint8_t palette[PALETTE_COLOURS * 3], *label = check_alloc(malloc((size_t)(m->width * m->height)));
    const int colours = m->classes == 1 ? 2 : (int)m->classes;
    peft_status s = PEFT_OK;
    class_palette(palette);
    for (int64_t c = 0; c < f->masks_each && !s; c++) {
        char *path = mask_path(given[save_masks].value, &f->masks, i * f->masks_each + c, "png");
        peft_image *mask;
        take_label(m, c, UINT8_MAX, label);
        s = peft_image_from_buffer(f->model->ctx, label, m->width, m->height, 1, 8, 0, &mask);
        if (!s) {
            s = m->several ? peft_image_save_png(mask, path)
                           : peft_image_save_png_palette(mask, palette, colours, path);
            peft_image_free(mask);
        }
        free(path);
    }
    free(label);
    return s;
}

/* The picture with the classes drawn over it; of several labels one after the other, label c in colour c + 1. */
static peft_status write_overlay(const map_files *f, int64_t i, const peft_image *im, const pixel_labels *m)
{
    uint8_t *rgb = check_alloc(malloc((size_t)(3 * m->width * m->height)));
    uint8_t *label = check_alloc(malloc((size_t)(m->width * m->height)));
    char *path = mask_path(given[save_overlays].value, &f->pictures, i, "png");
    peft_image *drawn;
    draw_picture(im, rgb);
    for (int64_t c = 0; c < f->masks_each; c++) {
        take_label(m, c, (uint8_t)((c + 1) % PALETTE_COLOURS), label);
        draw_overlay(label, m->width, m->height, 0.35, rgb);
    }
    peft_status s = peft_image_from_buffer(f->model->ctx, rgb, m->width, m->height, 3, 8, 0, &drawn);
    if (!s) {
        s = peft_image_save_png(drawn, path);
        peft_image_free(drawn);
    }
    free(path);
    free(label);
    free(rgb);
    return s;
}

void miss_map_files(map_files *f, int64_t i) { if (f->dicom) miss_in_dicom(f->dicom, i); }

peft_status write_map_files(map_files *f, int64_t i, const peft_image *im, const pixel_labels *m)
{
    peft_status s = given[save_masks].value ? write_masks(f, i, m) : PEFT_OK;
    if (!s && given[save_overlays].value) s = write_overlay(f, i, im, m);
    if (s) miss_map_files(f, i);
    return s || !f->dicom ? s : add_to_dicom(f->dicom, i, m);
}
