// SPDX-License-Identifier: Apache-2.0
// log.cc -- captured_log; see log.hpp. All of DCMTK's loggers are children of the logger "dcmtk": it gets an appender
// that looks which thread writes, and passes its messages on to the root logger only where this thread captures none.
#include "io/plugin/dicom/log.hpp"
#include "dcmtk/config/osconfig.h"
#include "dcmtk/oflog/oflog.h"
#include "dcmtk/oflog/appender.h"
#include "dcmtk/oflog/logger.h"
#include "dcmtk/oflog/spi/logevent.h"
#include <mutex>

namespace {

thread_local captured_log *current;

namespace cplus = dcmtk::log4cplus;

class capturing_appender : public cplus::Appender {
public:
    ~capturing_appender() override { destructorImpl(); }
    void close() override { closed = true; }

protected:
    void append(const cplus::spi::InternalLoggingEvent &event) override
    {
        if (current) current->add(event.getLogLevel() >= cplus::ERROR_LOG_LEVEL, event.getMessage().c_str());
        else cplus::Logger::getRoot().callAppenders(event);
    }
};

// Runs once; the appender stays until the process ends, as the plug-in does.
void install()
{
    OFLog::getLogger("dcmtk");                                // starts DCMTK's logging, where nothing has yet
    cplus::Logger logger = cplus::Logger::getInstance("dcmtk");
    logger.addAppender(cplus::SharedAppenderPtr(new capturing_appender));
    logger.setAdditivity(false);
}

} // namespace

captured_log::captured_log() : outer_(current)
{
    static std::once_flag once;
    std::call_once(once, install);
    current = this;
}

captured_log::~captured_log() { current = outer_; }

void captured_log::add(bool error, const char *message)
{
    std::string &kept = error ? error_ : warning_;
    if (kept.empty()) kept = message;
}
