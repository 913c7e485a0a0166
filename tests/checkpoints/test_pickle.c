/* SPDX-License-Identifier: Apache-2.0
 * test_pickle.c -- pickles of torch.save: every opcode and global that means something gives the expected tensors, and
 * every cause of a refusal its message. */
#include "pickles.h"

typedef struct row { const char *pickle; size_t size; const char *expected; } row;
#define ROW(pickle, expected) { pickle, sizeof(pickle) - 1, expected }

/* A pickle, and its tensors as text: name, type, shape. */
static const row rows[] = {
    ROW(ONE(TENSOR), "a F32 [2, 3];"),
    ROW("\x80\2" TENSOR ".", "tensor F32 [2, 3];"),
    /* containers: by SETITEM, SETITEMS, DICT, APPEND, APPENDS, LIST, tuples of each length, nested */
    ROW("\x80\2}(" A TENSOR NAME("\2", "bc") TENSOR "u.", "a F32 [2, 3];bc F32 [2, 3];"),
    ROW("\x80\2(" A TENSOR "d.", "a F32 [2, 3];"),
    ROW("\x80\2]" TENSOR "a.", "0 F32 [2, 3];"),
    ROW("\x80\2](" TENSOR "N" TENSOR "e.", "0 F32 [2, 3];2 F32 [2, 3];"),
    ROW("\x80\2(K\1" TENSOR "l.", "1 F32 [2, 3];"),
    ROW(ONE(TENSOR "\x85"), "a.0 F32 [2, 3];"), ROW(ONE("N" TENSOR "\x86"), "a.1 F32 [2, 3];"),
    ROW(ONE("NK\1" TENSOR "\x87"), "a.2 F32 [2, 3];"), ROW(ONE("(NNN" TENSOR "t"), "a.3 F32 [2, 3];"),
    ROW(ONE("}K\7}" A TENSOR "ss"), "a.7.a F32 [2, 3];"),
    ROW("\x80\2ccollections\nOrderedDict\n)R" A TENSOR "s}" NAME("\5", "state") "Nsb.", "a F32 [2, 3];"),
    ROW("\x80\2ccollections\nOrderedDict\n](]" A "a" TENSOR "ae\x85R.", "a F32 [2, 3];"),
    ROW("\x80\2ccollections\nOrderedDict\n](" A TENSOR "\x86" "e\x85R.", "a F32 [2, 3];"),
    ROW("\x80\2ccollections\ndefaultdict\nc__builtin__\ndict\n\x85R" A TENSOR "s.", "a F32 [2, 3];"),
    /* values beside tensors: numbers of all kinds, texts, bytes, sets, unknown classes */
    ROW("\x80\2}(" A TENSOR NAME("\1", "b") "J\xff\xff\xff\xff" NAME("\1", "c") "M\1\2" NAME("\1", "d")
        "G\0\0\0\0\0\0\0\0"
        NAME("\1", "e") "\x8a\0" NAME("\1", "f") "\x8b\1\0\0\0\5" NAME("\1", "g") "\x88" NAME("\1", "h") "T\1\0\0\0x"
        NAME("\1", "i") "B\1\0\0\0x" NAME("\1", "j") "C\1x" NAME("\1", "k") "\x8e\1\0\0\0\0\0\0\0x"
        NAME("\1", "l") "\x96\1\0\0\0\0\0\0\0x" NAME("\1", "m") "\x8f(K\1\x90" NAME("\1", "n") "(K\1\x91"
        NAME("\1", "o") "\x8d\1\0\0\0\0\0\0\0x" NAME("\1", "p") "\x8a\x09\1\2\3\4\5\6\7\x08\x09u.", "a F32 [2, 3];"),
    ROW("\x80\2}(" A TENSOR NAME("\4", "args") "cargparse\nNamespace\n)R}" NAME("\1", "x") "K\1sb"
        NAME("\1", "n") "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\2f8K\0K\1\x87R(K\3U\1<NNN"
        "J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbU\x08" "abcdefgh\x86R" NAME("\1", "o") "cos\nPath\n)\x81"
        NAME("\1", "q") "cos\nPath\n)}\x92"
        NAME("\1", "r") "cmy\nDict\n)R" A TENSOR "s(" A TENSOR "u" NAME("\1", "t") "cmy\nList\n)R" TENSOR "a("
        TENSOR "eu.",
        "a F32 [2, 3];"),
    /* stack and memo; protocols 3 to 5 */
    ROW("\x80\2}" A "q\0" TENSOR "q\1K\1(K\2K\3" "10s" "h\0" "0" A "0" "2" "0.", "a F32 [2, 3];"),
    ROW("\x80\4\x95\5\0\0\0\0\0\0\0}\x94\x8c\1a\x94\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93("
        "(\x8c\7storage\x8c\5torch\x8c\x0c" "FloatStorage\x93\x8c\1" "0\x8c\3cpuK\6tQK\0K\2K\3\x86K\3K\1\x86" END
        "\x94s.",
        "a F32 [2, 3];"),
    ROW("\x80\5}r\0\0\0\0" A "r\1\0\0\0" TENSOR "s0j\0\0\0\0.", "a F32 [2, 3];"),
    ROW("\x80\3}" A TENSOR "q\1sh\1" "0.", "a F32 [2, 3];"),
    /* views: transposed, a column, an offset, expanded, of no dimension, empty */
    ROW(ONE(REBUILD "(" FLOATS "K\0K\3K\2\x86K\1K\3\x86" END), "a F32 [3, 2] strided;"),
    ROW(ONE(REBUILD "(" FLOATS "K\1K\2\x85K\3\x85" END), "a F32 [2] strided;"),
    ROW(ONE(REBUILD "(" FLOATS "K\2K\4\x85K\1\x85" END), "a F32 [4];"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\4K\1\x86K\0K\1\x86" END), "a F32 [4, 1] strided;"),
    ROW(ONE(REBUILD "(" FLOATS "K\5))" END), "a F32 [];"),
    ROW(ONE(REBUILD "(" FLOATS "K\6K\0\x85K\1\x85" END), "a F32 [0];"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\1K\6\x86M\xff\xffK\1\x86" END), "a F32 [1, 6];"),
    ROW(ONE(REBUILD "(" FLOATS "K\0ctorch\nSize\nK\6\x85\x85RK\1\x85" END), "a F32 [6];"),
    /* functions and types */
    ROW(ONE("ctorch._utils\n_rebuild_tensor\n(" FLOATS "K\0K\6\x85K\1\x85tR"), "a F32 [6];"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\6\x85K\1\x85\x89N}tR"), "a F32 [6];"),       /* without properties */
    ROW(ONE("ctorch._utils\n_rebuild_parameter\n" TENSOR "\x88N\x87R"), "a F32 [2, 3];"),
    ROW(ONE("ctorch._utils\n_rebuild_parameter_with_state\n(" TENSOR "\x88N}tR"), "a F32 [2, 3];"),
    ROW(ONE("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n(" FLOATS
            "K\0K\6\x85K\1\x85\x89Nt}tR"), "a F32 [6];"),
    ROW(ONE("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE("torch.storage\nUntypedStorage", "\x18")
            "K\1K\5\x85K\1\x85\x89Nctorch\nuint16\ntR"), "a U16 [5];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nHalfStorage", "\x0c") "K\0K\x0c\x85K\1\x85" END), "a F16 [12];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nBFloat16Storage", "\x0c") "K\0K\x0c\x85K\1\x85" END), "a BF16 [12];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nDoubleStorage", "\3") "K\0K\3\x85K\1\x85" END), "a F64 [3];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nLongStorage", "\3") "K\0K\3\x85K\1\x85" END), "a I64 [3];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nBoolStorage", "\x18") "K\0K\x18\x85K\1\x85" END), "a BOOL [24];"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nComplexDoubleStorage", "\1") "K\0))" END), "a C128 [];"),
    ROW(ONE(REBUILD "(" STORAGE("torch.cuda\nFloatStorage", "\6") "K\0))" END), "a F32 [];"),
    /* a part of a storage, and the source of a class, in files before PyTorch 0.4 */
    ROW(ONE(REBUILD "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\6("
            "X\1\0\0\0vK\2K\4ttQK\0K\4\x85K\1\x85" END), "a F32 [4];"),
    ROW("\x80\2}" A "(" NAME("\6", "module") "cmy\nNet\nNNtQ" "s(" NAME("\1", "b") TENSOR "u.", "b F32 [2, 3];"),
    /* containers that contain themselves, or one another twice */
    ROW("\x80\2}q\0(" A TENSOR NAME("\1", "b") "h\0u.", "a F32 [2, 3];"),
    ROW("\x80\2]q\0h\0a" TENSOR "a.", "1 F32 [2, 3];"),
    ROW("\x80\2}q\0" A TENSOR "s0}(" A "h\0" NAME("\1", "b") "h\0u.", "a.a F32 [2, 3];b.a F32 [2, 3];"),
    /* nothing is executed: the command would make the file that the test looks for */
    ROW("\x80\2}(" A TENSOR NAME("\1", "b") "cposix\nsystem\nX\x13\0\0\0touch peft-executed\x85Ru.", "a F32 [2, 3];") };

