// SPDX-License-Identifier: Apache-2.0
// table.cc -- look-up tables: modality, VOI, and colours of a palette, which may be stored in segments.
#include "io/plugin/dicom/file.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

typedef std::vector<std::uint16_t> words;

// The most words that a segment takes for an entry.
constexpr std::size_t SEGMENT_WORDS = 3;

// The first words of an element, at most `most`: no more are read, however long the element is.
words read_words(DcmElement *element, std::size_t most)
{
    const DcmEVR vr = element->ident();
    const bool bytes = vr == EVR_OB || vr == EVR_UN || vr == EVR_ox;
    if (!bytes && vr != EVR_OW && vr != EVR_US && vr != EVR_SS && vr != EVR_lt && vr != EVR_xs) return words();
    words out(std::min<std::size_t>(element->getLength() / 2, most));
    if (out.empty() || element->getPartialValue(out.data(), 0, static_cast<Uint32>(2 * out.size())).bad())
        return words();
    for (std::size_t i = 0; i < out.size() && bytes; i++) {
        std::uint8_t part[2];
        std::memcpy(part, &out[i], 2);
        out[i] = static_cast<std::uint16_t>(part[0] | part[1] << 8);
    }
    return out;
}

// Entries of 8 bits, two in a word, the lower ones first.
words split(const words &both)
{
    words out;
    for (std::uint16_t w : both) {
        out.push_back(w & 0xff);
        out.push_back(w >> 8);
    }
    return out;
}

// The first `count` entries of an element: 16 bits each, or, where it is too short for that, 8 bits each. Empty: it is
// too short for that too.
words read_entries(DcmElement *element, std::size_t count)
{
    words out = read_words(element, count);
    if (out.size() < count) out = split(out);
    if (out.size() < count) return words();
    out.resize(count);
    return out;
}

// Expands segments to `count` entries: 0, n, values..; or 1, n, end: n values on a line from the last one to the end.
// Empty: damaged, or with indirect segments.
words expand(const words &s, std::size_t count)
{
    words out;
    for (std::size_t at = 0; at + 2 < s.size() && out.size() < count;) {
        const std::size_t kind = s[at], n = s[at + 1];
        at += 2;
        if (n > count - out.size() || (kind == 0 && n > s.size() - at)) return words();
        if (kind == 0) {
            const auto first = s.begin() + static_cast<std::ptrdiff_t>(at);
            out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(n));
            at += n;
        } else if (kind == 1 && !out.empty() && n) {
            const double last = s[at++], step = (last - out.back()) / static_cast<double>(n), first = out.back() + step;
            const double delta = n > 1 ? (last - first) / static_cast<double>(n - 1) : 0;
            for (std::size_t i = 0; i < n; i++)
                out.push_back(static_cast<std::uint16_t>(
                    std::nearbyint(i + 1 < n ? first + static_cast<double>(i) * delta : last)));
        } else return words();
    }
    return out.size() == count ? out : words();
}

// A descriptor: how many entries there are, 0 for 65536; the input of the first; bits of an entry.
struct description {
    std::size_t entries;
    std::int64_t first;
    int bits;
};

// is_signed: what an element of unsigned numbers means; one of signed numbers says it itself. false: the element is
// absent, too short or has no such bits.
bool read_descriptor(DcmItem *item, const DcmTagKey &tag, bool is_signed, description *out)
{
    Uint16 part[3];
    for (unsigned long i = 0; i < 3; i++) {
        Sint16 negative = 0;
        if (item->findAndGetUint16(tag, part[i], i).good()) continue;
        if (item->findAndGetSint16(tag, negative, i).bad()) return false;
        part[i] = static_cast<Uint16>(negative);
        is_signed = true;
    }
    out->entries = part[0] ? part[0] : 65536;
    out->first = is_signed ? static_cast<Sint16>(part[1]) : part[1];
    out->bits = part[2];
    return out->bits >= 1 && out->bits <= 16;
}

// The table of a descriptor and entries, which `keep` holds.
io_dicom_table make_table(const description &d, words entries, std::deque<words> &keep)
{
    io_dicom_table t{};
    keep.push_back(std::move(entries));
    t.entries = static_cast<std::int64_t>(keep.back().size());
    t.first = d.first;
    t.bits = d.bits;
    t.entry = keep.back().data();
    t.name = "";
    return t;
}

} // namespace

io_dicom_table table_of(DcmItem *item, const DcmTagKey &descriptor, const DcmTagKey &entries, bool is_signed,
                        std::deque<words> &keep)
{
    description d;
    DcmElement *element = nullptr;
    io_dicom_table none{};
    none.name = "";
    if (!read_descriptor(item, descriptor, is_signed, &d)) return none;
    if (item->findAndGetElement(entries, element).bad() || !element) return none;
    return make_table(d, read_entries(element, d.entries), keep);
}

io_dicom_table palette_of(DcmItem *item, Uint16 colour, bool is_signed, std::deque<words> &keep)
{
    const DcmTagKey descriptor(0x0028, static_cast<Uint16>(0x1101 + colour));
    const DcmTagKey plain(0x0028, static_cast<Uint16>(0x1201 + colour));
    const DcmTagKey segmented(0x0028, static_cast<Uint16>(0x1221 + colour));
    description d;
    DcmElement *element = nullptr;
    const io_dicom_table t = table_of(item, descriptor, plain, is_signed, keep);
    if (t.entries || !read_descriptor(item, descriptor, is_signed, &d)) return t;
    if (item->findAndGetElement(segmented, element).bad() || !element) return t;
    const words segments = read_words(element, SEGMENT_WORDS * d.entries);
    return make_table(d, expand(d.bits <= 8 ? split(segments) : segments, d.entries), keep);
}
