// SPDX-License-Identifier: Apache-2.0
// info.cc -- io_dicom_info: what the header of a file says.
#include "io/plugin/dicom/file.hpp"
#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/ofstd/ofstd.h"
#include <algorithm>
#include <cmath>
#include <limits>

std::string trimmed(const std::string &text)
{
    const std::string blanks(" \t\r\n\0", 5);
    const std::size_t first = text.find_first_not_of(blanks), last = text.find_last_not_of(blanks);
    return first == std::string::npos ? "" : text.substr(first, last + 1 - first);
}

std::string text_of(DcmItem *item, const DcmTagKey &tag)
{
    OFString value;
    if (item->findAndGetOFStringArray(tag, value).bad()) return "";
    return trimmed(std::string(value.c_str(), value.length()));
}

std::string name_of(const DcmTagKey &tag)
{
    // The dictionary has keywords: RescaleSlope, SOPInstanceUID.
    const std::string keyword = DcmTag(tag).getTagName();
    const auto is_capital = [&](std::size_t i) { return i < keyword.size() && keyword[i] >= 'A' && keyword[i] <= 'Z'; };
    std::string name;
    for (std::size_t i = 0; i < keyword.size(); i++) {
        const bool starts_word = !is_capital(i - 1) || (i + 1 < keyword.size() && !is_capital(i + 1));
        if (i && is_capital(i) && starts_word) name += ' ';
        name += keyword[i];
    }
    return name + " " + tag.toString().c_str();
}

bool read_decimal(const std::string &text, double *out)
{
    const auto digits = [&text](std::size_t *at) {
        const std::size_t first = *at;
        while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9') ++*at;
        return *at - first;
    };
    const auto sign = [&text](std::size_t *at) {
        if (*at < text.size() && (text[*at] == '+' || text[*at] == '-')) ++*at;
    };
    std::size_t at = 0, found;
    sign(&at);
    found = digits(&at);
    if (at < text.size() && text[at] == '.') found += digits(&++at);
    if (!found) return false;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        sign(&++at);
        if (!digits(&at)) return false;
    }
    if (at != text.size()) return false;
    *out = OFStandard::atof(text.c_str());                    // whatever the locale
    return true;
}

bool read_decimals(const std::string &text, double *out, std::size_t count)
{
    std::size_t first = 0;
    for (std::size_t i = 0; i < count; i++) {
        const std::size_t end = std::min(text.find('\\', first), text.size());
        if (first > text.size() || (end == text.size()) != (i + 1 == count)) return false;
        const bool number = read_decimal(trimmed(text.substr(first, end - first)), &out[i]);
        if (!number || !(std::fabs(out[i]) < 1e12)) return false;
        first = end + 1;
    }
    return true;
}

