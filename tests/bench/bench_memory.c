/* SPDX-License-Identifier: Apache-2.0
 * bench_memory.c -- memory of one training step of a random ViT-B/16 on large images, in percent of full fine-tuning:
 * as planned by the trainer, and as measured.
 *
 * planned:  trained parameters, gradients, moments, and the trainer's arena, tables and buffers (peft_trainer_get
 *           "planned_bytes" and the parameters);
 * step:     planned, and the frozen weights where a step reads them (FPT's steps on cached features do not);
 * held:     planned and the backbone, for every method (full fine-tuning trains a copy);
 * measured: peak resident memory of a step (VmHWM) less that before the trainer was created, in a process for each
 *           method, where planned and backbone together are below --most.
 * The caller's images do not count. A trainer that only plans gets memory from an allocator that maps the
 * same 64 MiB again and again, so that any plan fits. */
#include <getopt.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program's options; most: GB below which a step is run and measured; methods: those to measure, "lora,fpt". */
typedef struct { int image, batch, depth, threads; double most; const char *methods; } settings;
/* side: pixels of a side image's side; 0: none. */
typedef struct { const char *name, *method, *adapter, *head; int side; } preset;
typedef struct { double planned, backbone, arena, measured; long long trained; } figures;

static const preset presets[] = {
    { "full", "full", "", "head=linear", 0 },
    { "lora", "lora", "r=16", "head=linear", 0 },
    { "fpt", "fpt", "classes=5,side_input=given,dropout=0.5", "head=side_encoder", 224 },
    { "fpt+", "fpt", "classes=5,side_input=given,dropout=0.5,plus=true,layers=6-11,side_image=128", "head=side_encoder",
      128 } };
enum { PRESETS = sizeof presets / sizeof *presets };

static void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "bench_memory: %s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

/* --- an allocator for planning: large blocks map one piece of memory again and again --------------- */
enum { PIECE = 1 << 26 };                                /* bytes; user: the file descriptor of the piece */

static void *shared_alloc(size_t size, size_t align, void *user)
{
    void *p = NULL;
    if (size < PIECE) return posix_memalign(&p, align, size) ? NULL : p;
    char *all = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t offset = 0; all != MAP_FAILED && offset < size; offset += PIECE)
        if (mmap(all + offset, size - offset < PIECE ? size - offset : PIECE, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, *(const int *)user, 0) == MAP_FAILED) return NULL;
    return all == MAP_FAILED ? NULL : all;
}

static void shared_release(void *p, size_t size, void *user)
{
    (void)user;
    if (size < PIECE) free(p);
    else munmap(p, size);
}

/* --- resident memory of this process ------------------------------------------------------------ */
/* A figure of /proc/self/status, such as VmRSS. */
static double status_bytes(const char *what)
{
    char line[256];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, strlen(what))) kilobytes = strtod(line + strlen(what) + 1, NULL);
    if (f) fclose(f);
    return 1024 * kilobytes;
}

/* Sets VmHWM, the peak, to the memory resident now: 5 is the kernel's code for this. */
static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

/* --- one method ------------------------------------------------------------------------------- */
typedef struct { peft_context *ctx; peft_backbone *b; peft_tensor *images, *labels, *side; } fixture;

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

static peft_tensor *images_of(const fixture *x, int batch, int side)
{
    peft_tensor *t;
    must(peft_tensor_create(x->ctx, PEFT_F32, 4, (int64_t[]){ batch, 3, side, side }, &t));
    float *p = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) p[i] = (float)((i * 2654435761u >> 8) & 1023) / 512 - 1;
    return t;
}

