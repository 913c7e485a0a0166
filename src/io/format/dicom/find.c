/* SPDX-License-Identifier: Apache-2.0
 * find.c -- loads the plug-in libpeft-dicom by dlopen when a DICOM file is met for the first time; see find.h. The
 * build defines IO_DICOM_SONAME, the soname of the plug-in. */
#include "io/format/dicom/find.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { LONGEST_PATH = 4096, LONGEST_REASON = LONGEST_PATH + 200 };

/* The plug-in, once loaded, or why it was not. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const io_dicom_plugin *loaded;
static char failed[LONGEST_REASON];                           /* "": not tried yet */

/* Loads the file of that path or soname. NULL: *reason says why not. The plug-in stays loaded, as DCMTK keeps state
 * of its own until the process ends. */
static const io_dicom_plugin *open_plugin(const char *name, char reason[LONGEST_REASON])
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = library ? dlsym(library, IO_DICOM_SYMBOL) : NULL;
    const char *error = symbol ? NULL : dlerror();
    io_dicom_entry *entry;
    if (!symbol) {
        snprintf(reason, LONGEST_REASON, "%s", error ? error : name);
        if (library) dlclose(library);
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof entry);                    /* ISO C has no cast from void * to a function */
    const io_dicom_plugin *plugin = entry();
    if (plugin->version == IO_DICOM_VERSION) return plugin;
    snprintf(reason, LONGEST_REASON, "%s has the interface version %u, expected %u: install that of this libpeft", name,
             (unsigned)plugin->version, IO_DICOM_VERSION);
    return NULL;
}

/* Writes the path of the plug-in beside the library or program that holds this code; false: not known, or too long. */
static bool path_beside(char *path, size_t size)
{
    Dl_info here;
    static const char marker;                                 /* an address in this library */
    if (!dladdr(&marker, &here) || !here.dli_fname) return false;
    const char *slash = strrchr(here.dli_fname, '/');
    if (!slash) return false;
    return snprintf(path, size, "%.*s/%s", (int)(slash - here.dli_fname), here.dli_fname, IO_DICOM_SONAME) < (int)size;
}

/* Loads the plug-in beside this library, if a file lies there, else that of the system. */
static void load(void)
{
    char path[LONGEST_PATH];
    const bool beside = path_beside(path, sizeof path) && !access(path, F_OK);
    loaded = open_plugin(beside ? path : IO_DICOM_SONAME, failed);
}

peft_status io_dicom_find(const io_dicom_plugin **out)
{
    pthread_mutex_lock(&lock);
    if (!loaded && !*failed) load();
    *out = loaded;
    pthread_mutex_unlock(&lock);
    if (*out) return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "DICOM: the plug-in that reads such files was not loaded (%s); build libpeft "
                   "where DCMTK is installed (Debian: libdcmtk-dev) and install %s beside libpeft-io", failed,
                   IO_DICOM_SONAME);
}
