/* SPDX-License-Identifier: Apache-2.0
 * test_malformed.c -- thousands of malformed pickles, made by a generator with a fixed seed: each is refused with a
 * message, or read without executing anything, and needs at most twice the memory of its file and a fixed amount. */
#include "pickles.h"

/* The fixed amount: the machine's 64 KiB, tables of an empty file, and what each allocation needs. */
enum { FIXED_BYTES = 64 * 1024 + 16 * 1024 };

/* Pickles that together use all opcodes; their parts are mixed, cut and changed. */
typedef struct program { const char *data; size_t size; } program;
#define PROGRAM(literal) { literal, sizeof(literal) - 1 }
static const program programs[] = {
    PROGRAM(ONE(TENSOR)),
    PROGRAM("\x80\2}q\0(" A TENSOR "q\1" NAME("\1", "b") "](h\1" TENSOR "eNaX\1\0\0\0c}h\0h\0su."),
    PROGRAM("\x80\2ccollections\nOrderedDict\nq\0)Rq\1(" A TENSOR NAME("\1", "b") "h\0)Ru}" A "Nsb."),
    PROGRAM("\x80\4\x95\5\0\0\0\0\0\0\0}\x94\x8c\1a\x94\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93("
            "(\x8c\7storage\x8c\5torch\x8c\x0c" "FloatStorage\x93\x8c\1" "0\x8c\3cpuK\6tQK\0K\2K\3\x86K\3K\1\x86" END
            "\x94s."),
    PROGRAM("\x80\2}(" A "J\xff\xff\xff\xffM\1\2G\0\0\0\0\0\0\0\0\x8a\0\x8b\1\0\0\0\5\x88\x89T\1\0\0\0xU\1x"
            "B\1\0\0\0xC\1x\x8e\1\0\0\0\0\0\0\0x\x96\1\0\0\0\0\0\0\0x\x8d\1\0\0\0\0\0\0\0x\x8f(K\1\x90(K\1\x91"
            "(NN" "d(NNl(N1N02" "0u."),
    PROGRAM("\x80\2}r\0\0\0\0" A "cargparse\nNamespace\n)R}A}sbs0j\0\0\0\0cos\nPath\n)\x81("
            "cos\nPath\n)}\x92t\x85\x86."),
    PROGRAM("\x80\2}" A "cposix\nsystem\nX\x13\0\0\0touch peft-executed\x85R" "s."),
    PROGRAM(ONE("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v3\nctorch\nTensor\n("
                STORAGE("torch.storage\nUntypedStorage", "\x18") "K\1K\5\x85K\1\x85\x89Nctorch\nuint16\nt}tR")) };
enum { PROGRAMS = sizeof programs / sizeof *programs };

static unsigned long long state = 20261126;              /* of the generator, splitmix64 */

static unsigned draw(unsigned n)                         /* 0 to n - 1 */
{
    unsigned long long z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (unsigned)((z ^ z >> 31) % n);
}

static int tried, read_anyway;
static size_t most;                                      /* the largest memory beyond twice the file's size */

/* Opens the file, reads all of its tensors, and checks message and memory. */
static void try_file(bytes *file)
{
    peft_context *ctx = tiny_plain_context();
    const size_t before = peft_context_memory_used(ctx);
    pf_st *st = NULL;
    void *copy;
    peft_set_error(PEFT_OK, "");
    peft_status s = open_copy(ctx, file, &copy, &st);
    unsigned sum = 0;
    for (size_t i = 0; !s && i < pf_st_count(st); i++) {
        const pf_st_tensor *t = pf_st_at(st, i);
        if (pf_st_fetch(st, t)) continue;
        for (size_t k = 0; k < t->bytes; k++) sum += ((const unsigned char *)t->data)[k];
    }
    ck_assert_uint_lt(sum, 1u << 31);
    if (s) ck_assert_msg(strlen(peft_last_error()) > 15, "file %d: %s", tried, peft_last_error());
    pf_st_close(st);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    const size_t needed = peft_context_memory_peak(ctx) - before, twice = 2 * file->size;
    ck_assert_msg(needed <= twice + FIXED_BYTES, "file %d of %zu bytes needs %zu", tried, file->size, needed);
    if (needed > twice && needed - twice > most) most = needed - twice;
    tried++;
    read_anyway += !s;
    free(copy);
    peft_context_free(ctx);
    bytes_free(file);
}

