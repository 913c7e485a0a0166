/* SPDX-License-Identifier: Apache-2.0
 * net.c -- compiles and runs the graph of the kinds of maps that read values inside the model. */
#include <string.h>
#include "core/maps/maps.h"

static int64_t image_elements(const peft_maps *s)
{
    return 3 * pf_vit_pixels(&s->model->backbone->shape);
}

peft_status pf_maps_compile(peft_maps *s, const char *taps)
{
    const pf_compile_spec wanted = { .batch = s->batch, .name = s->kind->name };
    const pf_net_spec spec = { .model = s->model, .overlay = &s->overlay, .taps = taps,
                               .compile = pf_engine_spec(&s->engine, wanted) };
    PF_TRY(pf_compiled_create(&s->net, &spec));
    PF_TRY(pf_exec_bind(&s->net.exec, NULL));              /* NULL: allocates the graph's memory */
    if (s->net.method_input_count)
        return pf_fail(PEFT_E_UNSUPPORTED, "maps of kind=%s: a method of the model needs inputs beside the images, "
                       "which maps cannot have; expected another method", s->kind->name);
    const size_t bytes = (size_t)(s->batch * image_elements(s)) * sizeof *s->images;
    s->images = pf_alloc_zero(s->ctx, bytes);
    return s->images ? PEFT_OK : pf_nomem("images", bytes);
}

peft_status pf_maps_bind(peft_maps *s, const peft_tensor *images, int64_t n)
{
    const int64_t used = n * image_elements(s), all = s->batch * image_elements(s);
    pf_to_real(s->images, images->data, images->type, used);
    memset(s->images + used, 0, (size_t)(all - used) * sizeof *s->images);
    pf_exec_bind_input(&s->net.exec, s->net.images, s->images);
    return pf_exec_check_inputs(&s->net.exec);
}

void pf_maps_run(peft_maps *s, uint32_t begin, uint32_t end)
{
    pf_model_lock_read(s->model);
    pf_exec_run(&s->net.exec, begin, end);
    pf_model_unlock(s->model);
}
