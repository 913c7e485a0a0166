// SPDX-License-Identifier: Apache-2.0
// parse.cc -- reads the elements of a file: preamble and meta header, then the data set, inflated first where it is
// stored deflated.
#include "io/plugin/dicom/file.hpp"
#include "io/plugin/dicom/stream.hpp"
#include <algorithm>
#include <zlib.h>

namespace {

// Values of more bytes stay in the file until they are asked for.
constexpr Uint32 EAGER_BYTES = 512;

// Inflates in steps, so that memory grows with the data and never above max_bytes.
std::vector<std::uint8_t> inflate_all(const std::uint8_t *data, std::size_t size, std::int64_t max_bytes)
{
    std::vector<std::uint8_t> out;
    z_stream z{};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    int status = Z_OK;
    std::size_t used = 0, left = size;
    z.next_in = const_cast<Bytef *>(data);
    while (status == Z_OK) {
        if (used == out.size()) {
            if (static_cast<std::int64_t>(used) >= max_bytes) break;
            std::size_t larger = std::max<std::size_t>(4 * size + 4096, 2 * used);
            larger = std::min<std::size_t>(larger, static_cast<std::size_t>(max_bytes));
            try { out.resize(larger); } catch (...) { inflateEnd(&z); throw; }
        }
        const uInt in = static_cast<uInt>(std::min<std::size_t>(left, 1u << 30));
        const uInt room = static_cast<uInt>(std::min<std::size_t>(out.size() - used, 1u << 30));
        z.avail_in = in;
        z.next_out = out.data() + used;
        z.avail_out = room;
        status = inflate(&z, Z_NO_FLUSH);
        left -= in - z.avail_in;
        used += room - z.avail_out;
        if (status == Z_BUF_ERROR || (status == Z_OK && z.avail_in == in && z.avail_out == room)) break;
    }
    inflateEnd(&z);
    if (status != Z_STREAM_END && static_cast<std::int64_t>(used) >= max_bytes)
        throw failure(PEFT_E_UNSUPPORTED, "the deflated data set has more than " + std::to_string(max_bytes) +
                                              " bytes, the limit max_bytes");
    if (status != Z_STREAM_END) throw failure(PEFT_E_FORMAT, "the deflated data set is damaged or cut short");
    out.resize(used);
    return out;
}

void check(const OFCondition &c, const char *what)
{
    if (c.bad())
        throw failure(PEFT_E_FORMAT, std::string("the file is damaged or cut short; fetch it again (") + what + ": " +
                                         c.text() + ")");
}

// The data set's encoding, by its transfer syntax; first: its first 8 bytes. One that this DCMTK does not know is a
// compression, and those are in explicit little endian, but some programs write their elements without VR.
E_TransferSyntax encoding_of(const io_dicom_file *f, const std::uint8_t *first)
{
    if (f->syntax_uid.empty()) return EXS_Unknown;            // DCMTK looks at the first element
    const bool compressed = f->syntax == EXS_Unknown || DcmXfer(f->syntax).isEncapsulated();
    if (compressed && first && (first[4] < 'A' || first[5] < 'A')) return EXS_LittleEndianImplicit;
    return f->syntax == EXS_Unknown ? EXS_LittleEndianExplicit : f->syntax;
}

void read_data(io_dicom_file *f, memory_stream &stream, E_TransferSyntax encoding, bool header)
{
    // Parsing stops behind the windows (0028,1055), before the look-up tables, where only the header is wanted.
    const DcmTagKey stop = header ? DCM_ModalityLUTSequence : DCM_UndefinedTagKey;
    f->data.transferInit();
    const OFCondition c = f->data.readUntilTag(stream, encoding, EGL_noChange, EAGER_BYTES, stop);
    f->data.transferEnd();
    check(stream.status(), "data set");
    check(c, "data set");
    if (f->syntax_uid.empty()) {
        f->syntax = f->data.getOriginalXfer();
        f->syntax_uid = DcmXfer(f->syntax).getXferID();
    }
}

} // namespace

void parse(io_dicom_file *f, const std::uint8_t *data, std::size_t size, std::int64_t max_bytes, bool header)
{
    memory_stream stream(data, size, 0, true);
    DcmMetaInfo meta;
    meta.transferInit();
    const OFCondition c = meta.read(stream, EXS_Unknown, EGL_noChange, EAGER_BYTES);
    meta.transferEnd();
    check(c, "meta header");
    f->syntax_uid = text_of(&meta, DCM_TransferSyntaxUID);
    f->syntax = DcmXfer(f->syntax_uid.c_str()).getXfer();
    const std::size_t start = static_cast<std::size_t>(stream.tell());
    const std::uint8_t *first = size - start >= 8 ? data + start : nullptr;
    if (f->syntax != EXS_DeflatedLittleEndianExplicit) return read_data(f, stream, encoding_of(f, first), header);
    f->inflated = inflate_all(data + start, size - start, max_bytes);
    memory_stream plain(f->inflated.data(), f->inflated.size(), 0, true);
    read_data(f, plain, EXS_LittleEndianExplicit, header);
}
