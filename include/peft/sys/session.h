/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/session.h -- keeps a session alive, for objects of companion libraries that run one. Part of the systems
 * interface, whose promise method.h states. */
#ifndef PEFT_SYS_SESSION_H
#define PEFT_SYS_SESSION_H
#include <peft/session.h>
PEFT_BEGIN_DECLS

/* Adds a reference to s and returns s; each peft_session_free removes one, and the last frees s. */
PEFT_API peft_session *peft_sys_session_retain(peft_session *s);

PEFT_END_DECLS
#endif
