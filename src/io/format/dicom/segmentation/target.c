/* SPDX-License-Identifier: Apache-2.0
 * target.c -- which frames of a segmentation show an image: those that refer to it, or, in a file without such
 * references, those at its place. */
#include "io/format/dicom/segmentation/seg.h"
#include <math.h>
#include <stdlib.h>

static bool are_near(const double *a, const double *b, int count, double within)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= within)) return false;
    return true;
}

/* Whether both grids are parallel and have pixels of one size. */
static bool are_alike(const io_seg_place *a, const io_seg_place *b)
{
    return a->placed && b->placed && a->spaced && b->spaced &&
           are_near(a->orientation, b->orientation, 6, IO_SEG_ALIKE) &&
           are_near(a->spacing, b->spacing, 2, IO_SEG_ALIKE);
}

/* Whether pixels of both grids lie behind each other: their origins differ along the normal alone. */
static bool are_stacked(const io_seg_place *a, const io_seg_place *b)
{
    for (int axis = 0; axis < 2; axis++) {
        double along = 0;
        for (int i = 0; i < 3; i++) along += (a->position[i] - b->position[i]) * b->orientation[3 * axis + i];
        if (!(fabs(along) <= IO_SEG_NEAR)) return false;
    }
    return true;
}

static bool is_listed(const char *const *list, int64_t count, const char *uid)
{
    for (int64_t i = 0; i < count; i++)
        if (!strcmp(list[i], uid)) return true;
    return false;
}

static int compare_uids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether the segmentation refers to the instance. */
static bool is_instance(const io_seg_file *f, const char *uid)
{
    return f->instances && bsearch(&uid, f->sorted_instance, (size_t)f->instances, sizeof uid, compare_uids);
}

static bool lies_in(const io_seg_file *f, const io_seg_target *t)
{
    if (f->links || !t->place || !*t->frame_of_reference) return false;
    if (strcmp(t->frame_of_reference, f->text[IO_SEG_FILE_FRAME_OF_REFERENCE])) return false;
    return are_alike(&f->frame[0].place, t->place) && are_stacked(&f->frame[0].place, t->place);
}

peft_status io_seg_check_target(const io_seg_file *f, const io_seg_target *t)
{
    const bool by_links = f->links && (is_instance(f, t->instance) ||
                                       (*t->series && is_listed(f->series, f->series_count, t->series)));
    if (by_links || lies_in(f, t)) return PEFT_OK;
    if (f->links)
        return io_fail(PEFT_E_MISMATCH, "DICOM segmentation: it is not of the image %s, as it refers neither to this "
                       "SOP Instance UID nor to its series; it refers to %lld images, the first is %s", t->instance,
                       (long long)f->instances, f->instances ? f->instance[0] : "none");
    if (!t->place)
        return io_fail(PEFT_E_MISMATCH, "DICOM segmentation: its frames refer to no images, so that their places are "
                       "needed; give the image's file to peft_dicom_seg_labels");
    return io_fail(PEFT_E_MISMATCH, "DICOM segmentation: its frames refer to no images, and do not lie in the grid of "
                   "the image %s: expected one Frame of Reference UID, orientation and pixel spacing, and positions "
                   "along the normal", t->instance);
}

/* The first of the sorted links that is not before those to this frame of the instance. */
static int64_t first_link(const io_seg_file *f, const char *instance, int64_t source_frame)
{
    int64_t begin = 0, end = f->links;
    while (begin < end) {
        const int64_t middle = begin + (end - begin) / 2;
        const io_seg_link *link = &f->sorted_link[middle];
        const int order = strcmp(link->instance, instance);
        if (order < 0 || (!order && link->source_frame < source_frame)) begin = middle + 1;
        else end = middle;
    }
    return begin;
}

io_seg_search io_seg_search_begin(const io_seg_file *f, const io_seg_target *t)
{
    const int64_t frame = t->frame < INT32_MAX ? t->frame : INT32_MAX;        /* files have smaller ones */
    const int64_t whole = first_link(f, t->instance, -1), after = first_link(f, t->instance, 0);
    const int64_t one = frame < 0 ? after : first_link(f, t->instance, frame);
    const int64_t end = frame < 0 ? after : first_link(f, t->instance, frame + 1);
    return (io_seg_search){ f, t, { { whole, after }, { one, end } }, -1 };
}

/* The next frame by links; -1: there is none. */
static int64_t next_linked(io_seg_search *s)
{
    int64_t best = -1;
    for (int i = 0; i < 2; i++) {
        const io_seg_link *link = s->file->sorted_link;
        while (s->links[i].next < s->links[i].end && link[s->links[i].next].frame <= s->frame) s->links[i].next++;
        if (s->links[i].next == s->links[i].end) continue;
        const int64_t frame = link[s->links[i].next].frame;
        if (best < 0 || frame < best) best = frame;
    }
    return best;
}

/* The next frame at the place of the image; -1: there is none. */
static int64_t next_placed(const io_seg_search *s)
{
    const io_seg_place *to = s->target->place;
    for (int64_t i = s->frame + 1; to && i < s->file->frames; i++) {
        const io_seg_place *place = &s->file->frame[i].place;
        if (are_alike(place, to) && are_near(place->position, to->position, 3, IO_SEG_NEAR)) return i;
    }
    return -1;
}

bool io_seg_search_next(io_seg_search *s)
{
    const int64_t next = s->file->links ? next_linked(s) : next_placed(s);
    if (next < 0) return false;
    s->frame = next;
    return true;
}
