// SPDX-License-Identifier: Apache-2.0
// early_stop.cpp -- peft::early_stop: the values of the best epoch come back, also from a file.
#include <peft/peft.hpp>

bool best_epoch_comes_back(peft::context &ctx);

bool best_epoch_comes_back(peft::context &ctx)
{
    peft::tensor images(ctx, PEFT_F32, { 2, 3, 16, 16 }), labels(ctx, PEFT_I64, { 2 });
    labels.values<std::int64_t>()[0] = labels.values<std::int64_t>()[1] = 1;
    peft::backbone vit = peft::backbone::random(ctx, "image_size=16,patch=8,width=16,depth=1,heads=2,mlp=16");
    peft::model m(vit, "classes=2");
    m.attach(peft::adapter(vit, "lora"));
    peft::early_stop e(m, "goal=min,patience=1");
    try {
        e.restore();
        return false;
    } catch (const peft::error &x) {
        if (x.status() != PEFT_E_STATE) return false;
    }
    peft::trainer t(m, "batch=2");
    const peft::tensor_view bias(peft_param_value(peft_model_find_param(m.c_ptr(), "head.bias")));
    t.step(images, labels);
    const float best = bias.values<float>()[0];
    const bool first = e.offer(1, 0.5);
    t.step(images, labels);
    const bool moved = bias.values<float>()[0] < best || bias.values<float>()[0] > best;
    const bool second = e.offer(2, 0.75);
    e.save("best.safetensors");
    peft::early_stop again(m, "goal=min");
    again.load("best.safetensors");
    again.restore();
    const float back = bias.values<float>()[0];
    return moved && !first && second && e.waited() == 1 && e.best_epoch() == 1 && again.best_epoch() == 1 &&
           !(back < best || back > best);
}
