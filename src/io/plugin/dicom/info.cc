// SPDX-License-Identifier: Apache-2.0
// info.cc -- io_dicom_info: what the header of a file says.
#include "io/plugin/dicom/file.hpp"
#include "dcmtk/dcmdata/dcuid.h"
#include <algorithm>
#include <cstdlib>

std::string text_of(DcmItem *item, const DcmTagKey &tag)
{
    OFString value;
    const std::string blanks(" \t\r\n\0", 5);
    if (item->findAndGetOFStringArray(tag, value).bad()) return "";
    const std::string text(value.c_str(), value.length());
    const std::size_t first = text.find_first_not_of(blanks), last = text.find_last_not_of(blanks);
    return first == std::string::npos ? "" : text.substr(first, last + 1 - first);
}

namespace {

int number_of(DcmItem *item, const DcmTagKey &tag)
{
    Uint16 v = 0;
    return item->findAndGetUint16(tag, v).good() ? v : 0;
}

const char *keep(io_dicom_file *f, std::string text)
{
    f->texts.push_back(std::move(text));
    return f->texts.back().c_str();
}

// Names of transfer syntaxes that are younger than DCMTK 3.6.7.
std::string syntax_name(E_TransferSyntax syntax, const std::string &uid)
{
    static const struct { const char *uid, *name; } young[] = {
        { "1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian" },
        { "1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression" },
        { "1.2.840.10008.1.2.4.110", "JPEG XL Lossless" },
        { "1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression" },
        { "1.2.840.10008.1.2.4.112", "JPEG XL" },
        { "1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless" },
        { "1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL Lossless" },
        { "1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000" } };
    for (const auto &row : young)
        if (uid == row.uid) return row.name;
    if (syntax != EXS_Unknown) return DcmXfer(syntax).getXferName();
    const char *name = dcmFindNameOfUID(uid.c_str());
    return name ? name : "unknown";
}

// Which element holds the pixels, and how many bytes of it.
void read_pixel_element(io_dicom_file *f)
{
    static const struct { DcmTagKey tag; io_dicom_samples samples; } rows[] = {
        { DCM_PixelData, IO_DICOM_INTEGERS }, { DcmTagKey(0x7fe0, 0x0008), IO_DICOM_FLOATS },
        { DcmTagKey(0x7fe0, 0x0009), IO_DICOM_DOUBLES } };
    for (const auto &row : rows) {
        DcmElement *e = nullptr;
        if (f->info.has_pixels || f->data.findAndGetElement(row.tag, e).bad() || !e) continue;
        f->info.has_pixels = true;
        f->info.samples = row.samples;
        f->info.pixel_bytes = f->info.compressed ? 0 : static_cast<std::int64_t>(e->getLengthField());
    }
}

// Refuses numbers of frames that the pixels cannot hold.
void check_frames(const io_dicom_file *f)
{
    const io_dicom_info &n = f->info;
    const int bits = n.samples == IO_DICOM_DOUBLES ? 64 : n.samples == IO_DICOM_FLOATS ? 32 : n.allocated;
    const bool halved = !std::string("YBR_FULL_422").compare(n.photometric);
    if (!n.has_pixels || n.compressed) return;
    // Of one frame: four numbers of 16 bits. The number of frames may be any, so that it is not multiplied.
    const std::uint64_t frame_bits = static_cast<std::uint64_t>(n.rows) * static_cast<std::uint64_t>(n.columns) *
                                     static_cast<std::uint64_t>(halved ? 2 : n.channels) *
                                     static_cast<std::uint64_t>(bits);
    const std::uint64_t pixel_bits = 8 * static_cast<std::uint64_t>(n.pixel_bytes);
    if (!frame_bits || static_cast<std::uint64_t>(n.frames) <= pixel_bits / frame_bits) return;
    throw failure(PEFT_E_FORMAT, "the file has " + std::to_string(n.pixel_bytes) + " bytes of pixels; expected " +
                                     std::to_string(frame_bits / 8 + (frame_bits % 8 != 0)) + " for each of " +
                                     std::to_string(n.frames) + " frames of " + std::to_string(n.rows) + " x " +
                                     std::to_string(n.columns));
}

} // namespace

void read_info(io_dicom_file *f, bool header)
{
    io_dicom_info &n = f->info;
    DcmDataset *d = &f->data;
    n.patient = keep(f, text_of(d, DCM_PatientID));
    n.study = keep(f, text_of(d, DCM_StudyInstanceUID));
    n.series = keep(f, text_of(d, DCM_SeriesInstanceUID));
    n.instance = keep(f, text_of(d, DCM_SOPInstanceUID));
    n.number = keep(f, text_of(d, DCM_InstanceNumber));
    n.position = keep(f, text_of(d, DCM_ImagePositionPatient));
    n.orientation = keep(f, text_of(d, DCM_ImageOrientationPatient));
    n.modality = keep(f, text_of(d, DCM_Modality));
    n.syntax = keep(f, syntax_name(f->syntax, f->syntax_uid) + " (" + f->syntax_uid + ")");
    n.frames = std::max(1LL, std::atoll(text_of(d, DCM_NumberOfFrames).c_str()));
    n.photometric = "";
    if (header) return;
    n.photometric = keep(f, text_of(d, DCM_PhotometricInterpretation));
    n.rows = number_of(d, DCM_Rows);
    n.columns = number_of(d, DCM_Columns);
    n.channels = number_of(d, DCM_SamplesPerPixel);
    n.allocated = number_of(d, DCM_BitsAllocated);
    n.stored = number_of(d, DCM_BitsStored);
    n.high_bit = number_of(d, DCM_HighBit);
    n.is_signed = number_of(d, DCM_PixelRepresentation) == 1;
    n.planar = number_of(d, DCM_PlanarConfiguration) == 1;
    n.compressed = f->syntax == EXS_Unknown || DcmXfer(f->syntax).isEncapsulated();
    read_pixel_element(f);
    check_frames(f);
    for (Uint16 c = 0; c < 3; c++)                            // red, green, blue: elements that follow each other
        n.palette[c] = palette_of(d, c, n.is_signed, f->entries);
}