namespace {

const char *keep(io_dicom_file *f, std::string text)
{
    f->texts.push_back(std::move(text));
    return f->texts.back().c_str();
}

io_dicom_place place_of(const io_dicom_info &n)
{
    io_dicom_place p{};
    p.placed = read_decimals(n.position, p.position, 3) && read_decimals(n.orientation, p.orientation, 6);
    p.numbered = read_decimals(n.number, &p.number, 1);
    return p;
}

int number_of(DcmItem *item, const DcmTagKey &tag)
{
    Uint16 v = 0;
    return item->findAndGetUint16(tag, v).good() ? v : 0;
}

// A number that integer pixels cannot be read without.
int needed_number(DcmItem *item, const DcmTagKey &tag, int most)
{
    Uint16 v = 0;
    const std::string expected = most == 1 ? "; expected 0 or 1" : "; expected a number";
    if (item->findAndGetUint16(tag, v).bad())
        throw failure(PEFT_E_FORMAT, name_of(tag) + " is missing or empty" + expected);
    if (v > most) throw failure(PEFT_E_FORMAT, name_of(tag) + " is " + std::to_string(v) + expected);
    return v;
}

// Number of Frames; 1 where it is absent, empty or 0.
std::int64_t frames_of(DcmItem *item)
{
    const std::string text = text_of(item, DCM_NumberOfFrames);
    std::int64_t n = 0;
    const bool plus = text.size() > 1 && text[0] == '+';
    for (char c : text.substr(plus ? 1 : 0)) {
        if (c < '0' || c > '9' || n > (std::numeric_limits<std::int64_t>::max() - (c - '0')) / 10)
            throw failure(PEFT_E_FORMAT, name_of(DCM_NumberOfFrames) + " is '" + text +
                                             "'; expected one whole number, at least 1");
        n = 10 * n + (c - '0');
    }
    return n ? n : 1;
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

// What integer pixels need beside sizes and bits, which libpeft-io checks.
void read_needed(io_dicom_file *f)
{
    io_dicom_info &n = f->info;
    n.high_bit = needed_number(&f->data, DCM_HighBit, 65535);
    n.is_signed = needed_number(&f->data, DCM_PixelRepresentation, 1) == 1;
    n.planar = n.channels == 3 && needed_number(&f->data, DCM_PlanarConfiguration, 1) == 1;
}

DcmTagKey pixel_tag(const io_dicom_file *f)
{
    const io_dicom_samples samples = f->info.samples;
    return DcmTagKey(0x7fe0, samples == IO_DICOM_INTEGERS ? 0x0010 : samples == IO_DICOM_FLOATS ? 0x0008 : 0x0009);
}

// Whether these bytes of the pixels are 0.
bool are_zeros(io_dicom_file *f, std::uint64_t first, std::uint64_t count)
{
    DcmElement *e = nullptr;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    if (f->data.findAndGetElement(pixel_tag(f), e).bad() || !e) return false;
    if (e->getPartialValue(bytes.data(), static_cast<Uint32>(first), static_cast<Uint32>(count)).bad()) return false;
    return std::count(bytes.begin(), bytes.end(), 0) == static_cast<std::ptrdiff_t>(bytes.size());
}

// Refuses pixels that are shorter than the frames, or longer by more than padding: one byte, less than a row, or zeros
// as long as a row. More of them may mean that the number of rows or columns is wrong.
void check_length(io_dicom_file *f)
{
    const io_dicom_info &n = f->info;
    const int bits = n.samples == IO_DICOM_DOUBLES ? 64 : n.samples == IO_DICOM_FLOATS ? 32 : n.allocated;
    const bool halved = !std::string("YBR_FULL_422").compare(n.photometric);
    if (!n.has_pixels || n.compressed || (bits != 1 && bits % 8)) return;     // libpeft-io refuses other bits
    // Of one frame: four numbers of 16 bits. The number of frames may be any, so that it is not multiplied before it
    // is compared.
    const std::uint64_t row_bits = static_cast<std::uint64_t>(n.columns) *
                                   static_cast<std::uint64_t>(halved ? 2 : n.channels) *
                                   static_cast<std::uint64_t>(bits);
    const std::uint64_t frame_bits = static_cast<std::uint64_t>(n.rows) * row_bits;
    const std::uint64_t frames = static_cast<std::uint64_t>(n.frames);
    const std::uint64_t bytes = static_cast<std::uint64_t>(n.pixel_bytes);
    if (!frame_bits) return;
    const bool fits = frames <= 8 * bytes / frame_bits;
    const std::uint64_t expected = fits ? (frames * frame_bits + 7) / 8 : (frame_bits + 7) / 8;
    const std::uint64_t spare = fits ? bytes - expected : 0;
    if (fits && (spare <= expected % 2 || 8 * spare < row_bits)) return;
    if (fits && 8 * spare == row_bits && are_zeros(f, expected, spare)) return;
    throw failure(PEFT_E_FORMAT, name_of(pixel_tag(f)) + " has " + std::to_string(n.pixel_bytes) +
                                     " bytes of pixels; expected " + std::to_string(expected) +
                                     (fits ? " for " : " for each of ") + std::to_string(n.frames) + " frames of " +
                                     std::to_string(n.rows) + " x " + std::to_string(n.columns) + " with " +
                                     std::to_string(n.channels) + " samples of " + std::to_string(bits) + " bits, " +
                                     n.photometric);
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
    n.place = place_of(n);
    n.modality = keep(f, text_of(d, DCM_Modality));
    n.syntax = keep(f, syntax_name(f->syntax, f->syntax_uid) + " (" + f->syntax_uid + ")");
    n.frames = frames_of(d);
    n.photometric = keep(f, text_of(d, DCM_PhotometricInterpretation));
    n.rows = number_of(d, DCM_Rows);
    n.columns = number_of(d, DCM_Columns);
    n.channels = number_of(d, DCM_SamplesPerPixel);
    n.allocated = number_of(d, DCM_BitsAllocated);
    n.stored = number_of(d, DCM_BitsStored);
    n.is_signed = number_of(d, DCM_PixelRepresentation) == 1;
    if (header) return;
    n.compressed = f->syntax == EXS_Unknown || DcmXfer(f->syntax).isEncapsulated();
    read_pixel_element(f);
    if (n.has_pixels && n.samples == IO_DICOM_INTEGERS) read_needed(f);
    check_length(f);
    for (Uint16 c = 0; c < 3; c++)                            // red, green, blue: elements that follow each other
        n.palette[c] = palette_of(d, c, n.is_signed, f->entries);
}
