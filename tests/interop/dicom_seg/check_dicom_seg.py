# SPDX-License-Identifier: Apache-2.0
"""Compares DICOM segmentations with highdicom and pydicom-seg: files that libpeft writes are read there with the same
masks and references, and files that these write are read by libpeft with the same masks. Sources: series of odd sizes,
an image with several frames, an image without a place in the patient. Masks must be equal to the bit. Where dciodvfy
(Debian: dicom3tools) is installed, it must find no errors in the files."""
import ctypes as C
import os
import shutil
import subprocess
import sys
import tempfile

import highdicom as hd
import numpy as np
import peft
import pydicom
from pydicom import uid
from pydicom.sr.codedict import codes

HERE = os.path.dirname(os.path.abspath(__file__))
io, ok = peft.io, peft.ok
for _name in ("peft_dicom_seg_text", "peft_dicom_seg_source"):
    getattr(io, _name).restype = C.c_char_p
for _name in ("peft_dicom_seg_segments", "peft_dicom_seg_number", "peft_dicom_seg_frames"):
    getattr(io, _name).restype = C.c_int64
failures = 0


def report(name, good, detail=""):
    global failures
    failures += not good
    print(f"{'' if good else 'WRONG '}{name}{': ' + detail if detail else ''}")


# --- sources
def base(series, number, rows, columns, frames=None):
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.SOPClassUID = uid.CTImageStorage
    ds.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{series}.{number}"
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "M\u00fcller^Eva", "P17", "19500102", "F"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.10.1", f"1.2.826.0.1.3680043.10.1.{series}"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20260102", "112233", "A1", "S1"
    ds.ReferringPhysicianName, ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "", "CT", series, number
    ds.Manufacturer = "Maker"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", rows, columns
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    pixels = rows * columns * (frames or 1)
    ds.PixelData = bytes(pixels + pixels % 2)
    return ds


def series_of(number, slices, rows, columns):
    out = []
    for k in range(slices):
        ds = base(number, k + 1, rows, columns)
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = "1.2.826.0.1.3680043.10.9", ""
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-10.5, 20.25, 2.5 * k], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.75, 0.5], 2.5
        out.append(ds)
    return out


def with_frames(frames, rows, columns):
    """An enhanced image: places in functional groups."""
    ds = base(6, 1, rows, columns, frames)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.EnhancedCTImageStorage
    ds.NumberOfFrames, ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = frames, "1.2.826.0.1.3680043.10.8", ""
    shared, measures, plane = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [0.7, 0.8], 3, 4
    plane.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], []
    for k in range(frames):
        group, position = pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = [4 * k, 1, -3]
        group.PlanePositionSequence = [position]
        ds.PerFrameFunctionalGroupsSequence.append(group)
    return ds


def many_frames(frames, rows, columns):
    """Frames without a place in the patient."""
    ds = base(7, 1, rows, columns, frames)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    ds.Modality, ds.NumberOfFrames, ds.ConversionType = "OT", frames, "WSD"
    return ds


def radiograph(rows, columns):
    ds = base(8, 1, rows, columns)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.ComputedRadiographyImageStorage
    ds.Modality = "CR"
    return ds


def save(folder, sources):
    paths = []
    for i, ds in enumerate(sources):
        paths.append(os.path.join(folder, f"{ds.SeriesNumber}_{i}.dcm"))
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


# --- libpeft
def texts(values):
    return (C.c_char_p * len(values))(*(os.fsencode(v) for v in values))


def write(context, paths, array, out, segments):
    w = C.c_void_p()
    ok(io.peft_dicom_seg_writer_create(context, texts(paths), C.c_int64(len(paths)), C.byref(w)))
    for n in range(segments):
        ok(io.peft_dicom_seg_writer_add(w, f"Gr\u00f6\u00dfe {n + 1}".encode()))
    for segment, field, value in [(1, "colour", "52.5:40:-12"), (1, "category", "49755003^SCT^Morphologically Altered "
                                  "Structure"), (1, "property", "4147007^SCT^Mass"), (1, "description", "first"),
                                  (0, "description", "masks"), (0, "creator", "Doe^Ann")]:
        ok(io.peft_dicom_seg_writer_set(w, C.c_int64(segment), field.encode(), value.encode()))
    function = io.peft_dicom_seg_writer_labels if array.ndim == 3 else io.peft_dicom_seg_writer_planes
    ok(function(w, context.tensor(np.ascontiguousarray(array)), os.fsencode(out)))
    io.peft_dicom_seg_writer_free(w)