/* piece: the file of shared_alloc's piece; NULL: usual memory. */
static fixture make_fixture(const settings *s, const preset *p, int *piece)
{
    char text[96];
    fixture x = { .side = NULL };
    must(peft_context_create(piece ? shared_alloc : NULL, piece ? shared_release : NULL, piece, &x.ctx));
    if (s->threads) must(peft_context_set_threads(x.ctx, s->threads));
    snprintf(text, sizeof text, "image_size=%d,depth=%d", s->image, s->depth);
    peft_options *o = options(x.ctx, text);
    must(peft_backbone_create(x.ctx, o, &x.b));
    peft_options_free(o);
    x.images = images_of(&x, s->batch, s->image);
    if (p->side) x.side = images_of(&x, s->batch, p->side);
    must(peft_tensor_create(x.ctx, PEFT_I64, 1, (int64_t[]){ s->batch }, &x.labels));
    for (int i = 0; i < s->batch; i++) ((int64_t *)peft_tensor_data(x.labels))[i] = i % 5;
    return x;
}

static peft_trainer *make_trainer(const settings *s, const preset *p, const fixture *x, const char *file,
                                  peft_model **m)
{
    char text[256];
    peft_adapter *a;
    peft_trainer *t;
    snprintf(text, sizeof text, "classes=5,%s", p->head);
    peft_options *model_options = options(x->ctx, text), *method_options = options(x->ctx, p->adapter);
    /* a cache of 16 MiB for each sample: FPT keeps up to 15.1 MB of one (ViT-B/16, 512 pixels) */
    snprintf(text, sizeof text, p->side ? "batch=%d,cache_file=\"%s\",cache_features=%lld" : "batch=%d", s->batch, file,
             (long long)s->batch << 24);
    peft_options *o = options(x->ctx, text);
    must(peft_model_create(x->b, model_options, m));
    must(peft_adapter_create(x->b, p->method, method_options, &a));
    must(peft_model_attach(*m, a));
    must(peft_trainer_create(*m, o, &t));
    peft_adapter_free(a);
    peft_options_free(method_options);
    peft_options_free(model_options);
    peft_options_free(o);
    return t;
}

/* One training step. images NULL: all features of the frozen part come from the cache. */
static void step(const fixture *x, peft_trainer *t, const peft_tensor *images)
{
    int64_t ids[4096];
    for (int64_t i = 0; i < peft_tensor_dim(x->labels, 0); i++) ids[i] = i;
    if (x->side) must(peft_trainer_input(t, "side_images", x->side));
    must(peft_trainer_step(t, images, x->labels, ids));
}

/* Bytes of all weights as f32. */
static double backbone_bytes(const peft_backbone *b)
{
    double n = 0;
    for (size_t i = 0; i < peft_backbone_tensor_count(b); i++)
        n += (double)peft_tensor_count(peft_backbone_tensor(b, i));
    return 4 * n;
}

typedef enum { PLAN_ONLY, PLAN_AND_MEASURE } task;

/* Plans a step of one method, or also runs and measures it, and ends the process. */
static _Noreturn void plan_or_measure(const settings *s, const preset *p, task todo, const char *file, figures *to)
{
    peft_model *m;
    int piece = memfd_create("piece", MFD_CLOEXEC);
    if (todo == PLAN_ONLY && (piece < 0 || ftruncate(piece, PIECE))) must(peft_set_error(PEFT_E_IO, "no memory file"));
    fixture x = make_fixture(s, p, todo == PLAN_ONLY ? &piece : NULL);
    double before = status_bytes("VmRSS");
    peft_trainer *t = make_trainer(s, p, &x, file, &m);
    to->trained = (long long)peft_model_trainable_count(m);
    to->backbone = backbone_bytes(x.b);
    to->arena = peft_trainer_get(t, "arena_bytes");
    to->planned = peft_trainer_get(t, "planned_bytes") + 4 * (double)to->trained;
    if (todo == PLAN_ONLY) _exit(0);
    if (x.side) {                                        /* the first step fills the cache, the second one reads it */
        step(&x, t, x.images);
        reset_peak();
        step(&x, t, NULL);
    } else {
        step(&x, t, x.images);
    }
    to->measured = status_bytes("VmHWM") - before;
    _exit(0);
}

