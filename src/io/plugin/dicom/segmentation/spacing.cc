// SPDX-License-Identifier: Apache-2.0
// spacing.cc -- distances between the pixels of a frame, and between the frames of a file that are a volume.
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include <cmath>

namespace {

constexpr double SAME_DISTANCE = 1e-2;                        // largest difference of equal distances, relative
constexpr double SAME_COSINE = 1e-2;                          // largest difference of equal direction cosines

// Places of all frames; empty: there are not as many functional groups.
std::vector<io_seg_place> places_of(io_dicom_file *f)
{
    std::vector<io_seg_place> places;
    DcmItem *shared = item_of(&f->data, DCM_SharedFunctionalGroupsSequence, 0);
    DcmSequenceOfItems *frames = nullptr;
    if (f->data.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, frames).bad() || !frames) return {};
    if (static_cast<std::int64_t>(frames->card()) != f->info.frames) return {};
    for (DcmObject *own = frames->nextInContainer(nullptr); own; own = frames->nextInContainer(own))
        places.push_back(place_in(dynamic_cast<DcmItem *>(own), shared, &f->data).place);
    return places;
}

// The step from one frame to the next along the normal of the slices, the cross product of the directions of a row and
// of a column; NaN: the frame is moved in its plane too, or turned.
double step_between(const io_seg_place &a, const io_seg_place &b)
{
    const double *r = a.orientation, *c = r + 3;
    const double normal[3] = { r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0] };
    double step = 0, length = 0;
    for (int i = 0; i < 6; i++)
        if (!(std::fabs(a.orientation[i] - b.orientation[i]) <= SAME_COSINE)) return NAN;
    for (int i = 0; i < 3; i++) {
        const double moved = b.position[i] - a.position[i];
        step += normal[i] * moved;
        length += moved * moved;
    }
    return std::fabs(std::sqrt(length) - std::fabs(step)) <= SAME_DISTANCE * std::fabs(step) ? step : NAN;
}

// Millimetres between frames that follow each other at equal distances; 0: they do not, or have no positions.
double between_frames(io_dicom_file *f)
{
    const std::vector<io_seg_place> places = places_of(f);
    double sum = 0, first = NAN;
    for (std::size_t i = 0; i < places.size(); i++) {
        if (!places[i].placed) return 0;
        if (!i) continue;
        const double step = step_between(places[i - 1], places[i]);
        if (i == 1) first = step;
        if (!(std::fabs(step - first) <= SAME_DISTANCE * std::fabs(first))) return 0;
        sum += step;
    }
    return places.size() > 1 ? std::fabs(sum) / static_cast<double>(places.size() - 1) : 0;
}

} // namespace

void read_spacing(io_dicom_file *f, std::int64_t frame, double *out)
{
    DcmItem *own = item_of(&f->data, DCM_PerFrameFunctionalGroupsSequence, static_cast<long>(frame));
    DcmItem *shared = item_of(&f->data, DCM_SharedFunctionalGroupsSequence, 0);
    const io_seg_place place = place_in(own, shared, &f->data).place;
    if (f->between_frames < 0) f->between_frames = f->info.frames > 1 ? between_frames(f) : 0;
    out[0] = f->between_frames;
    out[1] = place.spaced ? place.spacing[0] : 0;
    out[2] = place.spaced ? place.spacing[1] : 0;
}
