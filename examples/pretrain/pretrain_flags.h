/* SPDX-License-Identifier: Apache-2.0
 * pretrain_flags.h -- the command line of pretrain. The defaults suit some 40 epochs of 50,000 images of 32 x 32
 * pixels: so short a training gains nothing from strong augmentation. */
#ifndef PRETRAIN_FLAGS_H
#define PRETRAIN_FLAGS_H

/* Those from batch to clip_norm are options of peft_trainer_create and go there as they are. */
#define FLAGS(X) \
    X(data, "PATH", NULL, "folder of class folders, .zip of one, MedMNIST .npz, or list file; needed") \
    X(test, "PATH", NULL, "test images; else the split \"test\" (or \"val\") of --data, else what training leaves") \
    X(shots, "N", "0", "training images a class, drawn by the seed (0: all)") \
    X(test_per_class, "N", "0", "test images a class, drawn by the seed (0: all)") \
    X(model, "LIST", "image_size=32,patch=4,width=192,depth=6,heads=3,mlp=768", \
      "options of peft_backbone_create") \
    X(start, "FILE", NULL, "in place of --model: goes on from this network's weights, with a new classifier") \
    X(image_size, "N", "0", "with --start: side in pixels, position embeddings are resampled; 0: the file's") \
    X(seed, "N", "1", "of the initial weights, the order and the augmentation") \
    X(epochs, "N", "40", "passes through the training images") \
    X(batch, "N", "64", "images a step") \
    X(accumulate, "N", "1", "steps an update") \
    X(lr, "RATE", "5e-4", "largest learning rate") \
    X(weight_decay, "RATE", "0.05", "of weight matrices; biases, norms, embeddings and tokens have none") \
    X(label_smoothing, "SHARE", "0.1", "of each target, spread over all classes") \
    X(clip_norm, "NORM", "1", "bound of the norm of all gradients; 0: none") \
    X(warmup, "EPOCHS", "3", "in which the rate rises; then it falls by a cosine") \
    X(mixup, "ALPHA", "0", "blends pairs of images: Beta(ALPHA, ALPHA)") \
    X(pad, "N", "4", "pixels that images are shifted by at most") \
    X(jitter, "N", "0", "brightness, contrast and saturation change by up to this") \
    X(erase, "P", "0", "probability that a box of the image is overwritten") \
    X(preprocess, "LIST", "mean=0.485:0.456:0.406,std=0.229:0.224:0.225", "see peft_transform_parse") \
    X(threads, "N", "0", "0: all cores") \
    X(checkpoint, "FILE", "pretrain.state", "training state: written each epoch and on Ctrl-C, read at the start") \
    X(save_every, "N", "0", "updates between further checkpoints; 0: none") \
    X(curve, "FILE", NULL, "CSV that a row is added to after each epoch") \
    X(out, "FILE", "backbone.safetensors", "the trained network with its classifier") \
    X(force, NULL, NULL, "write over --out where it exists") \
    X(evaluate, "FILE", NULL, "trains nothing: test accuracy of this network")
enum { FLAGS(FLAG_ID) flags };
#endif
