// SPDX-License-Identifier: Apache-2.0
// sources.cc -- what a segmentation takes from its source files: references, places of the frames, patient and study.
#include "io/plugin/dicom/segmentation/segmentation.hpp"

namespace {

// The modules Patient, Clinical Trial Subject, General Study, Patient Study and Frame of Reference; Patient
// Orientation.
const DcmTagKey common_tags[] = {
    DCM_SpecificCharacterSet, DCM_PatientName, DCM_PatientID, DCM_IssuerOfPatientID, DCM_PatientBirthDate,
    DCM_PatientSex, DCM_PatientIdentityRemoved, DCM_DeidentificationMethod, DCM_DeidentificationMethodCodeSequence,
    DCM_ClinicalTrialSponsorName, DCM_ClinicalTrialProtocolID, DCM_ClinicalTrialProtocolName, DCM_ClinicalTrialSiteID,
    DCM_ClinicalTrialSiteName, DCM_ClinicalTrialSubjectID, DCM_StudyInstanceUID, DCM_StudyDate, DCM_StudyTime,
    DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber, DCM_StudyDescription, DCM_PatientAge,
    DCM_PatientSize, DCM_PatientWeight, DCM_FrameOfReferenceUID, DCM_PositionReferenceIndicator,
    DCM_PatientOrientation };
// Elements that a segmentation has also where the source has none (type 2).
const DcmTagKey always[] = { DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate, DCM_PatientSex, DCM_StudyDate,
                             DCM_StudyTime, DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber };

void insert_empty(DcmItem *item, const DcmTagKey &tag)
{
    if (!item->tagExists(tag)) must(item->insertEmptyElement(DcmTag(tag)), tag);
}

// first: the place of the first frame.
void read_common(io_dicom_sources *s, io_dicom_file *f, const io_seg_place &first)
{
    for (const DcmTagKey &tag : common_tags)
        if (f->data.tagExists(tag)) must(f->data.findAndInsertCopyOfElement(tag, &s->common), tag);
    for (const DcmTagKey &tag : always)
        insert_empty(&s->common, tag);
    if (s->common.tagExists(DCM_FrameOfReferenceUID)) insert_empty(&s->common, DCM_PositionReferenceIndicator);
    if (!first.placed) insert_empty(&s->common, DCM_PatientOrientation);
    static const DcmTagKey dates[][2] = { { DCM_ContentDate, DCM_ContentTime },
                                          { DCM_AcquisitionDate, DCM_AcquisitionTime },
                                          { DCM_SeriesDate, DCM_SeriesTime }, { DCM_StudyDate, DCM_StudyTime } };
    for (const auto &row : dates) {
        if (!s->date.empty()) break;
        s->date = text_of(&f->data, row[0]);
        s->time = text_of(&f->data, row[1]);
    }
    s->rows = f->info.rows;
    s->columns = f->info.columns;
}

std::string needed(io_dicom_file *f, const DcmTagKey &tag)
{
    const std::string text = text_of(&f->data, tag);
    if (text.empty()) throw failure(PEFT_E_FORMAT, name_of(tag) + " is missing; a segmentation refers to its sources "
                                                                  "by it");
    return text;
}

void read_places(seg_source *source, io_dicom_file *f)
{
    DcmItem *shared = item_of(&f->data, DCM_SharedFunctionalGroupsSequence, 0);
    DcmSequenceOfItems *frames = nullptr;
    if (f->data.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, frames).bad()) frames = nullptr;
    if (source->frames > 65535)
        throw failure(PEFT_E_UNSUPPORTED, std::to_string(source->frames) + " frames in one source; expected at most "
                                                                           "65535");
    DcmObject *own = nullptr;
    for (std::int64_t i = 0; i < source->frames; i++) {
        if (frames && (i == 0 || own)) own = frames->nextInContainer(own);
        source->texts.push_back(place_in(dynamic_cast<DcmItem *>(own), shared, &f->data));
        source->places.push_back(source->texts.back().place);
    }
}

} // namespace

void add_source(io_dicom_sources *s, io_dicom_file *f, io_dicom_source *out)
{
    seg_source source;
    source.class_uid = needed(f, DCM_SOPClassUID);
    source.instance = needed(f, DCM_SOPInstanceUID);
    source.series = needed(f, DCM_SeriesInstanceUID);
    source.study = needed(f, DCM_StudyInstanceUID);
    source.patient = f->info.patient;
    source.frame_of_reference = text_of(&f->data, DCM_FrameOfReferenceUID);
    source.frames = f->info.frames;
    source.lossy = text_of(&f->data, DCM_LossyImageCompression) == "01";
    read_places(&source, f);
    if (s->list.empty()) read_common(s, f, source.places.front());
    if (source.lossy && !s->common.tagExists(DCM_LossyImageCompressionRatio))
        for (const DcmTagKey &tag : { DCM_LossyImageCompressionRatio, DCM_LossyImageCompressionMethod })
            if (f->data.tagExists(tag)) (void)f->data.findAndInsertCopyOfElement(tag, &s->common);
    s->list.push_back(std::move(source));
    const seg_source &kept = s->list.back();
    *out = { kept.patient.c_str(), kept.study.c_str(), kept.series.c_str(), kept.instance.c_str(),
             kept.frame_of_reference.c_str(), f->info.rows, f->info.columns, kept.frames, kept.places.data() };
}
