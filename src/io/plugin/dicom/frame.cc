// SPDX-License-Identifier: Apache-2.0
// frame.cc -- the samples of a frame: read from the file, or decompressed by a codec of DCMTK. The codecs are objects
// of this file, not those that a program registers for the whole process. RLE is decoded here, as that of DCMTK
// 3.6.7 ends the program for damaged offsets.
#include "io/plugin/dicom/file.hpp"
#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"
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
#include <algorithm>
#include <cstring>

namespace {

struct codec_row { E_TransferSyntax syntax; const DcmCodec *codec; const DcmCodecParameter *parameters; };

// The codec of a transfer syntax of JPEG and JPEG-LS; null: it is not decoded. JPEG keeps its colours, which
// libpeft-io converts.
const codec_row *codec_of(E_TransferSyntax syntax)
{
    // Never freed: other threads may decode while the process ends.
    static const DcmCodecParameter *const jpeg = new DJCodecParameter(ECC_lossyYCbCr, EDC_never, EUC_never,
                                                                       EPC_default);
    static const DcmCodecParameter *const jpeg_ls = new DJLSCodecParameter;
    static const codec_row rows[] = {
        { EXS_JPEGProcess1, new DJDecoderBaseline, jpeg },
        { EXS_JPEGProcess2_4, new DJDecoderExtended, jpeg },
        { EXS_JPEGProcess6_8, new DJDecoderSpectralSelection, jpeg },
        { EXS_JPEGProcess10_12, new DJDecoderProgressive, jpeg },
        { EXS_JPEGProcess14, new DJDecoderLossless, jpeg },
        { EXS_JPEGProcess14SV1, new DJDecoderP14SV1, jpeg },
        { EXS_JPEGLSLossless, new DJLSLosslessDecoder, jpeg_ls },
        { EXS_JPEGLSLossy, new DJLSNearLosslessDecoder, jpeg_ls } };
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
        throw failure(PEFT_E_FORMAT, "the compressed frame has " + std::to_string(s.precision) + " bits, the header "
                                         "says " + std::to_string(n.allocated));
    return s;
}

// The fragment in which a frame begins.
Uint32 first_fragment(const codec_row *row, io_dicom_file *f, DcmPixelSequence *fragments, std::int64_t frame)
{
    Uint32 number = 0;
    const Uint32 wanted = static_cast<Uint32>(frame);
    const OFCondition c = row->codec->determineStartFragment(wanted, static_cast<Sint32>(f->info.frames), fragments,
                                                             number);
    if (c.bad()) throw failure(PEFT_E_FORMAT, "the fragments of frame " + std::to_string(frame) + " are not found");
    return number;
}

// Unpacks a segment of `size` bytes: one byte of each sample, written to out[i * step]. false: it is too short.
bool unpack(const Uint8 *segment, std::size_t size, std::size_t samples, std::uint8_t *out, std::size_t step)
{
    std::size_t done = 0;
    for (std::size_t at = 0; at < size && done < samples;) {
        const std::size_t control = segment[at++];
        if (control == 128) continue;
        const bool run = control > 128;
        std::size_t n = run ? 257 - control : control + 1;
        if (run ? at >= size : n > size - at) return false;
        const std::size_t used = run ? 1 : n;
        n = std::min(n, samples - done);                      // a segment may end with padding
        for (std::size_t i = 0; i < n; i++) out[(done + i) * step] = segment[run ? at : at + i];
        done += n;
        at += used;
    }
    return done == samples;
}

// A fragment begins with the number of segments and their offsets, 16 numbers of 32 bits. The segments are those of the
// first channel, highest byte first, then those of the next.
void read_runs(io_dicom_file *f, DcmPixelSequence *fragments, std::int64_t frame, std::uint8_t *out,
               io_dicom_layout *layout)
{
    const io_dicom_info &n = f->info;
    const std::size_t bytes = static_cast<std::size_t>(layout->bytes);
    const std::size_t pixels = static_cast<std::size_t>(n.rows * n.columns);
    const std::size_t segments = bytes * static_cast<std::size_t>(n.channels);
    DcmPixelItem *item = nullptr;
    Uint8 *data = nullptr;
    if (fragments->getItem(item, static_cast<Uint32>(frame + 1)).bad() || item->getUint8Array(data).bad() || !data)
        throw failure(PEFT_E_FORMAT, "the fragment of frame " + std::to_string(frame) + " is empty");
    const std::size_t size = item->getLength();
    const auto header = [&](std::size_t i) {
        const Uint8 *b = data + 4 * i;
        return static_cast<std::size_t>(b[0] | b[1] << 8 | b[2] << 16) | static_cast<std::size_t>(b[3]) << 24;
    };
    if (size < 64 || segments > 15 || header(0) != segments)
        throw failure(PEFT_E_FORMAT, "the RLE frame has no header of " + std::to_string(segments) + " segments");
    layout->planar = n.channels > 1;
    for (std::size_t s = 0; s < segments; s++) {
        const std::size_t begin = header(s + 1), end = s + 1 < segments ? header(s + 2) : size;
        const std::size_t byte = gLocalByteOrder == EBO_LittleEndian ? bytes - 1 - s % bytes : s % bytes;
        if (begin < 64 || begin > end || end > size ||
            !unpack(data + begin, end - begin, pixels, out + s / bytes * pixels * bytes + byte, bytes))
            throw failure(PEFT_E_FORMAT, "segment " + std::to_string(s) + " of the RLE frame is damaged");
    }
}

void read_jpeg(io_dicom_file *f, DcmPixelSequence *fragments, const codec_row *row, std::int64_t frame, void *out,
               io_dicom_layout *layout)
{
    const io_dicom_info &n = f->info;
    Uint32 number = first_fragment(row, f, fragments, frame);
    const codestream stream = check_stream(f, fragments, number);
    if (stream.precision <= 8) layout->bytes = 1;
    layout->planar = n.channels > 1 && n.planar;
    const std::size_t size = static_cast<std::size_t>(n.rows * n.columns * n.channels * layout->bytes);
    OFString colours;
    const OFCondition c = row->codec->decodeFrame(nullptr, fragments, row->parameters, &f->data,
                                                  static_cast<Uint32>(frame), number, out,
                                                  static_cast<Uint32>(size + size % 2), colours);
    if (c.bad()) throw failure(PEFT_E_FORMAT, std::string("decompression of ") + n.syntax + ": " + c.text());
    if (n.channels == 3 && stream.colour != codestream::UNKNOWN)
        layout->photometric = stream.colour == codestream::IS_RGB ? "RGB" : "YBR_FULL";
}

void read_compressed(io_dicom_file *f, std::int64_t frame, void *out, std::size_t size, io_dicom_layout *layout)
{
    const io_dicom_info &n = f->info;
    const bool runs = f->syntax == EXS_RLELossless;
    const codec_row *row = codec_of(f->syntax);
    const int most = runs ? 32 : 16;
    if (!row && !runs)
        throw failure(PEFT_E_UNSUPPORTED, std::string("the transfer syntax ") + n.syntax + " is not decoded; convert "
                      "the file first: gdcmconv --raw IN OUT");
    if (n.allocated < 8 || n.allocated > most)
        throw failure(PEFT_E_UNSUPPORTED, std::string(n.syntax) + " with " + std::to_string(n.allocated) +
                                              " bits allocated for a sample; expected 8 to " + std::to_string(most));
    DcmPixelSequence *fragments = fragments_of(f);
    layout->bytes = n.allocated / 8;
    std::memset(out, 0, size);
    if (runs) read_runs(f, fragments, frame, static_cast<std::uint8_t *>(out), layout);
    else read_jpeg(f, fragments, row, frame, out, layout);
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
