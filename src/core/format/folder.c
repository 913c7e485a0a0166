/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- writes a folder of tensors and their configuration; see folder.h. A crash leaves the old pair, the new
 * pair, or tensors without a configuration, but never the configuration of one pair with the tensors of the other. */
#include "core/format/folder.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/os/system_call.h"

/* The folder, and the paths of the configuration and of the tensors in it, symbolic links followed for the tensors;
 * new_tensors: where the new tensors are until they are renamed to `tensors`. */
typedef struct { peft_context *ctx; const char *dir; char *config, *tensors, *new_tensors; } paths;

char *pf_path_join(peft_context *ctx, const char *dir, const char *name)
{
    size_t bytes = strlen(dir) + strlen(name) + 2;
    char *path = pf_alloc(ctx, bytes);
    if (!path) pf_nomem("path", bytes);
    else snprintf(path, bytes, "%s/%s", dir, name);
    return path;
}

static void paths_free(paths *p)
{
    pf_free(p->ctx, p->config);
    pf_free(p->ctx, p->tensors);
    pf_free(p->ctx, p->new_tensors);
}

/* Makes the folder if it is missing, and the paths of the files of these names. paths_free frees them in every case. */
static peft_status paths_make(paths *p, const char *tensors_name, const char *config_name)
{
    int r;
    SYSTEM_CALL(r, "mkdir", mkdir(p->dir, 0777));
    if (r && errno != EEXIST) return pf_fail(PEFT_E_IO, "%s: cannot be created: %s", p->dir, strerror(errno));
    char *path = pf_path_join(p->ctx, p->dir, tensors_name);
    p->config = path ? pf_path_join(p->ctx, p->dir, config_name) : NULL;
    peft_status s = p->config ? pf_file_target(p->ctx, path, &p->tensors) : PEFT_E_NOMEM;
    pf_free(p->ctx, path);
    if (s) return s;
    const size_t bytes = strlen(p->tensors) + sizeof ".new";
    p->new_tensors = pf_alloc(p->ctx, bytes);
    if (!p->new_tensors) return pf_nomem("path", bytes);
    strcat(strcpy(p->new_tensors, p->tensors), ".new");
    return PEFT_OK;
}

/* Flushes the folder that holds `file` to the disk. */
static peft_status sync_folder(const paths *p, const char *file)
{
    int fd = pf_open_folder_of(file), r = fd < 0 ? -1 : pf_sync_folder(fd);
    peft_status s = PEFT_OK;
    if (r) s = pf_fail(PEFT_E_IO, "%s: the folder could not be flushed to the disk: %s", p->dir, strerror(errno));
    if (fd >= 0) close(fd);
    return s;
}

/* Removes the old configuration if it differs from the new one (config_text): it must not describe the new tensors. */
static peft_status remove_old_config(const paths *p, const char *config_text)
{
    pf_map *map;
    int r;
    SYSTEM_CALL(r, "stat", access(p->config, F_OK));       /* the tests' name for all calls that examine a file */
    if (r && errno == ENOENT) return PEFT_OK;
    PF_TRY(pf_map_read(p->ctx, p->config, PF_WHOLE_FILE, &map));
    bool same = pf_map_size(map) == strlen(config_text) && !memcmp(pf_map_data(map), config_text, strlen(config_text));
    pf_map_close(map);
    if (same) return PEFT_OK;
    SYSTEM_CALL(r, "unlink", unlink(p->config));
    return r ? pf_fail(PEFT_E_IO, "%s: cannot be removed: %s", p->config, strerror(errno)) : sync_folder(p, p->config);
}

/* Removes the old configuration if it would not fit, and renames the new tensors over the old ones. */
static peft_status replace_tensors(const paths *p, const char *config_text)
{
    int r;
    PF_TRY(remove_old_config(p, config_text));
    SYSTEM_CALL(r, "rename", rename(p->new_tensors, p->tensors));
    if (r) return pf_fail(PEFT_E_IO, "%s: cannot be replaced: %s", p->tensors, strerror(errno));
    return sync_folder(p, p->tensors);
}

/* Writes both new files beside the old ones; then puts the tensors and last the configuration in their place. */
static peft_status write_both(const paths *p, pf_st_out *o, const char *config_text)
{
    pf_writer *w = NULL;
    peft_status s = pf_st_out_write(o, p->new_tensors);
    if (!s) s = pf_writer_open(p->ctx, p->config, &w);
    if (!s) s = pf_writer_write(w, config_text, strlen(config_text));
    if (!s) s = replace_tensors(p, config_text);
    if (!s) return pf_writer_commit(w);
    pf_writer_abandon(w);
    unlink(p->new_tensors);
    return s;
}

peft_status pf_folder_write(peft_context *ctx, const char *dir, const char *tensors_name, pf_st_out *o,
                            const char *config_name, const char *config_text)
{
    paths p = { .ctx = ctx, .dir = dir };
    peft_status s = paths_make(&p, tensors_name, config_name);
    if (!s) s = write_both(&p, o, config_text);
    paths_free(&p);
    return s;
}
