/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_STATUS_H
#define PEFT_STATUS_H
#include <peft/export.h>
PEFT_BEGIN_DECLS

/* Values are frozen for ever; new codes are appended. Every function that can fail returns one. */
typedef enum peft_status {
    PEFT_OK             = 0,
    PEFT_E_INVALID      = -1,  /* an argument is NULL, out of range or malformed */
    PEFT_E_NOMEM        = -2,  /* the allocator returned NULL; the object is unchanged */
    PEFT_E_IO           = -3,  /* the system refused to open, read, write or map */
    PEFT_E_FORMAT       = -4,  /* a file is not what it claims to be */
    PEFT_E_SHAPE        = -5,  /* tensor ranks or extents do not fit */
    PEFT_E_DTYPE        = -6,
    PEFT_E_NOTFOUND     = -7,  /* no such method, parameter or tensor */
    PEFT_E_OPTION       = -8,  /* unknown option, wrong type, or out of its bounds */
    PEFT_E_STATE        = -9,  /* valid call, wrong moment */
    PEFT_E_UNSUPPORTED  = -10,
    PEFT_E_MISMATCH     = -11, /* the adapter was trained for another backbone */
    PEFT_E_CANCELLED    = -12, /* a callback returned non-zero */
    PEFT_E_NONFINITE    = -13, /* loss or gradient is NaN or Inf */
    PEFT_E_INTERNAL     = -99
} peft_status;

PEFT_API const char *peft_status_name(peft_status s);   /* "PEFT_E_SHAPE"; never NULL */
PEFT_API const char *peft_last_error(void);             /* this thread's last failure; never NULL; valid
                                                           until the next failing call on this thread */
PEFT_API unsigned    peft_version_number(void);         /* major*10000 + minor*100 + patch, at run time */
PEFT_API const char *peft_version_string(void);
PEFT_API const char *peft_build_info(void);             /* compiler, BLAS, compiled ISAs, options */

PEFT_END_DECLS
#endif
