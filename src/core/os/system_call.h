/* SPDX-License-Identifier: Apache-2.0
 * system_call.h -- how the file code calls the system: a test may make any call fail, an interrupted one is redone. */
#ifndef PF_SYSTEM_CALL_H
#define PF_SYSTEM_CALL_H
#include "core/os/file.h"
#include <errno.h>

static inline bool pf_call_fails(const char *call)
{
    int e = pf_file_fault ? pf_file_fault(call) : 0;
    if (e) errno = e;
    return e != 0;
}

/* result = call, or -1 with errno set. */
#define SYSTEM_CALL(result, name, call) \
    do { (result) = pf_call_fails(name) ? -1 : (call); } while ((result) == -1 && errno == EINTR)
#endif
