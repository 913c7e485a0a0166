# SPDX-License-Identifier: Apache-2.0
"""Run by check_dicom_seg.py in an environment with pydicom 2:
    old_masks.py read FILE OUT.npy             the label map that pydicom-seg reads, slices by position
    old_masks.py write OUT.dcm LABELS.npy SOURCE..  a file that pydicom-seg writes, of sources by position"""
import sys

import numpy as np
import pydicom
import pydicom_seg
import SimpleITK as sitk


def read(path, out):
    np.save(out, pydicom_seg.MultiClassReader().read(pydicom.dcmread(path)).data)


def write(out, labels, sources):
    images = [pydicom.dcmread(path) for path in sources]
    first = images[0]
    volume = sitk.GetImageFromArray(np.load(labels).astype(np.uint8))
    volume.SetOrigin([float(v) for v in first.ImagePositionPatient])
    thickness = float(images[1].ImagePositionPatient[2]) - float(first.ImagePositionPatient[2])
    volume.SetSpacing([float(first.PixelSpacing[1]), float(first.PixelSpacing[0]), thickness])
    code = {"CodeValue": "85756007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Tissue"}
    template = pydicom_seg.template.from_dcmqi_metainfo({
        "ContentCreatorName": "Reader", "ClinicalTrialSeriesID": "Session1", "ClinicalTrialTimePointID": "1",
        "SeriesDescription": "Segmentation", "SeriesNumber": "300", "InstanceNumber": "1",
        "ContentLabel": "SEGMENTATION", "ContentDescription": "x", "ClinicalTrialCoordinatingCenterName": "x",
        "BodyPartExamined": "",
        "segmentAttributes": [[{
            "labelID": n, "SegmentDescription": f"segment {n}", "SegmentLabel": f"segment {n}",
            "SegmentAlgorithmType": "MANUAL", "SegmentedPropertyCategoryCodeSequence": code,
            "SegmentedPropertyTypeCodeSequence": code} for n in (1, 2, 3)]]})
    writer = pydicom_seg.MultiClassWriter(template=template, skip_empty_slices=True, skip_missing_segment=False)
    writer.write(volume, images).save_as(out)


if sys.argv[1] == "read":
    read(sys.argv[2], sys.argv[3])
else:
    write(sys.argv[2], sys.argv[3], sys.argv[4:])
