/* SPDX-License-Identifier: Apache-2.0
 * table.c -- a table of labels: the first byte of the input chooses options, the others are the file. Splits those that
 * open by their patients, and reads patients from names, with the last line as the pattern. */
#include "fuzz/fuzz.h"

static const char *const option_sets[] = {
    "", "missing=skip", "missing=skip,label=#2", "missing=skip,labels=all,path=#1,onehot=false,blank=0",
    "missing=skip,path=#1,label=#2,separator=|,none=n", "missing=skip,path=#1,labels=none,delimiter=tab",
    "missing=skip,path=#1,label=#2:#3,patient=#4,study=#5",
    "missing=skip,classes=x:y,ending=.png,split=#3,train=0:1,test=2" };
enum { OPTION_SETS = sizeof option_sets / sizeof *option_sets };

static void use(peft_dataset *d, const char *pattern)
{
    peft_dataset *a, *b, *named;
    float targets[64];
    int64_t count;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        if (!peft_dataset_name(d, i)) abort();
        if (peft_dataset_classes(d) <= 64) fuzz_must(peft_dataset_targets(d, i, targets));
        if (peft_dataset_case(d, i) && !peft_dataset_has_cases(d)) abort();
    }
    if (!peft_dataset_split(d, 0.5, 1, &a, &b)) {
        fuzz_must(peft_dataset_shared_groups(a, b, 0, NULL, NULL, &count));
        if (count) abort();
        peft_dataset_free(a);
        peft_dataset_free(b);
    }
    if (!peft_dataset_with_groups(d, pattern, &named)) peft_dataset_free(named);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    char pattern[300] = "";
    peft_dataset *d;
    const char *options = option_sets[fuzz_choice(&data, &size, OPTION_SETS)];
    if (!made) {
        fuzz_write("a.png", "", 0);
        fuzz_write("b.png", "", 0);
        fuzz_write("c.png", "", 0);
        made = true;
    }
    size_t line = size;
    while (line && data[line - 1] != '\n') line--;
    if (size - line < sizeof pattern) memcpy(pattern, data + line, size - line);
    const char *path = fuzz_write("table.csv", data, size);
    const peft_status s = *options ? peft_dataset_open_table(fuzz_context(), path, NULL, options, &d)
                                   : peft_dataset_open(fuzz_context(), path, NULL, &d);
    if (!fuzz_valid(s)) return 0;
    use(d, pattern);
    peft_dataset_free(d);
    return 0;
}