class Read:
    def __init__(self, context, path):
        self.handle = C.c_void_p()
        ok(io.peft_dicom_seg_read(context, os.fsencode(path), C.byref(self.handle)))

    def text(self, segment, field):
        return io.peft_dicom_seg_text(self.handle, C.c_int64(segment), field.encode()).decode()

    def maps(self, paths, planes=False):
        out = C.c_void_p()
        function = io.peft_dicom_seg_planes if planes else io.peft_dicom_seg_labels
        ok(function(self.handle, texts(paths), C.c_int64(len(paths)), C.byref(out)))
        shape = [peft.lib.peft_tensor_dim(out, i) for i in range(4 if planes else 3)]
        kind = C.c_float if planes else C.c_int64
        data = np.ctypeslib.as_array(C.cast(peft.lib.peft_tensor_data(out), C.POINTER(kind)), shape).copy()
        peft.lib.peft_tensor_free(out)
        return data

    def __del__(self):
        io.peft_dicom_seg_free(self.handle)


# --- comparisons
def validate(name, path):
    program = shutil.which("dciodvfy")
    if not program:
        return
    run = subprocess.run([program, path], capture_output=True, text=True)
    errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
    report(f"{name}: dciodvfy", not errors, "; ".join(errors[:5]))


def theirs_of_ours(name, path, sources, want):
    """want: [segments, frames, rows, columns], 0 to 1."""
    seg = hd.seg.segread(path)
    numbers = list(seg.segment_numbers)
    if len(sources) > 1 or not hasattr(sources[0], "NumberOfFrames"):
        got = seg.get_pixels_by_source_instance([ds.SOPInstanceUID for ds in sources], segment_numbers=numbers,
                                                assert_missing_frames_are_empty=True, ignore_spatial_locations=True)
    else:
        got = seg.get_pixels_by_source_frame(sources[0].SOPInstanceUID, list(range(1, sources[0].NumberOfFrames + 1)),
                                             segment_numbers=numbers, assert_missing_frames_are_empty=True,
                                             ignore_spatial_locations=True)
    got = np.moveaxis(np.asarray(got, np.float32), -1, 0)
    report(f"{name}: highdicom reads the same masks", got.shape == want.shape and np.array_equal(got, want),
           f"{got.shape}")
    first = seg.get_segment_description(1)
    report(f"{name}: highdicom reads the texts", first.segment_label == "Gr\u00f6\u00dfe 1"
           and first.segmented_property_type.value == "4147007" and str(seg.PatientName) == "M\u00fcller^Eva",
           f"{first.segment_label}, {seg.PatientName}")


