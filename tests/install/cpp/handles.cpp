// SPDX-License-Identifier: Apache-2.0
// handles.cpp -- uses every class of peft.hpp and io.hpp with the installed libraries; prints failed expectations and
// then exits with 1.
#include <peft/io.hpp>
#include <peft/peft.hpp>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <type_traits>

static int failures;
#define EXPECT(condition) \
    ((condition) ? (void)0 : (void)(failures++, std::fprintf(stderr, "line %d: expected %s\n", __LINE__, #condition)))

// The status of the exception that call throws; PEFT_OK: it throws none.
template <typename F> static peft_status status_of(F &&call)
{
    try {
        call();
    } catch (const peft::error &e) {
        EXPECT(*e.what() != 0);
        return e.status();
    }
    return PEFT_OK;
}

static_assert(std::is_nothrow_move_constructible_v<peft::model>);
static_assert(!std::is_copy_constructible_v<peft::model>);
static_assert(sizeof(peft::trainer) == sizeof(void *));

static int sizes_of_spans(peft::span<const float> s) { return static_cast<int>(s.size()); }
// These files include the headers too, which give no duplicate definitions.
bool best_epoch_comes_back(peft::context &ctx);             // in early_stop.cpp
bool maps_are_computed(peft::context &ctx);                 // in maps.cpp
bool masks_are_segmented_and_judged(peft::context &ctx);    // in segmentation.cpp

static void spans_and_tensors(peft::context &ctx)
{
    std::vector<float> v = { 1, 2, 3, 4, 5, 6 };
    const std::array<float, 2> a = { 1, 2 };
    float plain[3] = { 7, 8, 9 };
    EXPECT(sizes_of_spans(v) == 6 && sizes_of_spans(a) == 2 && sizes_of_spans(plain) == 3);
    peft::tensor t(ctx, peft::span<float>(v), { 2, 3 });
    EXPECT((t.shape() == std::vector<std::int64_t>{ 2, 3 }));
    t.values<float>()[4] = 50;
    EXPECT(v[4] == 50 && peft::tensor_view(t).values<float>()[4] == 50);
    EXPECT(status_of([&] { t.values<std::int64_t>(); }) == PEFT_E_DTYPE);
    EXPECT(status_of([&] { peft::tensor(ctx, peft::span<float>(v), { 2, 2 }); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::tensor(ctx, PEFT_F32, { -1 }); }) == PEFT_E_SHAPE);
    std::vector<std::int16_t> hounsfield = { -1000, 400 };
    peft::tensor ct(ctx, peft::span<std::int16_t>(hounsfield), { 1, 1, 2, 1 });
    EXPECT(ct.view().dtype() == PEFT_I16 && ct.values<std::int16_t>()[0] == -1000);
    peft::tensor moved = std::move(t);
    EXPECT(moved.c_ptr() && !t.c_ptr());
}

struct data {
    peft::tensor images, labels;
    explicit data(peft::context &ctx) : images(ctx, PEFT_F32, { 4, 3, 16, 16 }), labels(ctx, PEFT_I64, { 4 })
    {
        auto x = images.values<float>();
        for (std::size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 17) / 17 - 0.5f;
        for (std::int64_t i = 0; i < 4; i++) labels.values<std::int64_t>()[static_cast<std::size_t>(i)] = i % 2;
    }
    std::int64_t operator()(std::int64_t, std::int64_t batch, peft_tensor *to, peft_tensor *to_labels, std::int64_t *)
    {
        if (batch) return 0;
        std::memcpy(peft_tensor_data(to), images.values<float>().data(), images.values<float>().size() * sizeof(float));
        std::memcpy(peft_tensor_data(to_labels), labels.values<std::int64_t>().data(), 4 * sizeof(std::int64_t));
        return 4;
    }
};

static const char shape[] = "image_size=16,patch=8,width=32,depth=2,heads=2,mlp=64,seed=3";

static void training(peft::context &ctx)
{
    peft::backbone vit = peft::backbone::random(ctx, shape);
    EXPECT(vit["width"] == 32 && vit["no such fact"] == -1);
    EXPECT(status_of([&] { peft::backbone(ctx, "no such file"); }) == PEFT_E_IO);
    EXPECT(status_of([&] { peft::adapter(vit, "lora", "r=none"); }) == PEFT_E_OPTION);
    peft::model m(vit, "classes=2");
    m.attach(peft::adapter(vit, "lora", "r=2"));                 // the model keeps the adapter
    EXPECT(m.classes() == 2 && m.trainable_count() > 0 && m.param("head.weight") && !m.param("no such name"));
    data d(ctx);
    peft::trainer t(m, "batch=4,lr=0.01");
    int steps = 0;
    t.fit(3, d, [&](peft_trainer *) { steps++; });
    EXPECT(steps == 3 && t.get("loss") > 0);
    EXPECT(status_of([&] { t.fit(5, d, [](peft_trainer *) { return true; }); }) == PEFT_E_CANCELLED);
    try {
        t.fit(9, d, [](peft_trainer *) { throw 42; });
        EXPECT(steps < 0);                                       // not reached
    } catch (int thrown) {
        EXPECT(thrown == 42);
    }
    t.set_lr(0.001);
    t.freeze("head.*");
    t.step(d.images, d.labels);
    peft::session s(m, "batch=4,taps=feature");
    peft::tensor logits(ctx, PEFT_F32, { 4, 2 }), p(ctx, PEFT_F32, { 4, 2 }), features(ctx, PEFT_F32, { 4, 32 });
    s.predict(d.images, logits);
    s.probabilities(d.images, p);
    EXPECT(p.values<float>()[0] + p.values<float>()[1] > 0.999f);
    s.features(d.images, features);
    EXPECT(s.tap("feature").values<float>()[5] == features.values<float>()[5]);
    EXPECT(status_of([&] { s.tap("no such tap"); }) != PEFT_OK);
    m.set_note("key", "value");
    m.save("handles.safetensors");
    peft::model loaded = peft::model::load(vit, "handles.safetensors");
    EXPECT(!std::strcmp(loaded.note("key"), "value") && !loaded.note("none"));
    peft::tensor again(ctx, PEFT_F32, { 4, 2 });
    peft::session(loaded, "batch=4").predict(d.images, again);
    EXPECT(!std::memcmp(again.values<float>().data(), logits.values<float>().data(), 8 * sizeof(float)));
}

// forward and backward_logits with a cross entropy computed here give the step of the library's cross entropy.
static void own_loss(peft::context &ctx)
{
    data d(ctx);
    float value[2][4];
    for (int own = 0; own < 2; own++) {
        peft::backbone vit = peft::backbone::random(ctx, shape);
        peft::model m(vit, "classes=2");
        peft::trainer t(m, "batch=4,lr=0.1,optimizer=sgd");
        if (own) {
            auto z = t.forward(d.images).values<float>();
            peft::tensor g(ctx, PEFT_F32, { 4, 2 });
            for (std::size_t i = 0; i < 4; i++) {
                const float p1 = 1 / (1 + std::exp(z[2 * i] - z[2 * i + 1])), y = static_cast<float>(i % 2);
                g.values<float>()[2 * i + 1] = (p1 - y) / 4;
                g.values<float>()[2 * i] = (y - p1) / 4;
            }
            t.backward_logits(g, 0.7);
            t.update();
            EXPECT(t.get("loss") == 0.7);
        } else {
            t.step(d.images, d.labels);
        }
        std::memcpy(value[own], peft_tensor_cdata(m.param("head.weight")), sizeof value[own]);
    }
    for (int i = 0; i < 4; i++) EXPECT(std::fabs(value[0][i] - value[1][i]) < 1e-6f);
}

static void pictures(peft::context &ctx)
{
    std::vector<std::uint8_t> grey(20 * 10, 100);
    peft::image im(ctx, grey.data(), 20, 10, 1);
    EXPECT(im.width() == 20 && im.height() == 10 && im.channels() == 1 && im.depth() == 8);
    EXPECT(im.resize(5, 5).width() == 5);
    EXPECT(status_of([&] { im.resize(0, 5); }) == PEFT_E_INVALID);
    peft::transform t(ctx, "size=8");
    std::vector<float> input(3 * 8 * 8), small(8);
    t.apply(im, input);
    EXPECT(std::fabs(input[0] - (100.0f / 255 - 0.5f) / 0.5f) < 1e-5f);
    EXPECT(status_of([&] { t.apply(im, small); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::dataset(ctx, "no such folder"); }) == PEFT_E_IO);
}

// Pictures of two classes in a folder, read by a loader, prepared and predicted as the model's notes say.
static void data_sets(peft::context &ctx)
{
    std::vector<std::uint8_t> grey(16 * 16);
    for (const char *name : { "a/1", "a/2", "b/1", "b/2" }) {
        for (std::size_t i = 0; i < grey.size(); i++) grey[i] = static_cast<std::uint8_t>(i * (name[0] == 'a' ? 1 : 7));
        std::filesystem::create_directories(std::string("pictures/") + name[0]);
        peft::image(ctx, grey.data(), 16, 16, 1).save_png(std::string("pictures/") + name + ".png");
    }
    peft::dataset all(ctx, "pictures");
    auto [part, rest] = all.split(0.5, 1);
    EXPECT(all.size() == 4 && part.size() == 2 && rest.size() == 2 && all.classes() == 2 && all.label(3) == 1);
    EXPECT(!std::strcmp(all.class_name(1), "b") && all.load(0).width() == 16);
    peft::backbone vit = peft::backbone::random(ctx, shape);
    peft::transform prepare(ctx, nullptr, "size=16");
    peft::loader batches(all, prepare, "batch=4");
    EXPECT(batches.batches() == 1 && prepare.size() == 16);
    peft::model m(vit, "classes=2");
    m.set_note("preprocess", prepare.text());
    peft::trainer t(m, "batch=4,lr=0.01");
    t.fit(2, batches);
    peft::session s(m);
    peft::predictor p(s), q(s, prepare);
    peft::tensor pixels(ctx, PEFT_U8, { 1, 16, 16, 3 }), logits(ctx, PEFT_F32, { 1, 2 }), shares(ctx, PEFT_F32, { 1,
                                                                                                                  2 });
    p.pixels(pixels, logits);
    q.probabilities(pixels, shares);
    p.probabilities(all.load(0), shares);
    EXPECT(shares.values<float>()[0] > 0 && s.memory() > 0);
}

// Saving and restoring a run, merging, and the calls that the other functions do not make.
static void the_rest(peft::context &ctx)
{
    data d(ctx);
    ctx.isa("auto");
    peft::backbone vit = peft::backbone::random(ctx, shape);
    EXPECT(!vit.note("preprocess"));
    peft::adapter lora(vit, "lora");
    lora.save("lora.safetensors");
    EXPECT(!std::strcmp(peft::adapter::load(vit, "lora.safetensors").method(), "lora"));
    peft::model m(vit, "classes=2");
    m.attach(lora).detach(lora).attach(lora);
    {
        peft::trainer t(m, "batch=4,lr=0.01");
        t.group("head.*", 0.5, 0);
        t.backward(d.images, d.labels);
        t.update();
        peft::tensor logits(ctx, PEFT_F32, { 4, 2 });
        t.evaluate(d.images, logits);
        t.save("run.safetensors");
        t.restore("run.safetensors");
    }
    m.merge().save("merged.safetensors");
    EXPECT(peft::backbone(ctx, "merged.safetensors", peft::options(ctx).set("image_size", 16))["classes"] == 2);
    EXPECT(m.c_ptr() && peft_model_classes(m.c_ptr()) == 2);
    peft_model_free(m.release());
    EXPECT(!m.c_ptr());
}

// Training in stages: the second trainer goes on with what the first has learned.
static void stages(peft::context &ctx)
{
    data d(ctx);
    peft::backbone vit = peft::backbone::random(ctx, shape);
    peft::model m(vit, "classes=2");
    m.attach(peft::adapter(vit, "prefix", "tokens=2"));
    {
        peft::trainer t(m, "batch=4,lr=0.01");
        t.step(d.images, d.labels);
        t.save("first.safetensors");
        EXPECT(status_of([&] { t.warm_start("first.safetensors"); }) == PEFT_E_STATE);
    }
    m.attach(peft::adapter(vit, "lora", "r=2"));
    peft::trainer t(m, "batch=4,lr=0.01");
    EXPECT(t.warm_start("first.safetensors") > 2);               // the head's two, and those of prefix
    EXPECT(t.get("step") == 0);
    EXPECT(status_of([&] { t.warm_start("no such file"); }) == PEFT_E_IO);
}

// Half of e2vpt's tokens are pruned: those of lowest importance.
static void pruning(peft::context &ctx)
{
    data d(ctx);
    peft::backbone vit = peft::backbone::random(ctx, shape);
    peft::adapter prompts(vit, "e2vpt", "tokens=4,mask_tokens=trained");
    EXPECT(status_of([&] { peft::importance(peft::adapter(vit, "lora")); }) == PEFT_E_STATE);
    peft::importance i(prompts);
    peft::tensor scores(ctx, PEFT_F32, { 4 }), absolute(ctx, PEFT_F32, { 4 });
    EXPECT(status_of([&] { i.scores("mask_tokens", scores); }) == PEFT_E_STATE);
    peft::model m(vit, "classes=2");
    m.attach(prompts);
    peft::trainer t(m, "batch=4");
    i.add(t, d.images, d.labels);
    EXPECT(i.batches() == 1);
    i.scores("mask_tokens", scores);
    i.scores("mask_tokens", peft::options(ctx, "score=absolute"), absolute);
    for (std::size_t k = 0; k < 4; k++)
        EXPECT(std::fabs(scores.values<float>()[k]) == absolute.values<float>()[k]);
    peft::adapter half = i.prune(peft::options(ctx, "mask_tokens=50"));
    const char *mask = "prompt_soft_tokens_mask_cls_token";
    float kept = 0;
    for (float v : peft::tensor_view(peft_adapter_find_buffer(half.c_ptr(), mask)).values<float>()) kept += v;
    EXPECT(kept == 2);
    EXPECT(status_of([&] { i.prune(peft::options(ctx, "mask_tokens=500")); }) == PEFT_E_OPTION);
}

// Test-time adaptation: predictions change, the model does not; the state and the statistics of training images.
static void adaptation(peft::context &ctx)
{
    data d(ctx);
    peft::backbone vit = peft::backbone::random(ctx, shape);
    peft::model m(vit, "classes=2");
    peft::tensor first(ctx, PEFT_F32, { 4, 2 }), again(ctx, PEFT_F32, { 4, 2 });
    const auto same = [&] { return !std::memcmp(first.values<float>().data(), again.values<float>().data(), 32); };
    peft::adaptor a(m, "kind=tent,batch=4,lr=0.1");
    EXPECT(!std::strcmp(a.kind(), "tent") && a.memory() > 0);
    a.predict(d.images, first);
    a.save("tent.safetensors");
    a.predict(d.images, first);
    EXPECT(a.get("updates") == 2);
    EXPECT(status_of([&] { a.get("no such figure"); }) == PEFT_E_NOTFOUND);
    a.restore("tent.safetensors");
    a.predict(d.images, again);
    EXPECT(same());
    a.reset();
    EXPECT(a.get("updates") == 0);
    a.predict(d.images, again);
    EXPECT(!same());
    EXPECT(status_of([&] { a.source(d.images); }) == PEFT_E_UNSUPPORTED);
    peft::adaptor f(m, peft::options(ctx, "kind=foa_bp").set("batch", 4));
    EXPECT(status_of([&] { f.predict(d.images, first); }) == PEFT_E_STATE);
    f.source(d.images);
    f.store_source();
    f.predict(d.images, first);
    peft::adaptor(m, "kind=foa_bp,batch=4").predict(d.images, again);     // with the statistics in the model
    EXPECT(same());
    EXPECT(status_of([&] { peft::adaptor(m, "kind=none"); }) == PEFT_E_OPTION);
}

// Two classes of two images, at (0,0) and (0,2), and at (6,0) and (6,2).
static void statistics(peft::context &ctx)
{
    const std::vector<double> scores{ 0.1, 0.4, 0.35, 0.8, 0.7, 0.2 }, others{ 0.3, 0.1, 0.4, 0.5, 0.2, 0.1 };
    const std::vector<float> ill{ 0, 0, 1, 1, 1, 0 };
    const std::vector<std::int64_t> patient{ 1, 1, 2, 3, 3, 4 }, labels{ 0, 1, 1 };
    EXPECT(peft::statistics::proportion(5, 10).value == 0.5);
    EXPECT(peft::statistics::auroc(ctx, scores, ill).value == 8.0 / 9);
    EXPECT(peft::statistics::auroc(ctx, scores, ill, patient).error > 0);
    EXPECT(peft::statistics::auroc_difference(ctx, scores, scores, ill).p == 1);
    EXPECT(status_of([&] { peft::statistics::auroc(ctx, scores, { ill.data(), 2 }); }) == PEFT_E_SHAPE);
    peft_samples samples{};
    samples.n = 6;
    samples.classes = 1;
    samples.scores = scores.data();
    samples.others = others.data();
    samples.targets = ill.data();
    EXPECT(peft::statistics::bootstrap(ctx, samples, "auroc", "resamples=20 stratified=true")[0].resamples == 20);
    EXPECT(peft::statistics::permutation(ctx, samples, "auroc", "resamples=20")[0].p > 0);
    const std::vector<double> t = peft::threshold::choose(ctx, scores, ill, 1, "youden");
    EXPECT(t[0] == 0.7 && peft::threshold::rates(scores, ill, t)[0].tp == 2);
    EXPECT(status_of([&] { peft::threshold::choose(ctx, scores, ill, 4, "youden"); }) == PEFT_E_SHAPE);
    const std::vector<double> p{ 0.75, 0.25, 0.5, 0.5, 0.25, 0.75 };
    const std::vector<double> q = peft::conformal::fit(ctx, p, labels, 2, 0.5);
    EXPECT(q[0] == 0.25 && peft::conformal::sets(ctx, p, q)[0] == 1);
    EXPECT(status_of([&] { peft::conformal::fit(ctx, p, { labels.data(), 1 }, 2, 0.5); }) == PEFT_E_SHAPE);
}

static void analysis(peft::context &ctx)
{
    std::vector<float> x = { 0, 0, 0, 2, 6, 0, 6, 2 };
    const std::vector<std::int64_t> labels = { 0, 0, 1, 1 };
    peft::tensor features(ctx, peft::span<float>(x), { 4, 2 }), flat(ctx, peft::span<float>(x), { 8 });
    const peft::analysis::class_scatter s = peft::analysis::scatter(ctx, features, labels, 2);
    EXPECT(s.intra == 4 && s.inter == 36);
    double each[4];
    const double mean = peft::analysis::silhouette(ctx, features, labels, 2, each);
    const double b = (6 + std::sqrt(40.0)) / 2;
    EXPECT(std::fabs(mean - (b - 2) / b) < 1e-12 && std::fabs(each[3] - mean) < 1e-12);
    EXPECT(peft::analysis::silhouette(ctx, features, labels, 2) == mean);
    const double rank = peft::analysis::effective_rank(ctx, features);
    EXPECT(rank > 1 && rank < 2);
    const auto p = peft::analysis::pca(ctx, features, 2);
    EXPECT(std::fabs(p.share[0] - 0.9) < 1e-12 && std::fabs(std::fabs(p.projection[0]) - 3) < 1e-12);
    EXPECT(status_of([&] { peft::analysis::pca(ctx, features, 3); }) == PEFT_E_INVALID);
    EXPECT(status_of([&] { peft::analysis::scatter(ctx, flat, labels, 2); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::analysis::effective_rank(ctx, peft::tensor(ctx, PEFT_F64, { 4, 2 })); })
           == PEFT_E_DTYPE);
    const std::int64_t few[1] = { 0 };
    EXPECT(status_of([&] { peft::analysis::silhouette(ctx, features, few, 2); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::analysis::silhouette(ctx, features, labels, 2, peft::span<double>(each, 3)); })
           == PEFT_E_SHAPE);
    // three of four labels have the larger logit, by log 4: probability 3/4 at temperature log 4 / log 3
    std::vector<float> z(8, 0.0f);
    for (std::size_t i = 0; i < 4; i++) z[2 * i] = std::log(4.0f);
    peft::tensor logits(ctx, peft::span<float>(z), { 4, 2 });
    const std::vector<std::int64_t> one_wrong = { 0, 0, 0, 1 };
    const double temperature = peft::metrics::fit_temperature(logits, one_wrong);
    EXPECT(std::fabs(temperature - std::log(4.0) / std::log(3.0)) < 1e-6);
    const std::vector<double> scores = peft::metrics::temperature_scores(logits, temperature);
    EXPECT(scores.size() == 8 && std::fabs(scores[6] - 0.75) < 1e-6);
    EXPECT(status_of([&] { peft::metrics::temperature_scores(logits, 0); }) == PEFT_E_INVALID);
}

static void probes(peft::context &ctx)
{
    std::vector<float> x = { 0, 0, 0, 2, 6, 0, 6, 2 }, y = { 1, 0, 0, 1, -1, 1, 0, 1 };
    const std::vector<std::int64_t> labels = { 0, 0, 1, 1 };
    peft::tensor features(ctx, peft::span<float>(x), { 4, 2 }), targets(ctx, peft::span<float>(y), { 4, 2 });
    peft::tensor narrow(ctx, peft::span<float>(x), { 8, 1 });
    peft::probe logistic(ctx, features, labels, 2);
    const std::vector<double> p = logistic.scores(features);
    EXPECT(p.size() == 8 && p[0] > 0.9 && p[7] > 0.9 && std::fabs(p[0] + p[1] - 1) < 1e-12);
    EXPECT(logistic.weights().weights.size() == 4 && logistic.weights().weights[2] > 0);
    EXPECT(logistic.get("iterations") > 0 && std::isnan(logistic.get("no such figure")));
    peft::probe several(ctx, features, targets, "kind=knn k=1 distance=euclidean");
    EXPECT(several.scores(features)[0] == 1 && several.scores(features)[1] == 0);
    EXPECT(status_of([&] { several.weights(); }) == PEFT_E_UNSUPPORTED);
    EXPECT(status_of([&] { several.scores(narrow); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::probe(ctx, narrow, targets); }) == PEFT_E_SHAPE);
    EXPECT(status_of([&] { peft::probe(ctx, features, labels, 2, "kind=none"); }) == PEFT_E_OPTION);
}

int main()
{
    {
        peft::context ctx;
        ctx.threads(1).seed(5);
        spans_and_tensors(ctx);
        training(ctx);
        own_loss(ctx);
        pictures(ctx);
        data_sets(ctx);
        the_rest(ctx);
        stages(ctx);
        pruning(ctx);
        EXPECT(best_epoch_comes_back(ctx));
        EXPECT(maps_are_computed(ctx));
        EXPECT(masks_are_segmented_and_judged(ctx));
        adaptation(ctx);
        analysis(ctx);
        statistics(ctx);
        probes(ctx);
    }
    return failures != 0;
}
