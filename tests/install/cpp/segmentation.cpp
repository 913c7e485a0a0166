// SPDX-License-Identifier: Apache-2.0
// segmentation.cpp -- peft::mask, peft::segmenter and peft::segmentation: label maps of a picture, probabilities, rows
// that stop and throw, figures of cases, errors.
#include <peft/io.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

bool masks_are_segmented_and_judged(peft::context &ctx);

static int wrong;
#define EXPECT(condition) \
    ((condition) ? (void)0 : (void)(wrong++, std::fprintf(stderr, "line %d: expected %s\n", __LINE__, #condition)))

// The status of the exception that call throws; PEFT_OK: it throws none.
template <typename F> static peft_status thrown_by(F &&call)
{
    try {
        call();
    } catch (const peft::error &e) {
        return e.status();
    }
    return PEFT_OK;
}

// Two pictures and their masks.
static void masks(peft::context &ctx)
{
    std::vector<std::uint8_t> grey(16 * 16);
    for (std::size_t i = 0; i < grey.size(); i++) grey[i] = i < 128 ? 0 : 255;
    for (const char *folder : { "segmented/images/a", "segmented/images/b", "segmented/masks/a", "segmented/masks/b" }) {
        std::filesystem::create_directories(folder);
        peft::image(ctx, grey.data(), 16, 16, 1).save_png(std::string(folder) + "/1.png");
    }
    const peft::dataset all(ctx, "segmented/images");
    const peft::dataset masked = peft::with_masks(all, "segmented/masks", "kind=binary");
    const peft::mask map = peft::load_mask(masked, 0, all.load(0));
    EXPECT(map.width() == 16 && map.height() == 16 && map.classes() == 2 && !map.multilabel());
    const std::vector<std::int64_t> labels = map.labels();
    EXPECT(labels.size() == 256 && labels.front() == 0 && labels.back() == 1);
}

static void segmenter(peft::context &ctx)
{
    const peft::backbone vit = peft::backbone::random(ctx, "image_size=16,patch=8,width=16,depth=1,heads=2,mlp=16");
    const peft::model m(vit, "classes=3,head=patch_linear,head_init=xavier");
    const peft::session s(m, "batch=2");
    const peft::transform whole(ctx, nullptr, "size=16,resize=squash");
    std::vector<std::uint8_t> rgb(20 * 30 * 3);
    for (std::size_t i = 0; i < rgb.size(); i++) rgb[i] = static_cast<std::uint8_t>(i * i % 251);
    const peft::image im(ctx, rgb.data(), 30, 20, 3);
    EXPECT(thrown_by([&] { peft::segmenter g(s); }) == PEFT_E_NOTFOUND);           // the model has no "preprocess"
    peft::segmenter g(s, whole, "mode=tiles");
    EXPECT(g.classes() == 3 && !std::strcmp(g.link(), "softmax") && g.tiles(30, 20) == 6 && g.memory(30) > 0);

    const peft::image labels = g.labels(im);
    EXPECT(labels.width() == 30 && labels.height() == 20 && labels.channels() == 1);
    const std::vector<std::uint8_t> palette = { 0, 0, 0, 255, 0, 0, 0, 255, 0 };
    labels.save_png_palette(palette, "labels.png");
    EXPECT(peft::image(ctx, "labels.png").channels() == 3);
    const std::uint8_t few[4] = { 0, 0, 0, 255 };
    EXPECT(thrown_by([&] { labels.save_png_palette(few, "labels.png"); }) == PEFT_E_SHAPE);
    EXPECT(thrown_by([&] { labels.save_png_palette(std::vector<std::uint8_t>(900), "labels.png"); })
           == PEFT_E_INVALID);

    peft::tensor p(ctx, PEFT_F32, { 20, 30, 3 });
    g.probabilities(im, p);
    const peft::span<float> all = p.values<float>();
    const auto *pixel = static_cast<const std::uint8_t *>(labels.pixels());
    for (std::size_t i = 0; i < 600; i++) {
        const float *v = all.data() + 3 * i;
        EXPECT(std::fabs(v[0] + v[1] + v[2] - 1) < 1e-5f && std::max_element(v, v + 3) - v == pixel[i]);
    }
    std::int64_t rows = 0;
    g.rows(im, false, [&](std::int64_t first, peft::tensor_view l, peft::tensor_view none) {
        EXPECT(first == rows && !none.c_ptr());
        rows += l.shape()[0];
    });
    EXPECT(rows == 20);
    int caught = 0;
    try {
        g.rows(im, true, [](std::int64_t, peft::tensor_view, peft::tensor_view) { throw 7; });
    } catch (int e) {
        caught = e;
    }
    EXPECT(caught == 7);
    peft::tensor narrow(ctx, PEFT_F32, { 20, 29, 3 });
    EXPECT(thrown_by([&] { g.probabilities(im, narrow); }) == PEFT_E_SHAPE);
}

// With link sigmoid a pixel may have several labels; an adaptor adapts to the images.
static void labels_by_threshold(peft::context &ctx)
{
    const peft::backbone vit = peft::backbone::random(ctx, "image_size=16,patch=8,width=16,depth=1,heads=2,mlp=16");
    peft::model m(vit, "classes=3,head=patch_linear,head_init=xavier");
    const peft::transform whole(ctx, nullptr, "size=16,resize=squash");
    std::vector<std::uint8_t> rgb(20 * 30 * 3);
    for (std::size_t i = 0; i < rgb.size(); i++) rgb[i] = static_cast<std::uint8_t>(i * i % 251);
    const peft::image im(ctx, rgb.data(), 30, 20, 3);
    peft::tensor p(ctx, PEFT_F32, { 20, 30, 3 }), targets(ctx, PEFT_U8, { 20, 30, 3 });
    const std::vector<double> thresholds = { 0.4, 0.5, 0.6 }, few = { 0.5 };

    peft::adaptor adapting(m, "kind=tent,batch=2");
    EXPECT(thrown_by([&] { peft::segmenter g(adapting); }) == PEFT_E_NOTFOUND);
    peft::segmenter adapted(adapting, whole, "mode=tiles");
    EXPECT(thrown_by([&] { adapted.targets(im, targets); }) == PEFT_E_UNSUPPORTED);
    EXPECT(adapted.labels(im).width() == 30 && adapting.get("batches") == 4);        // two rows of three tiles

    m.set_note("link", "sigmoid");
    const peft::session s(m, "batch=2");
    peft::segmenter g(s, whole);
    g.probabilities(im, p);
    for (int given = 0; given < 2; given++) {
        g.targets(im, targets, given ? peft::span<const double>(thresholds) : peft::span<const double>());
        for (std::size_t i = 0; i < 1800; i++)
            EXPECT(targets.values<std::uint8_t>()[i]
                   == (static_cast<double>(p.values<float>()[i]) >= (given ? thresholds[i % 3] : 0.5)));
    }
    EXPECT(thrown_by([&] { g.targets(im, targets, few); }) == PEFT_E_SHAPE);
}

static void figures(peft::context &ctx)
{
    std::vector<std::int64_t> truth = { 0, 1, 1, 0, 1, -1 }, predicted = { 0, 1, 0, 0, 1, 1 };
    const peft::tensor t(ctx, peft::span<std::int64_t>(truth), { 2, 3 });
    const peft::tensor p(ctx, peft::span<std::int64_t>(predicted), { 2, 3 });
    const std::vector<double> spacing = { 2, 0.5 }, one = { 2 };
    peft::segmentation figures(ctx, 2);
    std::vector<peft_segment> out(4);
    figures.add(p, t, spacing);
    figures.end_case({ out.data(), 2 });
    figures.add(p, p);
    EXPECT(thrown_by([&] { figures.end_case(out); }) == PEFT_E_SHAPE);
    figures.end_case({ out.data() + 2, 2 });
    EXPECT(out[1].judged == 5 && out[1].truth == 3 && out[1].both == 2 && out[1].hd == 0.5 && out[3].hd == 0);
    const std::vector<double> dice = peft::segmentation::values(ctx, out, "dice");
    EXPECT(dice.size() == 4 && std::fabs(dice[1] - 0.8) < 1e-12 && dice[3] == 1);
    EXPECT(thrown_by([&] { peft::segmentation::values(ctx, out, "volume"); }) == PEFT_E_NOTFOUND);
    EXPECT(thrown_by([&] { peft::segmentation::values(ctx, out, "dice", "absent=never"); }) == PEFT_E_OPTION);
    EXPECT(thrown_by([&] { figures.add(p, t, one); }) == PEFT_E_SHAPE);
    EXPECT(thrown_by([&] { figures.end_case({ out.data(), 2 }); }) == PEFT_E_STATE);

    std::vector<std::uint8_t> both = { 1, 1, 0, 1, 1, 0, 0, 0 };
    const peft::tensor targets(ctx, peft::span<std::uint8_t>(both), { 2, 2, 2 });
    peft::segmentation counts(ctx, 2, false);
    counts.add_targets(targets, targets, spacing);
    counts.end_case({ out.data(), 2 });
    EXPECT(out[0].both == 2 && out[1].both == 2 && std::isnan(out[0].hd));
}

bool masks_are_segmented_and_judged(peft::context &ctx)
{
    masks(ctx);
    segmenter(ctx);
    labels_by_threshold(ctx);
    figures(ctx);
    return wrong == 0;
}
