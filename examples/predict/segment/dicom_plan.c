/* SPDX-License-Identifier: Apache-2.0
 * dicom_plan.c -- divides pictures into DICOM segmentations (dicom_plan.h). */
#include "dicom_plan.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include "predict/command_line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ct.dcm#slice=3" is frame 3 of ct.dcm. *length: of the path of the file. */
static int64_t frame_of_name(const char *name, size_t *length)
{
    const int64_t slice = slice_of_name(name, length);
    return slice < 0 ? 0 : slice;
}

/* The series and the number of frames of a file. One that is no DICOM file has neither: its picture fails later. */
static dicom_source read_source(const loaded_model *s, const char *path, size_t length)
{
    dicom_source out = { .path = check_alloc(strndup(path, length)), .frames = 1 };
    peft_dicom_header *h = NULL;
    if (!peft_dicom_header_read(s->ctx, out.path, &h)) out.frames = peft_dicom_header_frames(h);
    out.series = check_alloc(strdup(h ? peft_dicom_header_text(h, "series") : ""));
    peft_dicom_header_free(h);
    return out;
}

/* Pictures that follow each other may be frames of a file. */
static void find_sources(dicom_plan *p, const inputs *in)
{
    for (int64_t i = 0; i < in->count; i++) {
        size_t length;
        const char *name = input_name(in, i);
        p->frame_of[i] = frame_of_name(name, &length);
        const char *last = p->sources ? p->source[p->sources - 1].path : NULL;
        if (!last || strlen(last) != length || strncmp(last, name, length))
            p->source[p->sources++] = read_source(p->model, name, length);
        p->source_of[i] = p->sources - 1;
        p->source[p->sources - 1].pictures++;
    }
    for (int64_t k = 0; k < p->sources; k++) {
        const dicom_source *s = &p->source[k];
        if (s->pictures < s->frames)
            fail("--save-segmentations: %s has %lld frames, of which %lld are predicted, and its segmentation is of "
                 "all; give --all-slices", s->path, (long long)s->frames, (long long)s->pictures);
        if (s->pictures > s->frames)
            fail("--save-segmentations: the picture %s is given more than once; give each picture once", s->path);
    }
}

/* The number of the object that source k belongs to, which may be a new one. */
static int64_t object_of_source(dicom_plan *p, int64_t k, bool by_series)
{
    for (int64_t o = p->objects - 1; by_series && *p->source[k].series && o >= 0; o--)
        if (!strcmp(p->source[p->object[o].source[0]].series, p->source[k].series)) return o;
    return p->objects++;
}

static void find_objects(dicom_plan *p, bool by_series)
{
    for (int64_t k = 0; k < p->sources; k++) {
        dicom_source *s = &p->source[k];
        s->object = object_of_source(p, k, by_series);
        dicom_object *o = &p->object[s->object];
        if (o->sources == o->capacity) {
            o->capacity = o->capacity ? 2 * o->capacity : 4;
            o->source = check_alloc(realloc(o->source, (size_t)o->capacity * sizeof *o->source));
        }
        o->source[o->sources++] = k;
        s->frame = o->frames;
        o->frames += s->frames;
        o->pictures += s->pictures;
    }
}

peft_status open_dicom_writer(const dicom_plan *p, int64_t o, peft_dicom_seg_writer **w)
{
    const dicom_object *object = &p->object[o];
    const char **path = check_alloc(malloc((size_t)object->sources * sizeof *path));
    for (int64_t k = 0; k < object->sources; k++) path[k] = p->source[object->source[k]].path;
    const peft_status s = peft_dicom_seg_writer_create(p->model->ctx, path, object->sources, w);
    free(path);
    return s;
}

/* The files of an object must fit each other. */
static void check_object(const dicom_plan *p, int64_t o)
{
    const dicom_object *object = &p->object[o];
    peft_dicom_seg_writer *w;
    if (object->pictures > 1 && given[resume].value)
        fail("--resume: the segmentation of %s is of %lld pictures and needs all their masks; predict without --resume",
             p->source[object->source[0]].path, (long long)object->pictures);
    if (object->sources < 2) return;
    if (open_dicom_writer(p, o, &w))
        fail("--segmentation-per series: %s; give --segmentation-per file", peft_last_error());
    peft_dicom_seg_writer_free(w);
}

/* The segmentation of a series has its UID as name, that of a file its path. */
static void name_objects(dicom_plan *p, const inputs *in, bool by_series)
{
    const char **path = check_alloc(malloc((size_t)(p->objects + 1) * sizeof *path));
    for (int64_t o = 0; o < p->objects; o++) path[o] = p->source[p->object[o].source[0]].path;
    p->paths = find_mask_paths(path, p->objects);
    for (int64_t o = 0; o < p->objects; o++) {
        const char *series = p->source[p->object[o].source[0]].series;
        if (!by_series || !*series) continue;
        free(p->paths.path[o]);
        if (asprintf(&p->paths.path[o], "%s.png", series) < 0) fail("out of memory");
    }
    for (int64_t i = in->count - 1; i >= 0; i--) p->name[p->source[p->source_of[i]].object] = input_name(in, i);
    free(path);
}

dicom_plan make_dicom_plan(const loaded_model *s, const inputs *in)
{
    const size_t count = (size_t)in->count + 1;
    const bool by_series = !strcmp(given[segmentation_per].value, "series");
    if (!by_series && strcmp(given[segmentation_per].value, "file"))
        fail("--segmentation-per: given '%s', expected file or series", given[segmentation_per].value);
    dicom_plan p = { .model = s, .source = check_alloc(malloc(count * sizeof *p.source)),
                     .object = check_alloc(calloc(count, sizeof *p.object)),
                     .source_of = check_alloc(malloc(count * sizeof(int64_t))),
                     .frame_of = check_alloc(malloc(count * sizeof(int64_t))),
                     .name = check_alloc(malloc(count * sizeof *p.name)) };
    find_sources(&p, in);
    find_objects(&p, by_series);
    name_objects(&p, in, by_series);
    for (int64_t o = 0; o < p.objects; o++) check_object(&p, o);
    return p;
}

void free_dicom_plan(dicom_plan *p)
{
    for (int64_t k = 0; k < p->sources; k++) {
        free(p->source[k].path);
        free(p->source[k].series);
    }
    for (int64_t o = 0; o < p->objects; o++) free(p->object[o].source);
    free_mask_paths(&p->paths);
    free(p->source);
    free(p->object);
    free(p->source_of);
    free(p->frame_of);
    free(p->name);
}
