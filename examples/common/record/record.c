/* SPDX-License-Identifier: Apache-2.0
 * record.c -- parts of a training record (record.h). */
#include "record.h"
#include "common/data/data.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char *record_path(const char *model)
{
    char *path;
    if (asprintf(&path, "%s.record.json", model) < 0) fail("out of memory");
    return path;
}

void record_head(json_writer *w, const char *program, int argc, char **argv)
{
    char date[40];
    const time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_text(w, "format", "libpeft.record.1");
    json_text(w, "library", peft_version_string());
    json_text(w, "program", program);
    json_text(w, "date", date);
    json_list(w, "command");
    for (int i = 0; i < argc; i++) json_text(w, NULL, argv[i]);
    json_close(w);
}

void record_backbone(json_writer *w, const training_run *t)
{
    json_object(w, "backbone");
    json_text(w, "path", t->backbone);
    json_text(w, "fingerprint", peft_backbone_fingerprint(t->vit));
    json_text(w, "description", peft_model_note(t->model, "backbone"));
    json_close(w);
}

void record_flags(json_writer *w, const flag *flags, int count)
{
    json_object(w, "options");
    for (int i = 0; i < count; i++)
        if (flags[i].value) json_text(w, name_of_flag(&flags[i]).text, flags[i].value);
    json_close(w);
    json_list(w, "given");
    for (int i = 0; i < count; i++)
        if (flags[i].source != FROM_DEFAULT) json_text(w, NULL, name_of_flag(&flags[i]).text);
    json_close(w);
}

void record_method(json_writer *w, peft_model *m)
{
    json_list(w, "methods");
    for (size_t k = 0; k < peft_model_adapter_count(m); k++) {
        const peft_adapter *a = peft_model_adapter(m, k);
        const peft_option *option;
        json_object(w, NULL);
        json_text(w, "method", peft_adapter_method(a));
        json_object(w, "options");
        for (size_t i = 0; (option = peft_adapter_option(a, i)); i++)
            json_text(w, peft_option_name(option), peft_adapter_option_value(a, peft_option_name(option)));
        json_close(w);
        json_list(w, "changed");
        for (size_t i = 0; (option = peft_adapter_option(a, i)); i++) {
            const char *name = peft_option_name(option);
            if (strcmp(peft_adapter_option_value(a, name), peft_option_fallback(option))) json_text(w, NULL, name);
        }
        json_close(w);
        json_close(w);
    }
    json_close(w);
    json_integer(w, "trainable_parameters", peft_model_trainable_count(m));
}

bool hash_file(const char *path, char hex[65])
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool hashed = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
    if (hashed && !st.st_size) peft_sha256(NULL, 0, hex);
    else if (hashed) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        hashed = data != MAP_FAILED;
        if (hashed) {
            peft_sha256(data, (size_t)st.st_size, hex);
            munmap(data, (size_t)st.st_size);
        }
    }
    if (fd >= 0) close(fd);
    return hashed;
}

bool hash_image(const peft_dataset *d, int64_t i, char hex[65])
{
    const char *name = peft_dataset_name(d, i);
    if (i && are_of_one_file(peft_dataset_name(d, i - 1), name)) return *hex;
    char *file = file_of_image(name);
    const bool hashed = hash_file(name, hex) || hash_file(file, hex);        /* a file may be named like a slice */
    if (!hashed) *hex = 0;
    free(file);
    return hashed;
}

/* "files", and "content_sha256": the digest of the lines "SHA-256  name" of all files. */
static void record_files(json_writer *w, const char *path, const peft_dataset *d)
{
    char hex[65], *lines;
    size_t size;
    FILE *f = check_alloc(open_memstream(&lines, &size));
    json_list(w, "files");
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        if (i && are_of_one_file(peft_dataset_name(d, i - 1), peft_dataset_name(d, i))) continue;
        const bool is_file = hash_image(d, i, hex);
        char *name = file_of_image(peft_dataset_name(d, i));
        json_object(w, NULL);
        json_text(w, "name", name);
        if (is_file) json_text(w, "sha256", hex);
        json_close(w);
        if (is_file) fprintf(f, "%s  %s\n", hex, name);
        free(name);
    }
    json_close(w);
    if (fclose(f)) fail("out of memory");
    if (path && hash_file(path, hex)) json_text(w, "path_sha256", hex);       /* an archive, a table or a list */
    if (size) peft_sha256(lines, size, hex);
    json_text(w, "content_sha256", size ? hex : NULL);
    free(lines);
}

void record_images(json_writer *w, const char *name, const char *path, const char *source, const peft_dataset *d)
{
    char digest[65];
    int64_t *count = count_classes(d), patients;
    json_object(w, name);
    json_text(w, "path", path);
    json_text(w, "source", source);
    json_integer(w, "images", peft_dataset_count(d));
    json_object(w, "classes");
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) json_integer(w, peft_dataset_class_name(d, c), count[c]);
    json_close(w);
    must(peft_dataset_shared_groups(d, d, 0, NULL, NULL, &patients));
    if (peft_dataset_has_groups(d)) json_integer(w, "patients", patients);
    else json_null(w, "patients");
    must(peft_dataset_digest(d, digest));
    json_text(w, "digest", digest);
    record_files(w, path, d);
    json_close(w);
    free(count);
}