/* The largest int64_t. */
#define LONGEST "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"

/* A pickle, and a part of the message of its refusal. */
static const row refused[] = {
    ROW("\x80\1}.", "pickle protocol 1; expected 2 to 5"), ROW("\x80\6}.", "pickle protocol 6"),
    ROW("\x80\2}K\1.", "holds no tensors; expected a dictionary"), ROW("\x80\2.", "the stack has no value"),
    ROW("\x80\2(.", "the stack has no value"), ROW("\x80\2", "1 bytes expected, 0 follow: the file is cut short"),
    ROW("\x80\2I1\n.", "opcode 0x49 at byte 2: this opcode is not one that torch.save writes"),
    ROW("\x80\2\x82\1.", "opcode 0x82"), ROW("\x80\5\x97.", "opcode 0x97"),
    ROW("\x80\2t.", "the stack has no mark"), ROW("\x80\2K\1a.", "the stack has no value"),
    ROW("\x80\2K\1K\2a.", "what is no list"), ROW("\x80\2]K\1K\2s.", "what is no dictionary"),
    ROW("\x80\2}(K\1u.", "gets 1 keys and values"), ROW("\x80\2h\0.", "entry 0 of the memo does not exist"),
    ROW("\x80\2Nr\xff\xff\xff\x7f.", "entry 2147483647 of the memo follows 0 entries"),
    ROW("\x80\2q\0.", "the stack has no value"), ROW("\x80\2X\xff\xff\xff\xff" "a.", "4294967295 bytes expected"),
    ROW("\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "18446744073709551615 bytes expected"),
    ROW("\x80\2\x8b\xff\xff\xff\x7f.", "2147483647 bytes expected"),
    ROW("\x80\4\x95\xff\0\0\0\0\0\0\0N.", "a frame of 255 bytes"),
    ROW("\x80\2cos\nsystem", "the name of a global does not end"), ROW("\x80\4NN\x93.", "module or name is no text"),
    ROW("\x80\2K\1)R.", "what is called is no global"),
    ROW("\x80\2cos\nsystem\nNR.", "the arguments of a call are no tuple"),
    ROW("\x80\2NQ.", "a persistent id is not"), ROW("\x80\2(K\1K\2tQ.", "a persistent id is not"),
    ROW(ONE(REBUILD ")R"), "a tensor whose arguments are not"),
    ROW(ONE(REBUILD "(NK\0K\1\x85K\1\x85" END), "a tensor whose arguments are not"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\7\x85K\1\x85" END), "reaches beyond its storage '0' of 24 bytes"),
    ROW(ONE(REBUILD "(" FLOATS "K\1K\6\x85K\1\x85" END), "reaches beyond its storage"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\2K\3\x86K\4K\1\x86" END), "reaches beyond its storage"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\2K\3\x86" "\x8a\x08\0\0\0\0\0\0\0\x7fK\1\x86" END), "reaches beyond its storage"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\3K\3\x86" LONGEST LONGEST "\x86" END), "strides overflow"),
    ROW(ONE(REBUILD "(" FLOATS "K\0" LONGEST LONGEST "\x86K\0K\0\x86" END), "number of elements overflows"),
    ROW(ONE(REBUILD "(" FLOATS LONGEST "K\1\x85K\1\x85" END), "reaches beyond its storage"),
    ROW(ONE(REBUILD "(" FLOATS "K\0J\xff\xff\xff\xff\x85K\1\x85" END), "not integers from 0 on"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\2\x85J\xff\xff\xff\xff\x85" END), "not integers from 0 on"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\2\x85)" END), "of 1 extents and 0 strides"),
    ROW(ONE(REBUILD "(" FLOATS "K\0K\6\x85K\1\x85\x89N}" NAME("\3", "neg") "\x88stR"), "a negated or conjugated view"),
    ROW(ONE(REBUILD "(" FLOATS "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t" END), "at most 8"),
    ROW(ONE(REBUILD "(" STORAGE("torch\nFloatStorage", "\7") "K\0))" END), "has 24 bytes; expected 7 elements of 4"),
    ROW(ONE(REBUILD "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "1X\3\0\0\0cpuK\6tQK\0))" END),
        "storage '1' is missing"),
    ROW(ONE(REBUILD "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpu" LONGEST "tQK\0))" END),
        "number of elements is out of range"),
    ROW(ONE("ctorch._tensor\n_rebuild_from_type_v2\n)R"), "a tensor of a derived class"),
    ROW(ONE("ctorch._tensor\n_rebuild_from_type_v2\nq\0(h\0N)tR"), "a tensor of a derived class"),
    ROW("\x80\2}(" A TENSOR A TENSOR "u.", "tensor 'a': occurs twice"),
    ROW("\x80\2}X\2\0\0\0a\0" TENSOR "s.", "not UTF-8 text without NUL"),
    ROW("\x80\2}X\1\0\0\0\xff" TENSOR "s.", "not UTF-8"),
    ROW("\x80\2cmy.nets\nNet\n)R}" A TENSOR "sb.", "(the whole is a my.nets.Net)"),
    ROW("\x80\2}" NAME("\5", "model") "cmy.nets\nNet\n)R}" A TENSOR "sbs.", "('model' is a my.nets.Net)"),
    ROW("\x80\2}" NAME("\5", "model") "K\1cmy.nets\nNet\n)R\x86s.", "('model.1' is a my.nets.Net)"),
    ROW("\x80\2}" A "ctorch._utils\n_rebuild_qtensor\n)Rs.", "they are quantised"),
    ROW("\x80\2}" A "cnumpy._core.multiarray\n_reconstruct\n)Rs.", "they are arrays of NumPy") };

