// SPDX-License-Identifier: Apache-2.0
// codestream.cc -- read_codestream; see codestream.hpp.
#include "io/plugin/dicom/codestream.hpp"
#include <cstring>

namespace {

enum marker { SOI = 0xd8, SOS = 0xda, APP0 = 0xe0, SOF_FIRST = 0xc0, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc,
              SOF_LAST = 0xcf, SOF_LS = 0xf7 };

bool is_frame_header(int m)
{
    return m == SOF_LS || (m >= SOF_FIRST && m <= SOF_LAST && m != DHT && m != JPG && m != DAC);
}

// The frame header, whose segment is s[length].
void read_frame_header(const std::uint8_t *s, std::size_t length, codestream *out)
{
    if (length < 8) return;
    out->precision = s[2];
    out->rows = s[3] << 8 | s[4];
    out->columns = s[5] << 8 | s[6];
    out->channels = s[7];
    if (out->channels != 3 || length < 17) return;
    const std::uint8_t ids[3] = { s[8], s[11], s[14] };
    if (!std::memcmp(ids, "RGB", 3) || !std::memcmp(ids, "rgb", 3)) out->colour = codestream::IS_RGB;
}

} // namespace

codestream read_codestream(const std::uint8_t *data, std::size_t size)
{
    codestream found{};
    for (std::size_t at = 0; at + 4 <= size;) {
        if (data[at] != 0xff) return found;
        const int m = data[at + 1];
        if (m == SOI || m == 0xff) {
            at += m == SOI ? 2 : 1;
            continue;
        }
        const std::size_t length = static_cast<std::size_t>(data[at + 2] << 8 | data[at + 3]);
        if (m == SOS || length < 2 || length > size - at - 2) return found;
        const std::uint8_t *segment = data + at + 2;
        if (m == APP0 && length >= 7 && !std::memcmp(segment + 2, "JFIF", 5)) found.colour = codestream::IS_YBR;
        if (is_frame_header(m)) read_frame_header(segment, length, &found);
        at += 2 + length;
    }
    return found;
}