/* Does the task in a new process, where no memory of another method is resident. to: shared with this process. */
static void in_child(const settings *s, const preset *p, task todo, const char *file, figures *to)
{
    int status;
    pid_t child = fork();
    if (!child) plan_or_measure(s, p, todo, file, to);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        must(peft_set_error(PEFT_E_STATE, "a measuring process failed"));
}

static void report(const settings *s, const figures *f, int n)
{
    const char *const published[PRESETS] = { "", "", "7.9 %", "3.2 %" };     /* of full fine-tuning, in FPT's paper */
    printf("ViT-B/16, depth %d, %d x %d, batch %d; MB (10^6)\n", s->depth, s->image, s->image, s->batch);
    printf("%-6s %11s %9s %9s %7s %9s %7s %9s %7s %9s  %s\n", "method", "trained", "arena", "planned", "% full", "step",
           "% full", "held", "% full", "measured", "published");
    double full = f[0].planned, held = f[0].planned + f[0].backbone;
    for (int i = 0; i < n; i++) {
        const bool is_full = i == 0, cached = presets[i].side > 0;
        const bool reads_frozen = !is_full && !cached;   /* a step reads frozen weights */
        double step_bytes = f[i].planned + (reads_frozen ? f[i].backbone : 0);
        double held_bytes = f[i].planned + f[i].backbone;
        printf("%-6s %11lld %9.1f %9.1f %7.2f %9.1f %7.2f %9.1f %7.2f ", presets[i].name, f[i].trained,
               1e-6 * f[i].arena, 1e-6 * f[i].planned, 100 * f[i].planned / full, 1e-6 * step_bytes,
               100 * step_bytes / full, 1e-6 * held_bytes, 100 * held_bytes / held);
        if (f[i].measured > 0) printf("%9.1f  %s\n", 1e-6 * f[i].measured, published[i]);
        else printf("%9s  %s\n", "-", published[i]);
    }
}

int main(int argc, char **argv)
{
    settings s = { .image = 512, .batch = 16, .depth = 12, .most = 12, .methods = "lora,fpt,fpt+" };
    static const struct option long_options[] = {
        { "image", 1, 0, 'i' }, { "batch", 1, 0, 'b' }, { "depth", 1, 0, 'd' }, { "threads", 1, 0, 't' },
        { "most", 1, 0, 'm' }, { "run", 1, 0, 'r' }, { "help", 0, 0, 'h' }, { 0 } };
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'i') s.image = atoi(optarg);
        else if (c == 'b') s.batch = atoi(optarg);
        else if (c == 'd') s.depth = atoi(optarg);
        else if (c == 't') s.threads = atoi(optarg);
        else if (c == 'm') s.most = atof(optarg);
        else if (c == 'r') s.methods = optarg;
        else {
            printf("bench_memory [--image S] [--batch N (to 4096)] [--depth N] [--threads N] [--most GB] "
                   "[--run full,lora,fpt,fpt+ (measured; none: \"\")]\n");
            return c != 'h';
        }
    }
    char file[] = "/tmp/peft_bench_XXXXXX", list[128];
    int made = mkstemp(file);
    figures *f = mmap(NULL, sizeof *f * PRESETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made < 0 || f == MAP_FAILED || s.batch < 1 || s.batch > 4096) return 1;
    snprintf(list, sizeof list, ",%s,", s.methods);
    for (int i = 0; i < PRESETS; i++) {
        char word[16];
        snprintf(word, sizeof word, ",%s,", presets[i].name);
        if (ftruncate(made, 0)) return 1;                /* empties the cache file: each trainer makes its own */
        in_child(&s, &presets[i], PLAN_ONLY, file, &f[i]);
        if (ftruncate(made, 0)) return 1;
        if (strstr(list, word) && f[i].planned + f[i].backbone < 1e9 * s.most)
            in_child(&s, &presets[i], PLAN_AND_MEASURE, file, &f[i]);
    }
    unlink(file);
    report(&s, f, PRESETS);
    return 0;
}
