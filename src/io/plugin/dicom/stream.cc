// SPDX-License-Identifier: Apache-2.0
// stream.cc -- memory_stream; see stream.hpp.
#include "io/plugin/dicom/stream.hpp"
#include "dcmtk/dcmdata/dcerror.h"
#include <cstring>

namespace {

constexpr std::uintptr_t STACK_LIMIT = 96 << 10;              // bytes; some 100 nested sequences

class memory_factory : public DcmInputStreamFactory {
public:
    memory_factory(const std::uint8_t *data, std::size_t size, std::size_t start)
        : data_(data), size_(size), start_(start) {}
    DcmInputStream *create() const override { return new memory_stream(data_, size_, start_, false); }
    DcmInputStreamFactory *clone() const override { return new memory_factory(*this); }
    // DCMTK treats only temporary files in another way than files.
    DcmInputStreamFactoryType ident() const override { return DFT_DcmInputFileStreamFactory; }

private:
    const std::uint8_t *data_;
    std::size_t size_, start_;
};

std::uintptr_t stack_address()
{
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

} // namespace

memory_producer::memory_producer(const std::uint8_t *data, std::size_t size, std::size_t start, bool guard)
    : data_(data), size_(size), at_(start < size ? start : size), stack_(guard ? stack_address() : 0),
      status_(EC_Normal)
{
}

bool memory_producer::too_deep() const
{
    const std::uintptr_t here = stack_address();
    return stack_ && (here < stack_ ? stack_ - here : here - stack_) > STACK_LIMIT;
}

// DCMTK asks for this before it reads a tag.
offile_off_t memory_producer::avail()
{
    if (too_deep()) status_ = makeOFCondition(OFM_dcmdata, 9000, OF_error, "sequences are nested too deeply");
    return good() ? static_cast<offile_off_t>(size_ - at_) : 0;
}

offile_off_t memory_producer::read(void *buffer, offile_off_t length)
{
    const offile_off_t n = avail() < length ? avail() : length;
    if (n <= 0) return 0;
    std::memcpy(buffer, data_ + at_, static_cast<std::size_t>(n));
    at_ += static_cast<std::size_t>(n);
    return n;
}

offile_off_t memory_producer::skip(offile_off_t length)
{
    const offile_off_t n = avail() < length ? avail() : length;
    if (n <= 0) return 0;
    at_ += static_cast<std::size_t>(n);
    return n;
}

void memory_producer::putback(offile_off_t length)
{
    if (length < 0 || static_cast<std::size_t>(length) > at_) status_ = EC_PutbackFailed;
    else at_ -= static_cast<std::size_t>(length);
}

memory_stream::memory_stream(const std::uint8_t *data, std::size_t size, std::size_t start, bool guard)
    : DcmInputStream(&producer_), producer_(data, size, start, guard), data_(data), size_(size), start_(start)
{
}

// tell() counts from the start of this stream.
DcmInputStreamFactory *memory_stream::newFactory() const
{
    return new memory_factory(data_, size_, start_ + static_cast<std::size_t>(tell()));
}
