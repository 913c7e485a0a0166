// SPDX-License-Identifier: Apache-2.0
// maps.cpp -- peft::maps: sizes, classes, errors, and progress that stops or throws.
#include <peft/maps.hpp>

bool maps_are_computed(peft::context &ctx);

// The status of the exception that call throws; PEFT_OK: it throws none.
template <typename F> static peft_status map_status(F &&call)
{
    try {
        call();
    } catch (const peft::error &e) {
        return e.status();
    }
    return PEFT_OK;
}

bool maps_are_computed(peft::context &ctx)
{
    peft::backbone vit = peft::backbone::random(ctx, "image_size=16,patch=8,width=16,depth=2,heads=2,mlp=16");
    peft::model m(vit, "classes=2");
    peft::tensor images(ctx, PEFT_F32, { 3, 3, 16, 16 }), out(ctx, PEFT_F32, { 3, 2, 2 });
    auto x = images.values<float>();
    for (std::size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 7) - 3;
    peft::maps rollout(m), occlusion(m, "kind=occlusion,batch=2");
    const peft::maps::extents size = rollout.size();
    const std::vector<std::int64_t> of_none = rollout.compute(images, out);
    float total = 0;
    for (const float share : out.values<float>()) total += share;
    const std::vector<std::int64_t> wanted = { 1, -1, 0 }, classes = occlusion.compute(images, out, wanted);
    std::int64_t done = 0;
    occlusion.compute(images, out, {}, [&](std::int64_t d, std::int64_t of) { done = d == of ? d : 0; });
    const auto stop = [](std::int64_t, std::int64_t) { return true; };
    const auto raise = [](std::int64_t, std::int64_t) { throw 7; };
    const std::vector<std::int64_t> two(2);
    bool thrown = false;
    try {
        rollout.compute(images, out, {}, raise);
    } catch (int) {
        thrown = true;
    }
    return size.h == 2 && size.w == 2 && of_none == std::vector<std::int64_t>{ -1, -1, -1 } && total > 0 &&
           total <= 3.001F && classes[0] == 1 && classes[2] == 0 && done > 3 && thrown && rollout.memory() > 0 &&
           map_status([&] { rollout.compute(images, out, {}, stop); }) == PEFT_E_CANCELLED &&
           map_status([&] { occlusion.compute(images, out, two); }) == PEFT_E_SHAPE &&
           map_status([&] { peft::maps(m, "kind=ept"); }) == PEFT_E_UNSUPPORTED;
}
