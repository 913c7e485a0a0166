/* SPDX-License-Identifier: Apache-2.0
 * dicom_files.c -- the maps of pictures until their DICOM segmentation is written (dicom_files.h). */
#include "dicom_files.h"
#include "common/program/errors.h"
#include "dicom_plan.h"
#include "predict/command_line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The maps of a segmentation, and how many of its pictures have been tried. */
typedef struct maps {
    int64_t done, missed, width, height;
    uint8_t *label;                                           /* [frames, height, width], or of several labels
                                                               * [classes, frames, height, width]; NULL: no map yet */
} maps;
struct dicom_files {
    dicom_plan plan;
    maps *of;                                                 /* [plan.objects] */
};

const mask_paths  *dicom_paths(const dicom_files *f) { return f ? &f->plan.paths : NULL; }
const char *const *dicom_names(const dicom_files *f) { return f ? f->plan.name : NULL; }

dicom_files *plan_dicom_files(const loaded_model *s, const inputs *in)
{
    dicom_files *f = check_alloc(calloc(1, sizeof *f));
    f->plan = make_dicom_plan(s, in);
    f->of = check_alloc(calloc((size_t)f->plan.objects + 1, sizeof *f->of));
    return f;
}

void free_dicom_files(dicom_files *f)
{
    if (!f) return;
    for (int64_t o = 0; o < f->plan.objects; o++) free(f->of[o].label);
    free_dicom_plan(&f->plan);
    free(f->of);
    free(f);
}

/* Names the segments: of one class or several labels all, else those behind the background. */
static peft_status name_segments(const loaded_model *s, bool all, peft_dicom_seg_writer *w)
{
    peft_status status = PEFT_OK;
    for (int64_t c = all ? 0 : 1; c < s->classes && !status; c++) status = peft_dicom_seg_writer_add(w, s->names[c]);
    return status;
}

/* Writes object o; m: the last of its maps. */
static peft_status write_object(const dicom_files *f, int64_t o, const pixel_labels *m)
{
    const loaded_model *model = f->plan.model;
    peft_dicom_seg_writer *w;
    peft_tensor *labels = NULL;
    char *path = mask_path(given[save_segmentations].value, &f->plan.paths, o, "dcm");
    const int64_t dims[] = { m->classes, f->plan.object[o].frames, m->height, m->width };
    peft_status s = open_dicom_writer(&f->plan, o, &w);
    if (!s) {
        s = name_segments(model, m->several || m->classes == 1, w);
        if (!s) s = peft_tensor_wrap(model->ctx, PEFT_U8, m->several ? 4 : 3, m->several ? dims : dims + 1,
                                     f->of[o].label, &labels);
        if (!s) s = m->several ? peft_dicom_seg_writer_planes(w, labels, path)
                               : peft_dicom_seg_writer_labels(w, labels, path);
        peft_tensor_free(labels);
        peft_dicom_seg_writer_free(w);
    }
    free(path);
    return s;
}

/* Copies the map of a frame; the first one makes room for those of all. */
static peft_status keep_frame(dicom_files *f, int64_t i, const pixel_labels *m)
{
    const dicom_source *source = &f->plan.source[f->plan.source_of[i]];
    const int64_t pixels = m->width * m->height, planes = m->several ? m->classes : 1;
    const int64_t frames = f->plan.object[source->object].frames, frame = source->frame + f->plan.frame_of[i];
    maps *of = &f->of[source->object];
    if (!of->label) {
        of->width = m->width, of->height = m->height;
        of->label = check_alloc(calloc((size_t)(planes * frames * pixels), 1));
    }
    if (m->width != of->width || m->height != of->height) {
        char text[160];
        snprintf(text, sizeof text, "has %lldx%lld pixels (height x width), other pictures of its DICOM segmentation "
                 "%lldx%lld", (long long)m->height, (long long)m->width, (long long)of->height, (long long)of->width);
        return peft_set_error(PEFT_E_MISMATCH, text);
    }
    for (int64_t c = 0; c < planes; c++)
        for (int64_t k = 0; k < pixels; k++)
            of->label[(c * frames + frame) * pixels + k] = m->label[k * planes + c];
    return PEFT_OK;
}

/* Frees the maps of an object whose pictures were all tried, and prints an error if it lacks some. */
static void end_object(dicom_files *f, int64_t o)
{
    maps *of = &f->of[o];
    const int64_t pictures = f->plan.object[o].pictures;
    if (of->done + of->missed < pictures) return;
    if (of->missed && pictures > 1) {
        char *path = join_mask_path(given[save_segmentations].value, &f->plan.paths, o, "dcm");
        report("%s: is not written, as %lld of its %lld pictures have no masks", path, (long long)of->missed,
               (long long)pictures);
        free(path);
    }
    free(of->label);
    of->label = NULL;
}

peft_status add_to_dicom(dicom_files *f, int64_t i, const pixel_labels *m)
{
    const int64_t o = f->plan.source[f->plan.source_of[i]].object;
    peft_status s = keep_frame(f, i, m);
    if (s) f->of[o].missed++;
    else if (++f->of[o].done == f->plan.object[o].pictures) s = write_object(f, o, m);
    end_object(f, o);
    return s;
}

void miss_in_dicom(dicom_files *f, int64_t i)
{
    const int64_t o = f->plan.source[f->plan.source_of[i]].object;
    f->of[o].missed++;
    end_object(f, o);
}
