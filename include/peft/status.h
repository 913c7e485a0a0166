/* SPDX-License-Identifier: Apache-2.0
 * status.h -- status codes, error messages and version of the library, and the rules of the whole interface.
 *
 * A call that can fail returns a peft_status. On failure its outputs are untouched, its objects stay usable, and
 * peft_last_error tells this thread which argument was wrong, what was given and what was expected. Unless a function
 * says otherwise, a NULL where an object or text is needed is PEFT_E_INVALID, and any call that makes something or
 * stores a copy may return PEFT_E_NOMEM.
 *
 * Ownership: a pointer that a function returns is borrowed from its object; one that it writes to `T **out` is the
 * caller's, who calls its _free once. Objects may be freed in any order; NULL may be freed. Threads: different objects
 * may be used by different threads at once, one object by one thread at a time, except that a backbone, and any object
 * through a const pointer, may be read by many; session.h has a table for models and adapters. */
#ifndef PEFT_STATUS_H
#define PEFT_STATUS_H
#include <peft/export.h>
PEFT_BEGIN_DECLS

/* Values never change; later versions may append codes, so that programs must handle others than these. */
typedef enum peft_status {
    PEFT_OK             = 0,   /* the call did what it was asked */
    PEFT_E_INVALID      = -1,  /* an argument is NULL, out of range or malformed */
    PEFT_E_NOMEM        = -2,  /* no memory: the allocator returned NULL */
    PEFT_E_IO           = -3,  /* the system refused to open, read, write or map */
    PEFT_E_FORMAT       = -4,  /* a file is malformed, or not of the expected kind */
    PEFT_E_SHAPE        = -5,  /* tensor ranks or extents do not fit */
    PEFT_E_DTYPE        = -6,  /* an element type is unknown or not the one needed */
    PEFT_E_NOTFOUND     = -7,  /* no such method, parameter or tensor */
    PEFT_E_OPTION       = -8,  /* unknown option, wrong type, or out of its bounds */
    PEFT_E_STATE        = -9,  /* the call is not allowed in the present state */
    PEFT_E_UNSUPPORTED  = -10, /* this build, CPU or method cannot do it */
    PEFT_E_MISMATCH     = -11, /* a file or object belongs to another backbone or other settings */
    PEFT_E_CANCELLED    = -12, /* a callback returned non-zero */
    PEFT_E_NONFINITE    = -13, /* NaN or Inf: in a file, in a loss or gradient, or in a logit */
    PEFT_E_INTERNAL     = -99  /* an error in the library: please report it */
} peft_status;

/* The code's own name, "PEFT_E_SHAPE"; "unknown status" for any other number. Never NULL, never freed. */
PEFT_API const char *peft_status_name(peft_status s);

/* One line about this thread's last failure, "" before the first. Never NULL; borrowed, and valid until the next
 * failing call on this thread. A call that succeeds leaves it as it is. At most 1023 bytes: of a longer text (of a
 * path, as a rule) the middle is replaced by "...". */
PEFT_API const char *peft_last_error(void);

/* For companion libraries and callbacks: sets this thread's peft_last_error to message (NULL: ""), and returns s. */
PEFT_API peft_status peft_set_error(peft_status s, const char *message);

/* The version of these headers: numbers for #if, and text. PEFT_VERSION_NUMBER is major*10000 + minor*100 + patch:
 * #if PEFT_VERSION_NUMBER >= 10200 is true from version 1.2.0 on. CMakeLists.txt reads the three numbers here. */
#define PEFT_VERSION_MAJOR 1
#define PEFT_VERSION_MINOR 0
#define PEFT_VERSION_PATCH 0
#define PEFT_VERSION_NUMBER (PEFT_VERSION_MAJOR * 10000 + PEFT_VERSION_MINOR * 100 + PEFT_VERSION_PATCH)
#define PEFT_VERSION_STRING \
    PEFT_STRINGIFY(PEFT_VERSION_MAJOR) "." PEFT_STRINGIFY(PEFT_VERSION_MINOR) "." PEFT_STRINGIFY(PEFT_VERSION_PATCH)
#define PEFT_STRINGIFY(x)  PEFT_STRINGIFY_(x)       /* the text of x after macros in it are expanded */
#define PEFT_STRINGIFY_(x) #x

/* The version of the loaded library, which may be newer than the headers that the program was compiled with, in the
 * forms of PEFT_VERSION_NUMBER and PEFT_VERSION_STRING ("1.2.0"). */
PEFT_API unsigned    peft_version_number(void);
PEFT_API const char *peft_version_string(void);

/* One line for bug reports: version, compiler, BLAS, compiled instruction sets, the type that values are computed in
 * ("reals: float"). */
PEFT_API const char *peft_build_info(void);

PEFT_END_DECLS
#endif
