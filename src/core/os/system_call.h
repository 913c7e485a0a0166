/* SPDX-License-Identifier: Apache-2.0
 * system_call.h -- the macro by which the file code makes system calls: a test can make any of them fail
 * (pf_file_fault), and a call interrupted by a signal is repeated. */
#ifndef PF_SYSTEM_CALL_H
#define PF_SYSTEM_CALL_H
#include "core/os/file.h"
#include <errno.h>

/* Whether a test wants this call to fail; then errno is set. */
static inline bool pf_call_fails(const char *call)
{
    int e = pf_file_fault ? pf_file_fault(call) : 0;
    if (e) errno = e;
    return e != 0;
}

/* result = call, repeated while it fails with EINTR; name: of the call, for pf_file_fault. */
#define SYSTEM_CALL(result, name, call) \
    do { (result) = pf_call_fails(name) ? -1 : (call); } while ((result) == -1 && errno == EINTR)
#endif