/* Tries the pickle in both forms of file. */
static void try_pickle(const void *pickle, size_t size)
{
    bytes file = torch_zip(pickle, size, values, sizeof values);
    try_file(&file);
    file = torch_legacy(pickle, size, values, sizeof values, sizeof *values);
    try_file(&file);
}

static void report(const char *what)
{
    printf("%s: %d files, %d of them read, at most %zu bytes more than twice their size\n", what, tried, read_anyway,
           most);
    ck_assert_msg(access("peft-executed", F_OK) != 0, "a command of a pickle was executed");
    ck_assert_int_lt(read_anyway, tried);
}

/* Every program, cut at each of its bytes: so every opcode is truncated. */
START_TEST(cut_pickles)
{
    for (size_t p = 0; p < PROGRAMS; p++)
        for (size_t n = 0; n < programs[p].size; n++) try_pickle(programs[p].data, n);
    report("cut pickles");
    ck_assert_int_gt(tried, 1000);
    ck_assert_int_eq(read_anyway, 0);
}
END_TEST

/* Both forms of file, cut at each byte, and with each byte changed in two ways. */
START_TEST(cut_and_changed_files)
{
    static const char pickle[] = ONE(TENSOR);
    for (int legacy = 0; legacy < 2; legacy++)
        for (size_t i = 0;; i++)
            for (int change = 0; change < 3; change++) {
                bytes file = legacy ? torch_legacy(pickle, sizeof pickle - 1, values, sizeof values, sizeof *values)
                                    : torch_zip(pickle, sizeof pickle - 1, values, sizeof values);
                if (i == file.size) {
                    bytes_free(&file);
                    goto next;
                }
                if (change) file.data[i] ^= change == 1 ? 1 << draw(8) : 0xff;
                else file.size = i;
                try_file(&file);
            }
next:
    report("cut and changed files");
}
END_TEST

/* Programs with one to four changes: of a byte, of a number of eight bytes, or a part of another program put in,
 * removed or repeated. */
START_TEST(changed_pickles)
{
    enum { COUNT = 3000 };
    for (int i = 0; i < COUNT; i++) {
        const program *p = programs + draw(PROGRAMS);
        bytes b = { 0 };
        put(&b, p->data, p->size);
        for (unsigned change = 1 + draw(4); change--;) {
            const program *q = programs + draw(PROGRAMS);
            const size_t at = draw((unsigned)b.size), from = draw((unsigned)q->size);
            const size_t n = draw((unsigned)(q->size - from));
            bytes next = { 0 };
            put(&next, b.data, at);
            const unsigned kind = draw(4);
            if (kind == 0) put(&next, (const unsigned char[]){ (unsigned char)draw(256) }, 1);
            else if (kind == 1) put_number(&next, draw(2) ? UINT64_MAX >> draw(40) : 1ull << draw(64), 8);
            else if (kind == 2) put(&next, q->data + from, n);
            const size_t skip = kind == 2 ? 0 : kind == 3 ? draw(20) : kind == 0 ? 1 : 8;
            if (at + skip < b.size) put(&next, b.data + at + skip, b.size - at - skip);
            bytes_free(&b);
            b = next;
            if (!b.size) put(&b, ".", 1);
        }
        try_pickle(b.data, b.size);
        bytes_free(&b);
    }
    report("changed pickles");
}
END_TEST

