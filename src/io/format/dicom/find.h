/* SPDX-License-Identifier: Apache-2.0
 * find.h -- io_dicom_find: loads the plug-in that reads DICOM files. */
#ifndef IO_DICOM_FIND_H
#define IO_DICOM_FIND_H
#include "io/format/dicom/plugin.h"
#include "io/io.h"

/* Sets *out to the functions of libpeft-dicom, which the first call loads: from the folder of the library or program
 * that holds this function, else by its soname. Any number of threads may call it. PEFT_E_UNSUPPORTED: it cannot be
 * loaded; further calls report the same reason and do not try again. */
peft_status io_dicom_find(const io_dicom_plugin **out);
#endif