def labels_of(rng, shape, segments):
    labels = rng.integers(-1, segments + 1, shape)
    labels[labels.shape[0] // 2] = 0                           # a frame without any segment
    return labels


def planes_of(labels, segments):
    return np.stack([labels == n + 1 for n in range(segments)]).astype(np.float32)


def ours(context, folder, rng):
    series = series_of(2, 5, 13, 11)
    for name, sources in (("series", series), ("enhanced", [with_frames(4, 7, 9)]),
                          ("frames without a place", [many_frames(4, 7, 9)]),
                          ("one image without a place", [radiograph(9, 5)])):
        paths = save(folder, sources)
        n = getattr(sources[0], "NumberOfFrames", len(sources))
        shape = (n, sources[0].Rows, sources[0].Columns)
        out = os.path.join(folder, "ours.dcm")
        labels = labels_of(rng, shape, 3)
        if n == 1:
            labels[0, 0, :3] = 1, 2, 3
        write(context, paths, labels, out, 3)
        validate(name, out)
        theirs_of_ours(name, out, sources, planes_of(labels, 3))
        mine = Read(context, out).maps(paths)
        report(f"{name}: libpeft reads its own", np.array_equal(mine, np.maximum(labels, 0)))
        fractions = rng.integers(0, 256, (2, *shape)).astype(np.float32) / np.float32(255)
        write(context, paths, fractions, out, 2)
        validate(f"{name}, FRACTIONAL", out)
        theirs_of_ours(f"{name}, FRACTIONAL", out, sources, fractions)
        overlapping = rng.integers(0, 2, (2, *shape)).astype(np.uint8)
        write(context, paths, overlapping, out, 2)
        validate(f"{name}, overlapping", out)
        theirs_of_ours(f"{name}, overlapping", out, sources, overlapping.astype(np.float32))
        if name == "series":
            labels = labels_of(rng, shape, 3)
            labels[:, 0, 0] = 1                                # pydicom-seg takes the volume from the frames' positions
            write(context, paths, labels, out, 3)
            old("pydicom-seg reads the same masks", folder, out, np.maximum(labels, 0))
    return series


def old(name, folder, path, want):
    read = os.path.join(folder, "read.npy")
    run_old("read", path, read)
    report(name, np.array_equal(np.load(read), want))


def run_old(*arguments):
    if run_old.python is None:
        run_old.python = os.path.join(subprocess.run([os.path.join(HERE, "setup.sh"), "--old"], check=True,
                                                     capture_output=True, text=True).stdout.strip(), "bin", "python")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run([run_old.python, "-W", "ignore", os.path.join(HERE, "old_masks.py"), *arguments],
                         capture_output=True, text=True, env=environment)
    if run.returncode:
        raise SystemExit(f"old_masks.py {arguments[0]}: {run.stderr[-2000:]}")


run_old.python = None


def description(number):
    return hd.seg.SegmentDescription(number, f"segment {number}", codes.SCT.Tissue, codes.SCT.Tissue,
                                     hd.seg.SegmentAlgorithmTypeValues.MANUAL,
                                     tracking_uid=f"1.2.3.{number}", tracking_id=f"t{number}")


def theirs(context, folder, rng, series):
    for name, sources in (("series", series), ("enhanced", [with_frames(4, 7, 9)]),
                          ("one image without a place", [radiograph(9, 5)])):
        paths = save(folder, sources)
        n = getattr(sources[0], "NumberOfFrames", len(sources))
        shape = (n, sources[0].Rows, sources[0].Columns)
        labels = np.maximum(labels_of(rng, shape, 3), 0)
        labels[0, 0, :3] = 1, 2, 3
        fractions = rng.integers(0, 256, (*shape, 2)) / 255
        smooth = np.sort(fractions, axis=2)
        overlapping = rng.integers(0, 2, (*shape, 2)).astype(bool)
        for kind, pixels, syntax in (("BINARY", labels.astype(np.uint8), uid.ExplicitVRLittleEndian),
                                     ("BINARY", overlapping, uid.ExplicitVRLittleEndian),
                                     ("FRACTIONAL", fractions, uid.ExplicitVRLittleEndian),
                                     ("FRACTIONAL", fractions, uid.RLELossless),
                                     ("FRACTIONAL", smooth, uid.JPEGLSLossless)):
            if syntax == uid.JPEGLSLossless and name != "series":
                continue                                      # the encoder refuses so few pixels
            segments = 3 if pixels.ndim == 3 else 2
            for omit in (True, False):
                seg = hd.seg.Segmentation(
                    sources, pixels, kind, [description(k + 1) for k in range(segments)], "1.2.3.4", 3, "1.2.3.5", 1,
                    "Maker", "Model", "1", "0", transfer_syntax_uid=syntax, omit_empty_frames=omit)
                path = os.path.join(folder, "theirs.dcm")
                seg.save_as(path)
                r = Read(context, path)
                want = planes_of(labels, 3) if pixels is not overlapping and kind == "BINARY" else np.moveaxis(
                    pixels, -1, 0)
                if kind == "FRACTIONAL":
                    want = np.rint(want * 255) / np.float32(255)
                got = r.maps(paths, planes=True)
                detail = f"{kind}, {syntax.name}, {segments} segments{', empty frames' if not omit else ''}"
                report(f"{name}: planes of highdicom's file, {detail}", np.array_equal(got, want.astype(np.float32)),
                       f"labels {[r.text(k + 1, 'label') for k in range(segments)]}")
                if pixels is overlapping or kind != "BINARY":
                    continue
                report(f"{name}: label map of highdicom's file, {detail}", np.array_equal(r.maps(paths), labels))
    paths = save(folder, series)
    labels = np.maximum(labels_of(rng, (len(series), series[0].Rows, series[0].Columns), 3), 0)
    np.save(os.path.join(folder, "labels.npy"), labels)
    path = os.path.join(folder, "old.dcm")
    run_old("write", path, os.path.join(folder, "labels.npy"), *paths)
    report("label map of pydicom-seg's file", np.array_equal(Read(context, path).maps(paths), labels))


def main():
    rng = np.random.default_rng(17)
    context = peft.Context()
    with tempfile.TemporaryDirectory() as folder:
        series = ours(context, folder, rng)
        theirs(context, folder, rng, series)
    sys.exit(failures > 0)


main()
