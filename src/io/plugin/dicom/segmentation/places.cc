// SPDX-License-Identifier: Apache-2.0
// places.cc -- where a frame lies in the patient: plane position, orientation and pixel measures.
#include "io/plugin/dicom/segmentation/segmentation.hpp"

namespace {

// An element of a functional group: the frame's own, else that of all frames, else that of the data set.
std::string group_text(DcmItem *own, DcmItem *shared, DcmItem *data, const DcmTagKey &sequence, const DcmTagKey &tag)
{
    for (DcmItem *group : { item_of(own, sequence, 0), item_of(shared, sequence, 0), data}) {
        const std::string text = group ? text_of(group, tag) : "";
        if (!text.empty()) return text;
    }
    return "";
}

} // namespace

seg_place place_in(DcmItem *own, DcmItem *shared, DcmItem *data)
{
    seg_place p;
    const auto text = [&](const DcmTagKey &sequence, const DcmTagKey &tag) {
        return group_text(own, shared, data, sequence, tag);
    };
    p.position = text(DCM_PlanePositionSequence, DCM_ImagePositionPatient);
    p.orientation = text(DCM_PlaneOrientationSequence, DCM_ImageOrientationPatient);
    p.spacing = text(DCM_PixelMeasuresSequence, DCM_PixelSpacing);
    p.thickness = text(DCM_PixelMeasuresSequence, DCM_SliceThickness);
    p.between = text(DCM_PixelMeasuresSequence, DCM_SpacingBetweenSlices);
    p.place.placed = read_decimals(p.position, p.place.position, 3) &&
                     read_decimals(p.orientation, p.place.orientation, 6);
    p.place.spaced = read_decimals(p.spacing, p.place.spacing, 2);
    return p;
}
