/* SPDX-License-Identifier: Apache-2.0
 * folder.c -- tensors and their configuration, exchanged so that a crash leaves the old pair, the new one, or tensors
 * without a configuration, and never one's configuration with the other's tensors. */
#include "core/format/folder.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/os/system_call.h"

typedef struct { peft_context *ctx; const char *dir; char *config, *tensors, *fresh; } place;

char *pf_path_join(peft_context *ctx, const char *dir, const char *name)
{
    size_t room = strlen(dir) + strlen(name) + 2;
    char *path = pf_alloc(ctx, room);
    if (!path) pf_nomem("path", room);
    else snprintf(path, room, "%s/%s", dir, name);
    return path;
}

static void place_free(place *p)
{
    pf_free(p->ctx, p->config);
    pf_free(p->ctx, p->tensors);
    pf_free(p->ctx, p->fresh);
}

static peft_status place_make(place *p, const char *tensors, const char *config)
{
    int r;
    SYSTEM_CALL(r, "mkdir", mkdir(p->dir, 0777));
    if (r && errno != EEXIST) return pf_fail(PEFT_E_IO, "%s: cannot be made: %s", p->dir, strerror(errno));
    char *link = pf_path_join(p->ctx, p->dir, tensors);
    p->config = link ? pf_path_join(p->ctx, p->dir, config) : NULL;
    peft_status s = p->config ? pf_file_target(p->ctx, link, &p->tensors) : PEFT_E_NOMEM;
    pf_free(p->ctx, link);
    if (s) return s;
    p->fresh = p->tensors ? pf_alloc(p->ctx, strlen(p->tensors) + sizeof ".new") : NULL;
    if (!p->fresh) return pf_nomem("path", 0);
    strcat(strcpy(p->fresh, p->tensors), ".new");
    return PEFT_OK;
}

static peft_status sync_folder(const place *p, const char *file)
{
    int fd = pf_open_folder_of(file), r = fd < 0 ? -1 : pf_sync_folder(fd);
    peft_status s = PEFT_OK;
    if (r) s = pf_fail(PEFT_E_IO, "%s: the folder could not be brought to the disk: %s", p->dir, strerror(errno));
    if (fd >= 0) close(fd);
    return s;
}

/* A configuration of other tensors must not stand beside the new ones. */
static peft_status remove_other(const place *p, const char *text)
{
    pf_map *map;
    int r;
    SYSTEM_CALL(r, "stat", access(p->config, F_OK));
    if (r && errno == ENOENT) return PEFT_OK;
    PF_TRY(pf_map_read(p->ctx, p->config, SIZE_MAX, &map));
    bool same = pf_map_size(map) == strlen(text) && !memcmp(pf_map_data(map), text, strlen(text));
    pf_map_close(map);
    if (same) return PEFT_OK;
    SYSTEM_CALL(r, "unlink", unlink(p->config));
    return r ? pf_fail(PEFT_E_IO, "%s: cannot be removed: %s", p->config, strerror(errno)) : sync_folder(p, p->config);
}

static peft_status exchange(const place *p, const char *text)
{
    int r;
    PF_TRY(remove_other(p, text));
    SYSTEM_CALL(r, "rename", rename(p->fresh, p->tensors));
    if (r) return pf_fail(PEFT_E_IO, "%s: cannot be replaced: %s", p->tensors, strerror(errno));
    return sync_folder(p, p->tensors);
}

static peft_status write_both(const place *p, pf_st_out *o, const char *text)
{
    pf_writer *w = NULL;
    peft_status s = pf_st_out_write(o, p->fresh);
    if (!s) s = pf_writer_open(p->ctx, p->config, &w);
    if (!s) s = pf_writer_write(w, text, strlen(text));
    if (!s) s = exchange(p, text);
    if (!s) return pf_writer_commit(w);
    pf_writer_abandon(w);
    unlink(p->fresh);
    return s;
}

peft_status pf_folder_write(peft_context *ctx, const char *dir, const char *tensors, pf_st_out *o, const char *config,
                            const char *text)
{
    place p = { .ctx = ctx, .dir = dir };
    peft_status s = place_make(&p, tensors, config);
    if (!s) s = write_both(&p, o, text);
    place_free(&p);
    return s;
}
