/* SPDX-License-Identifier: Apache-2.0
 * target.c -- which frames of a segmentation show an image: those that refer to it, or, in a file without such
 * references, those at its place. */
#include "io/format/dicom/segmentation/seg.h"
#include <math.h>

#define NEAR 0.01                                             /* mm between places that are one */
#define SAME 1e-3                                             /* of the cosines of an orientation, and of spacings */

static bool are_near(const double *a, const double *b, int count, double within)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(a[i] - b[i]) <= within)) return false;
    return true;
}

/* Whether both grids are parallel and have pixels of one size. */
static bool are_alike(const io_seg_place *a, const io_seg_place *b)
{
    return a->placed && b->placed && a->spaced && b->spaced && are_near(a->orientation, b->orientation, 6, SAME) &&
           are_near(a->spacing, b->spacing, 2, SAME);
}

/* Whether pixels of both grids lie behind each other: their origins differ along the normal alone. */
static bool are_stacked(const io_seg_place *a, const io_seg_place *b)
{
    for (int axis = 0; axis < 2; axis++) {
        double along = 0;
        for (int i = 0; i < 3; i++) along += (a->position[i] - b->position[i]) * b->orientation[3 * axis + i];
        if (!(fabs(along) <= NEAR)) return false;
    }
    return true;
}

static bool is_listed(const char *const *list, int64_t count, const char *uid)
{
    for (int64_t i = 0; i < count; i++)
        if (!strcmp(list[i], uid)) return true;
    return false;
}

static bool lies_in(const io_seg_file *f, const io_seg_target *t)
{
    if (f->links || !t->place || !*t->frame_of_reference) return false;
    if (strcmp(t->frame_of_reference, f->text[IO_SEG_FILE_FRAME_OF_REFERENCE])) return false;
    return are_alike(&f->frame[0].place, t->place) && are_stacked(&f->frame[0].place, t->place);
}

peft_status io_seg_check_target(const io_seg_file *f, const io_seg_target *t)
{
    const bool by_links = f->links && (is_listed(f->instance, f->instances, t->instance) ||
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

bool io_seg_shows(const io_seg_file *f, int64_t i, const io_seg_target *t)
{
    const io_seg_read_frame *frame = &f->frame[i];
    for (int64_t k = frame->first_link; k < frame->first_link + frame->links; k++)
        if (!strcmp(f->link[k].instance, t->instance) &&
            (f->link[k].source_frame < 0 || f->link[k].source_frame == t->frame)) return true;
    return !f->links && t->place && are_alike(&frame->place, t->place) &&
           are_near(frame->place.position, t->place->position, 3, NEAR);
}
