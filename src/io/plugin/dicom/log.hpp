// SPDX-License-Identifier: Apache-2.0
// log.hpp -- takes DCMTK's log messages, which would go to stderr, into the error messages of the plug-in.
#ifndef PEFT_DICOM_LOG_H
#define PEFT_DICOM_LOG_H
#include <string>

// While an object of this class lives, messages that DCMTK writes on this thread are kept: the first error of them, or
// else the first warning. Those of other threads, where the program itself uses DCMTK, go where they went.
class captured_log {
public:
    captured_log();
    ~captured_log();
    captured_log(const captured_log &) = delete;
    captured_log &operator=(const captured_log &) = delete;
    const std::string &text() const { return error_.empty() ? warning_ : error_; }
    void add(bool error, const char *message);

private:
    captured_log *outer_;
    std::string error_, warning_;
};
#endif
