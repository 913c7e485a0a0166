// SPDX-License-Identifier: Apache-2.0
// stream.hpp -- memory_stream: a file in memory as DCMTK's input stream. Elements are not copied while DCMTK parses: it
// skips their values and reads them later from the same memory, so that a length in a damaged file allocates nothing.
#ifndef PEFT_DICOM_STREAM_H
#define PEFT_DICOM_STREAM_H
#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dcistrma.h"
#include <cstddef>
#include <cstdint>

// The bytes data[size], from `start` on. While it guards, it fails once the stack is deeper than at its creation by
// STACK_LIMIT: DCMTK reads nested sequences by recursion, as deep as the file says.
class memory_producer : public DcmProducer {
public:
    memory_producer(const std::uint8_t *data, std::size_t size, std::size_t start, bool guard);
    OFBool good() const override { return status_.good(); }
    OFCondition status() const override { return status_; }
    OFBool eos() override { return at_ >= size_; }
    offile_off_t avail() override;
    offile_off_t read(void *buffer, offile_off_t length) override;
    offile_off_t skip(offile_off_t length) override;
    void putback(offile_off_t length) override;

private:
    bool too_deep() const;
    const std::uint8_t *data_;
    std::size_t size_, at_;
    std::uintptr_t stack_;                                    // an address on the stack; 0: no guard
    OFCondition status_;
};

class memory_stream : public DcmInputStream {
public:
    memory_stream(const std::uint8_t *data, std::size_t size, std::size_t start, bool guard);
    DcmInputStreamFactory *newFactory() const override;

private:
    memory_producer producer_;
    const std::uint8_t *data_;
    std::size_t size_, start_;
};
#endif
