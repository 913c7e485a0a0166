/* SPDX-License-Identifier: Apache-2.0
 * replay.c -- runs a fuzz target, without libFuzzer and with any compiler, over files and over the files in folders:
 *   replay_<parser> [FILE_OR_FOLDER..] */
#include "fuzz.h"
#include <dirent.h>
#include <sys/stat.h>

static size_t files, valid;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st)) perror(path), exit(1);
    uint8_t *data = malloc((size_t)st.st_size + 1);
    if (!data || fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) perror(path), exit(1);
    fclose(f);
    fprintf(stderr, "%s\n", path);                       /* the last line names the file that stopped the program */
    fuzz_any_valid = false;
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    valid += fuzz_any_valid;
    free(data);
    files++;
}

static void run_folder(const char *path)
{
    struct dirent **entry;
    const int n = scandir(path, &entry, NULL, alphasort);
    if (n < 0) perror(path), exit(1);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
        if (*entry[i]->d_name != '.') run_file(file);
        free(entry[i]);
    }
    free(entry);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st)) perror(argv[i]), exit(1);
        if (S_ISDIR(st.st_mode)) run_folder(argv[i]);
        else run_file(argv[i]);
    }
    printf("%zu files, %zu of them valid\n", files, valid);
    return files ? 0 : 1;
}
