/* SPDX-License-Identifier: Apache-2.0
 * fuzz.c -- what the fuzz targets share (fuzz.h). */
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

void fuzz_must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "fuzz: %s: %s\n", peft_status_name(s), peft_last_error());
    abort();
}

bool fuzz_any_valid;

bool fuzz_valid(peft_status s)
{
    fuzz_any_valid |= !s;
    if (s && getenv("FUZZ_VERBOSE")) fprintf(stderr, "  %s: %s\n", peft_status_name(s), peft_last_error());
    return !s;
}

static void no_log(int level, const char *message, void *user) { (void)level; (void)message; (void)user; }

peft_context *fuzz_context(void)
{
    static peft_context *ctx;
    if (ctx) return ctx;
    fuzz_must(peft_context_create(NULL, NULL, NULL, &ctx));
    fuzz_must(peft_context_set_log(ctx, no_log, NULL, 0));
    fuzz_must(peft_context_set_threads(ctx, 1));
    return ctx;
}

static void remove_content(int fd)
{
    DIR *d = fdopendir(fd);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !unlinkat(dirfd(d), e->d_name, 0)) continue;
        remove_content(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    if (d) closedir(d);
}

static void remove_folder(void)
{
    remove_content(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    rmdir(folder);
}

const char *fuzz_path(const char *name)
{
    static char path[4][512];
    static int next;
    if (!*folder) {
        const char *base = access("/dev/shm", W_OK) ? getenv("TMPDIR") : "/dev/shm";
        snprintf(folder, sizeof folder, "%s/peft-fuzz-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(folder)) perror(folder), abort();
        atexit(remove_folder);
    }
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

/* Opens the file, once: it stays open, since opening one for each input takes as long as a small parser. */
static int open_once(const char *path)
{
    static struct { char path[512]; int fd; } open_files[16];
    size_t i = 0;
    while (*open_files[i].path && strcmp(open_files[i].path, path))
        if (++i == sizeof open_files / sizeof *open_files) abort();
    if (*open_files[i].path) return open_files[i].fd;
    snprintf(open_files[i].path, sizeof open_files[i].path, "%s", path);
    return open_files[i].fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

const char *fuzz_write(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    const int fd = open_once(path);
    struct stat st;
    if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size || fstat(fd, &st)) perror(path), abort();
    if ((size_t)st.st_size != size && ftruncate(fd, (off_t)size)) perror(path), abort();
    return path;
}

peft_options *fuzz_options(const char *text)
{
    peft_options *o;
    fuzz_must(peft_options_create(fuzz_context(), &o));
    fuzz_must(peft_options_parse(o, text));
    return o;
}

peft_backbone *fuzz_backbone(void)
{
    static peft_backbone *b;
    if (b) return b;
    peft_options *o = fuzz_options("image_size=16,patch=4,width=8,depth=1,heads=2");
    fuzz_must(peft_backbone_create(fuzz_context(), o, &b));
    peft_options_free(o);
    return b;
}

peft_model *fuzz_model(const char *method, const char *options, peft_adapter **adapter)
{
    peft_model *m;
    peft_options *o = fuzz_options("classes=3");
    fuzz_must(peft_model_create(fuzz_backbone(), o, &m));
    peft_options_free(o);
    *adapter = NULL;
    if (!method) return m;
    o = fuzz_options(options);
    fuzz_must(peft_adapter_create(fuzz_backbone(), method, o, adapter));
    fuzz_must(peft_model_attach(m, *adapter));
    peft_options_free(o);
    return m;
}