/* Opcodes in random order, mostly such that find values on the stack. */
START_TEST(random_opcodes)
{
    enum { COUNT = 1000 };
    static const char likely[] =
        "N]})(K\1K\2h\0h\1q\0q\1" "aesutRb\x85\x86\x87\x94" "0" "12l" "d" "Q\x81\x88\x8f\x90\x91";
    for (int i = 0; i < COUNT; i++) {
        bytes b = { 0 };
        PUT(&b, "\x80\4");
        for (unsigned n = draw(300); n--;) {
            const unsigned kind = draw(12);
            if (kind == 0) PUT(&b, TENSOR);
            else if (kind == 1) pickle_text(&b, "a");
            else if (kind == 2) PUT(&b, "ccollections\nOrderedDict\n)R");
            else if (kind == 3) put(&b, (const unsigned char[]){ (unsigned char)draw(256) }, 1);
            else put(&b, likely + draw(sizeof likely - 1), 1);
        }
        PUT(&b, ".");
        try_pickle(b.data, b.size);
        bytes_free(&b);
    }
    report("random opcodes");
}
END_TEST

/* Appends n times a part, then the end. */
static void try_repeated(const char *start, const char *part, size_t part_size, size_t n, const char *end)
{
    bytes b = { 0 };
    put(&b, start, strlen(start));
    while (n--) put(&b, part, part_size);
    put(&b, end, strlen(end));
    try_pickle(b.data, b.size);
    bytes_free(&b);
}
#define REPEAT(start, part, n, end) try_repeated(start, part, sizeof(part) - 1, n, end)

/* Pickles of few bytes that ask for much memory or time: every kind of value pushed many times, the memo filled,
 * containers nested deeply, or shared so that they have 2^n items. */
START_TEST(bombs)
{
    enum { MANY = 300000 };
    REPEAT("\x80\2", "N", MANY, ".");
    REPEAT("\x80\2", "(", MANY, ".");
    REPEAT("\x80\2", "]", MANY, ".");
    REPEAT("\x80\2", "}", MANY, ".");
    REPEAT("\x80\2", ")", MANY, ".");
    REPEAT("\x80\2", "N2", MANY, ".");
    REPEAT("\x80\4", "N\x94", MANY, ".");
    REPEAT("\x80\4N", "\x94", MANY, ".");
    REPEAT("\x80\2", "cx\ny\n", MANY, ".");
    REPEAT("\x80\2N", "\x85", MANY, ".");                           /* tuples nested in one another */
    REPEAT("\x80\2", "]", MANY, "");
    REPEAT("\x80\2](", "]", MANY, "e.");
    REPEAT("\x80\2}(", "NN", MANY, "u.");
    REPEAT("\x80\2]q\0(", "h\0", MANY, "e.");                       /* a list with itself, many times */
    REPEAT("\x80\4)\x94", "h\0\x86\x94", 40, ".");
    for (int n = 10; n < 100; n += 7) {                             /* each list has the one before twice */
        bytes b = { 0 };
        PUT(&b, "\x80\2" TENSOR "q\0");
        for (int i = 0; i < n; i++) {
            PUT(&b, "](h");
            put_number(&b, (uint64_t)i, 1);
            PUT(&b, "h");
            put_number(&b, (uint64_t)i, 1);
            PUT(&b, "eq");
            put_number(&b, (uint64_t)i + 1, 1);
        }
        PUT(&b, ".");
        try_pickle(b.data, b.size);
        bytes_free(&b);
    }
    bytes b = { 0 };                                                /* one tensor under many long names */
    PUT(&b, "\x80\2}(X\0\1\0\0");
    for (int i = 0; i < 256; i++) PUT(&b, "x");
    PUT(&b, "}q\1" TENSOR "q\0" "0");
    for (int i = 0; i < 1000; i++) PUT(&b, "](h\0h\0h\0h\0h\0h\0h\0h\0e");
    PUT(&b, "tu.");
    try_pickle(b.data, b.size);
    bytes_free(&b);
    report("bombs");
}
END_TEST

SUITE_MAIN("malformed", cut_pickles, cut_and_changed_files, changed_pickles, random_opcodes, bombs)
