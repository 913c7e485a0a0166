// SPDX-License-Identifier: Apache-2.0
// frame.cc -- the samples of a frame: read from the file, or decompressed by a codec of DCMTK. The codecs are objects of
// this file, not those that a program registers for the whole process.
#include "io/plugin/dicom/file.hpp"
#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"
#include "dcmtk/dcmdata/dcrleccd.h"
#include "dcmtk/dcmdata/dcrlecp.h"
#include "dcmtk/dcmjpeg/djcparam.h"
#include "dcmtk/dcmjpeg/djdecbas.h"
#include "dcmtk/dcmjpeg/djdecext.h"
#include "dcmtk/dcmjpeg/djdeclol.h"
#include "dcmtk/dcmjpeg/djdecpro.h"
#include "dcmtk/dcmjpeg/djdecsps.h"
#include "dcmtk/dcmjpeg/djdecsv1.h"
#include "dcmtk/dcmjpls/djcodecd.h"
#include "dcmtk/dcmjpls/djcparam.h"
#include "io/plugin/dicom/codestream.hpp"
#include <cstring>

namespace {

enum kind { JPEG, JPEG_LS, RLE };
struct codec_row { E_TransferSyntax syntax; kind what; const DcmCodec *codec; const DcmCodecParameter *parameters; };

// The codec of a transfer syntax; null: it is not decoded. JPEG keeps its colours, which libpeft-io converts.
const codec_row *codec_of(E_TransferSyntax syntax)
{
    // Never freed: other threads may decode while the process ends.
    static const DcmCodecParameter *const jpeg = new DJCodecParameter(ECC_lossyYCbCr, EDC_never, EUC_never, EPC_default);
    static const DcmCodecParameter *const jpeg_ls = new DJLSCodecParameter;
    static const codec_row rows[] = {
        { EXS_JPEGProcess1, JPEG, new DJDecoderBaseline, jpeg },
        { EXS_JPEGProcess2_4, JPEG, new DJDecoderExtended, jpeg },
        { EXS_JPEGProcess6_8, JPEG, new DJDecoderSpectralSelection, jpeg },
        { EXS_JPEGProcess10_12, JPEG, new DJDecoderProgressive, jpeg },
        { EXS_JPEGProcess14, JPEG, new DJDecoderLossless, jpeg },
        { EXS_JPEGProcess14SV1, JPEG, new DJDecoderP14SV1, jpeg },
        { EXS_JPEGLSLossless, JPEG_LS, new DJLSLosslessDecoder, jpeg_ls },
        { EXS_JPEGLSLossy, JPEG_LS, new DJLSNearLosslessDecoder, jpeg_ls },
        { EXS_RLELossless, RLE, new DcmRLECodecDecoder, new DcmRLECodecParameter } };
    for (const codec_row &row : rows)
        if (row.syntax == syntax) return &row;
    return nullptr;
}

// Reads `size` bytes of the element, from `offset` on, in the byte order of this machine.
void read_part(DcmElement *e, std::uint64_t offset, void *out, std::size_t size)
{
    if (offset + size > 0xffffffffu) throw failure(PEFT_E_UNSUPPORTED, "more than 4 GiB of pixels");
    const OFCondition c = e->getPartialValue(out, static_cast<Uint32>(offset), static_cast<Uint32>(size), nullptr,
                                             gLocalByteOrder);
    if (c.bad()) throw failure(PEFT_E_FORMAT, std::string("pixels: ") + c.text());
}

DcmElement *pixel_element(io_dicom_file *f)
{
    static const DcmTagKey tags[] = { DCM_PixelData, DcmTagKey(0x7fe0, 0x0008), DcmTagKey(0x7fe0, 0x0009) };
    DcmElement *e = nullptr;
    if (f->data.findAndGetElement(tags[f->info.samples], e).bad() || !e)
        throw failure(PEFT_E_FORMAT, "no Pixel Data");
    return e;
}

// Frames of one bit follow each other without gaps, the first pixel in the lowest bit.
void read_bits(DcmElement *e, std::int64_t frame, std::int64_t count, std::uint8_t *out)
{
    const std::int64_t first = frame * count, begin = first / 8, end = (first + count + 7) / 8;
    std::vector<std::uint8_t> packed(static_cast<std::size_t>(end - begin));
    read_part(e, static_cast<std::uint64_t>(begin), packed.data(), packed.size());
    for (std::int64_t i = 0; i < count; i++) {
        const std::int64_t bit = first % 8 + i;
        out[i] = packed[static_cast<std::size_t>(bit / 8)] >> (bit % 8) & 1;
    }
}

// Words of 32 bits whose element has units of 16 bits, in big endian: DCMTK has ordered the bytes of each half.
void swap_halves(void *samples, std::size_t size)
{
    std::uint32_t *v = static_cast<std::uint32_t *>(samples);
    for (std::size_t i = 0; i < size / 4; i++) v[i] = v[i] << 16 | v[i] >> 16;
}

void read_plain(io_dicom_file *f, std::int64_t frame, void *out, io_dicom_layout *layout)
{
    const io_dicom_info &n = f->info;
    DcmElement *e = pixel_element(f);
    const std::int64_t pixels = n.rows * n.columns;
    layout->halved = !std::strcmp(n.photometric, "YBR_FULL_422");
    layout->planar = n.channels > 1 && n.planar && !layout->halved;
    layout->bytes = n.samples == IO_DICOM_DOUBLES ? 8 : n.samples == IO_DICOM_FLOATS ? 4 : n.allocated / 8;
    if (layout->halved && (n.columns % 2 || n.channels != 3 || n.allocated != 8))
        throw failure(PEFT_E_FORMAT, "YBR_FULL_422 with an odd number of columns, or without 3 samples of 8 bits");
    if (n.samples == IO_DICOM_INTEGERS && n.allocated == 1) {
        layout->bytes = 1;
        return read_bits(e, frame, pixels * n.channels, static_cast<std::uint8_t *>(out));
    }
    const std::size_t size = static_cast<std::size_t>(pixels * (layout->halved ? 2 : n.channels * layout->bytes));
    read_part(e, static_cast<std::uint64_t>(frame) * size, out, size);
    const bool big = f->syntax == EXS_BigEndianExplicit;
    if (big && n.samples == IO_DICOM_INTEGERS && layout->bytes == 4 && e->getVR() == EVR_OW) swap_halves(out, size);
}

DcmPixelSequence *fragments_of(io_dicom_file *f)
{
    DcmPixelData *pixels = dynamic_cast<DcmPixelData *>(pixel_element(f));
    DcmPixelSequence *sequence = nullptr;
    E_TransferSyntax original = EXS_Unknown;
    const DcmRepresentationParameter *parameters = nullptr;
    if (pixels) pixels->getOriginalRepresentationKey(original, parameters);
    if (!pixels || pixels->getEncapsulatedRepresentation(original, parameters, sequence).bad() || !sequence)
        throw failure(PEFT_E_FORMAT, "the compressed Pixel Data has no fragments");
    if (static_cast<std::int64_t>(sequence->card()) - 1 < f->info.frames)        /* item 0 is the offset table */
        throw failure(PEFT_E_FORMAT, std::to_string(sequence->card() ? sequence->card() - 1 : 0) + " fragments for " +
                                         std::to_string(f->info.frames) + " frames; expected at least one for each");
    return sequence;
}

// Checks the size in the code stream of a frame before its decoder allocates memory for it; returns what it says.
codestream check_stream(io_dicom_file *f, DcmPixelSequence *fragments, Uint32 number)
{
    DcmPixelItem *item = nullptr;
    Uint8 *bytes = nullptr;
    if (fragments->getItem(item, number).bad() || item->getUint8Array(bytes).bad() || !bytes)
        throw failure(PEFT_E_FORMAT, "a fragment of the Pixel Data is empty");
    const codestream s = read_codestream(bytes, item->getLength());
    const io_dicom_info &n = f->info;
    if (s.rows != n.rows || s.columns != n.columns || s.channels != n.channels)
        throw failure(PEFT_E_FORMAT, "the compressed frame has " + std::to_string(s.rows) + " rows, " +
                                         std::to_string(s.columns) + " columns, " + std::to_string(s.channels) +
                                         " samples; the header says " + std::to_string(n.rows) + ", " +
                                         std::to_string(n.columns) + ", " + std::to_string(n.channels));
    if (s.precision > n.allocated)
        throw failure(PEFT_E_FORMAT, "the compressed frame has " + std::to_string(s.precision) + " bits, the header says " +
                                         std::to_string(n.allocated));
    return s;
}

// The fragment in which a frame begins.
Uint32 first_fragment(const codec_row *row, io_dicom_file *f, DcmPixelSequence *fragments, std::int64_t frame)
{
    Uint32 number = 0;
    const Uint32 wanted = static_cast<Uint32>(frame);
    const OFCondition c = row->codec->determineStartFragment(wanted, static_cast<Sint32>(f->info.frames), fragments, number);
    if (c.bad()) throw failure(PEFT_E_FORMAT, "the fragments of frame " + std::to_string(frame) + " are not found");
    return number;
}

void read_compressed(io_dicom_file *f, std::int64_t frame, void *out, std::size_t size, io_dicom_layout *layout)
{
    const io_dicom_info &n = f->info;
    const codec_row *row = codec_of(f->syntax);
    if (!row)
        throw failure(PEFT_E_UNSUPPORTED, std::string("the transfer syntax ") + n.syntax + " is not decoded; convert the "
                      "file first: gdcmconv --raw IN OUT");
    DcmPixelSequence *fragments = fragments_of(f);
    Uint32 number = first_fragment(row, f, fragments, frame);
    codestream stream{};
    layout->bytes = n.allocated / 8;
    layout->planar = n.channels > 1 && n.planar;
    layout->photometric = n.photometric;
    if (row->what != RLE) {
        stream = check_stream(f, fragments, number);
        if (stream.precision <= 8) layout->bytes = 1;
    }
    const int most = row->what == RLE ? 32 : 16;
    if (n.allocated < 8 || n.allocated > most)
        throw failure(PEFT_E_UNSUPPORTED, std::string(n.syntax) + " with " + std::to_string(n.allocated) +
                                              " bits allocated for a sample; expected 8 to " + std::to_string(most));
    const std::size_t expected = static_cast<std::size_t>(n.rows * n.columns * n.channels * layout->bytes);
    OFString colours;
    std::memset(out, 0, size);
    const OFCondition c = row->codec->decodeFrame(nullptr, fragments, row->parameters, &f->data, static_cast<Uint32>(frame),
                                                  number, out, static_cast<Uint32>(expected + expected % 2), colours);
    if (c.bad()) throw failure(PEFT_E_FORMAT, std::string("decompression of ") + n.syntax + ": " + c.text());
    if (n.channels == 3 && stream.colour != codestream::UNKNOWN)
        layout->photometric = stream.colour == codestream::IS_RGB ? "RGB" : "YBR_FULL";
}

} // namespace

void read_frame(io_dicom_file *f, std::int64_t frame, void *out, std::size_t size, io_dicom_layout *layout)
{
    *layout = io_dicom_layout{};
    layout->photometric = f->info.photometric;
    if (frame < 0 || frame >= f->info.frames) throw failure(PEFT_E_INVALID, "no such frame");
    if (f->info.compressed) read_compressed(f, frame, out, size, layout);
    else read_plain(f, frame, out, layout);
}
