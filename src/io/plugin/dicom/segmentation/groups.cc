// SPDX-License-Identifier: Apache-2.0
// groups.cc -- dimensions and functional groups of a segmentation that is written: segment, source and place of each
// frame.
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include <algorithm>
#include <cmath>

namespace {

// Position along the normal of the slices: the cross product of the directions of a row and of a column.
double depth_of(const io_seg_place &p)
{
    const double *r = p.orientation, *c = r + 3;
    const double normal[3] = { r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0] };
    return normal[0] * p.position[0] + normal[1] * p.position[1] + normal[2] * p.position[2];
}

struct numbered_frame { double depth; std::int64_t number; };

// The index of each frame of all sources, from 1 on, in the order of their positions; empty: frames have no position,
// have several orientations, or share a position.
std::vector<Uint32> position_indices(const io_dicom_sources &s)
{
    std::vector<numbered_frame> frames;
    const io_seg_place *first = &s.list.front().places.front();
    for (const seg_source &source : s.list)
        for (const io_seg_place &p : source.places) {
            if (!p.placed || !std::equal(p.orientation, p.orientation + 6, first->orientation,
                                         [](double a, double b) { return std::fabs(a - b) <= IO_SEG_ALIKE; })) return {};
            frames.push_back({ depth_of(p), static_cast<std::int64_t>(frames.size()) });
        }
    std::sort(frames.begin(), frames.end(), [](const numbered_frame &a, const numbered_frame &b) {
        return a.depth < b.depth;
    });
    std::vector<Uint32> index(frames.size());
    for (std::size_t i = 0; i < frames.size(); i++) {
        if (i && frames[i].depth - frames[i - 1].depth <= IO_SEG_NEAR) return {};
        index[static_cast<std::size_t>(frames[i].number)] = static_cast<Uint32>(i + 1);
    }
    return index;
}

void put_tag(DcmItem *item, const DcmTagKey &tag, const DcmTagKey &value)
{
    must(item->putAndInsertTagKey(DcmTag(tag), value), tag);
}

void put_numbers(DcmItem *item, const DcmTagKey &tag, const std::vector<Uint32> &v)
{
    DcmUnsignedLong *e = new DcmUnsignedLong(DcmTag(tag));
    must(item->insert(e, OFTrue), tag);
    must(e->putUint32Array(v.data(), static_cast<unsigned long>(v.size())), tag);
}

void write_dimension(DcmItem *data, const std::string &uid, const DcmTagKey &pointer, const DcmTagKey &group,
                     const char *label)
{
    DcmItem *item = add_item(data, DCM_DimensionIndexSequence);
    put(item, DCM_DimensionOrganizationUID, uid);
    put_tag(item, DCM_DimensionIndexPointer, pointer);
    put_tag(item, DCM_FunctionalGroupPointer, group);
    put(item, DCM_DimensionDescriptionLabel, label);
}

void write_measures(DcmItem *group, const seg_place &p)
{
    if (p.spacing.empty()) return;
    DcmItem *item = add_item(group, DCM_PixelMeasuresSequence);
    put(item, DCM_PixelSpacing, p.spacing);
    if (!p.thickness.empty()) put(item, DCM_SliceThickness, p.thickness);
    if (!p.between.empty()) put(item, DCM_SpacingBetweenSlices, p.between);
}

void write_orientation(DcmItem *group, const seg_place &p)
{
    if (p.place.placed) put(add_item(group, DCM_PlaneOrientationSequence), DCM_ImageOrientationPatient, p.orientation);
}

void write_derivation(DcmItem *group, const seg_source &source, std::int64_t frame)
{
    DcmItem *derivation = add_item(group, DCM_DerivationImageSequence);
    write_code(derivation, DCM_DerivationCodeSequence, "113076^DCM^Segmentation");
    DcmItem *image = add_item(derivation, DCM_SourceImageSequence);
    put(image, DCM_ReferencedSOPClassUID, source.class_uid);
    put(image, DCM_ReferencedSOPInstanceUID, source.instance);
    if (source.frames > 1) put(image, DCM_ReferencedFrameNumber, std::to_string(frame + 1));
    put(image, DCM_SpatialLocationsPreserved, "YES");
    write_code(image, DCM_PurposeOfReferenceCodeSequence, "121322^DCM^Source image for image processing operation");
}

} // namespace

void write_groups(DcmItem *data, const io_dicom_sources &s, const io_seg_contents &c)
{
    const std::vector<Uint32> index = position_indices(s);
    const seg_place &first = s.list.front().texts.front();
    bool one_spacing = true, one_orientation = true;
    std::vector<std::int64_t> before(1, 0);                   // frames of the sources before each
    for (const seg_source &source : s.list) {
        before.push_back(before.back() + source.frames);
        for (const seg_place &p : source.texts) {
            one_spacing = one_spacing && p.spacing == first.spacing && p.thickness == first.thickness &&
                          p.between == first.between;
            one_orientation = one_orientation && p.orientation == first.orientation;
        }
    }
    put(add_item(data, DCM_DimensionOrganizationSequence), DCM_DimensionOrganizationUID, c.dimension_uid);
    write_dimension(data, c.dimension_uid, DCM_ReferencedSegmentNumber, DCM_SegmentIdentificationSequence,
                    "ReferencedSegmentNumber");
    if (index.empty()) write_dimension(data, c.dimension_uid, DCM_InStackPositionNumber, DCM_FrameContentSequence,
                                       "InStackPositionNumber");
    else write_dimension(data, c.dimension_uid, DCM_ImagePositionPatient, DCM_PlanePositionSequence,
                         "ImagePositionPatient");
    DcmItem *shared = add_item(data, DCM_SharedFunctionalGroupsSequence);
    if (one_spacing) write_measures(shared, first);
    if (one_orientation) write_orientation(shared, first);
    for (std::int64_t i = 0; i < c.frames; i++) {
        const io_seg_frame &f = c.frame[i];
        const seg_source &source = s.list[static_cast<std::size_t>(f.source)];
        const seg_place &p = source.texts[static_cast<std::size_t>(f.source_frame)];
        const std::size_t number = static_cast<std::size_t>(before[static_cast<std::size_t>(f.source)] +
                                                            f.source_frame);
        DcmItem *group = add_item(data, DCM_PerFrameFunctionalGroupsSequence);
        DcmItem *content = add_item(group, DCM_FrameContentSequence);
        const Uint32 place = index.empty() ? static_cast<Uint32>(number + 1) : index[number];
        put_numbers(content, DCM_DimensionIndexValues, { static_cast<Uint32>(f.segment), place });
        if (index.empty()) {
            put(content, DCM_StackID, "1");
            put_numbers(content, DCM_InStackPositionNumber, { place });
        }
        put_short(add_item(group, DCM_SegmentIdentificationSequence), DCM_ReferencedSegmentNumber,
                  static_cast<Uint16>(f.segment));
        write_derivation(group, source, f.source_frame);
        if (p.place.placed) put(add_item(group, DCM_PlanePositionSequence), DCM_ImagePositionPatient, p.position);
        if (!one_spacing) write_measures(group, p);
        if (!one_orientation) write_orientation(group, p);
    }
}