/* Names, types and shapes of all tensors. */
static void describe(const pf_st *st, char *text, size_t capacity)
{
    char dims[128];
    size_t used = 0;
    *text = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) {
        const pf_st_tensor *t = pf_st_at(st, i);
        used += (size_t)snprintf(text + used, capacity - used, "%s %s %s%s;", t->name, t->type_name,
                                 pf_dims_text(dims, sizeof dims, t->ndim, t->dim), t->stride ? " strided" : "");
    }
}

static void check_row(peft_context *ctx, const row *r, bool legacy, bool expect_refusal)
{
    bytes file = legacy ? torch_legacy(r->pickle, r->size, values, sizeof values, sizeof *values)
                        : torch_zip(r->pickle, r->size, values, sizeof values);
    const size_t before = peft_context_memory_used(ctx);
    char text[1000];
    pf_st *st = NULL;
    void *copy;
    peft_status s = open_copy(ctx, &file, &copy, &st);
    ck_assert_msg(!s == !expect_refusal, "%.200s: '%s': %s %s", r->pickle, r->expected, peft_status_name(s),
                  s ? peft_last_error() : "");
    if (s) snprintf(text, sizeof text, "%s", peft_last_error());
    else describe(st, text, sizeof text);
    ck_assert_msg(s ? strstr(text, r->expected) != NULL : !strcmp(text, r->expected), "expected %s, got %s",
                  r->expected, text);
    for (size_t i = 0; !s && i < pf_st_count(st); i++) OK(pf_st_fetch(st, pf_st_at(st, i)));
    pf_st_close(st);
    ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    free(copy);
    bytes_free(&file);
}

START_TEST(pickles_of_all_opcodes_give_their_tensors)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(ctx, rows + i, false, false);
    ck_assert(access("peft-executed", F_OK));
    peft_context_free(ctx);
}
END_TEST

/* In this form a storage has as many elements as its class says, so only storages of floats fit the data. */
START_TEST(the_older_form_is_read)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strstr(rows[i].expected, "F32 [2, 3]")) check_row(ctx, rows + i, true, false);
    peft_context_free(ctx);
}
END_TEST

START_TEST(pickles_that_are_damaged_are_refused_with_the_reason)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) check_row(ctx, refused + i, false, true);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("pickle", pickles_of_all_opcodes_give_their_tensors, the_older_form_is_read,
           pickles_that_are_damaged_are_refused_with_the_reason)
