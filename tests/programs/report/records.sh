#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes a folder of records, as compare --records does, with results that are made up and the same in every call.
#   records.sh DIR CLASSES METHODS DRAWS RUNS IMAGES [WORD..]
# RUNS: on each draw. IMAGES: held out. WORDs:
#   names     classes, methods and images have long names with <, &, quotes and umlauts
#   partial   the last method has no finished run, and the one before only its first
#   none      no run is finished
#   linear    the first method is linear
#   chosen    settings were chosen by folds: the first method has lr=0.01 in its first run, lr=0.02 in others
#   patients=N  the images are of N patients by turns; without it the records do not say
#   epochs=N  default 3; 0: no epochs
#   maps      maps of all images of each method's first run; the last kind has none
set -eu
dir=$1 classes=$2 methods=$3 draws=$4 runs=$5 images=$6
shift 6
names=0 partial=0 none=0 linear=0 chosen=0 maps=0 epochs=3 patients=0
for word in "$@"; do
    case $word in
        names) names=1 ;; partial) partial=1 ;; none) none=1 ;; linear) linear=1 ;; chosen) chosen=1 ;;
        maps) maps=1 ;;
        epochs=*) epochs=${word#epochs=} ;;
        patients=*) patients=${word#patients=} ;;
        *) echo "records.sh: unknown word '$word'" >&2; exit 2 ;;
    esac
done
mkdir -p "$dir"
awk -v dir="$dir" -v classes="$classes" -v methods="$methods" -v draws="$draws" -v runs="$runs" -v images="$images" \
    -v names="$names" -v partial="$partial" -v none="$none" -v linear="$linear" -v chosen="$chosen" -v maps="$maps" \
    -v epochs="$epochs" -v patients="$patients" '
function random() { state = (state * 16807) % 2147483647; return state / 2147483647 }
# The name of class, method or image k, as a field of a CSV file.
function named(kind, k) {
    if (!names) return kind " " k
    return "\"" kind " <" k "> & \"\"\303\234beraus\"\", Gewebe mit sehr langem Namen ohne Ende " \
        "Plattenepithelkarzinomverdachtsbefundverzeichnisnummer" k "\""
}
function label(m) { return linear && m == 1 ? "linear" : named("method", m) }
function key(m) { return sprintf("%016x", m) }
# Images of 40 x 20 and 20 x 40 pixels by turns, of which the network sees the middle square.
function put_maps(file,   image, kind, wide, k) {
    print "kind,image,class,width,height,left,top,right,bottom,rows,columns,values,note" > file
    for (kind = 0; kind < 2; kind++)
        for (image = 0; image < images; image++) {
            wide = image % 2
            printf "%s,%d,%s,%d,%d,%d,%d,%d,%d,4,4,", kind ? "cam" : "rollout", image, kind ? image % classes : "",
                wide ? 40 : 20, wide ? 20 : 40, wide ? 10 : 0, wide ? 0 : 10, wide ? 30 : 20, wide ? 20 : 30 > file
            for (k = 0; k < 16; k++) printf "%s%.6g", k ? " " : "", kind && image % 5 == 0 ? 0 : random() > file
            print "," > file
        }
    print "ept,,,,,,,,,,,," named("no prompts", 1) > file
    close(file)
}
function finished(m, i) {
    if (none) return 0
    if (partial && m == methods) return 0
    return !(partial && m == methods - 1 && i > 1)
}
BEGIN {
    state = 4711
    study = dir "/study.csv"
    print "libpeft,1.0.0\nisa,ref\ncommand,compare --records" > study
    if (maps) print "maps,all" > study
    if (names) print "title," named("study", 1) "\nnote," named("note", 1) > study
    print "data," dir "/images\nbackbone,vit.safetensors\nfingerprint,0" > study
    print "width,192\ndepth,6\npatch,4\nimage_size,32" > study
    print "shots,2\ntest_per_class,0\nsamplings," draws "\nruns," runs "\nseed,1\njobs,1" > study
    print "train_images," 2 * classes > study
    print "test_images," images > study
    for (c = 1; c <= classes; c++) print "class," named("class", c) > study
    for (m = 1; m <= methods; m++)
        print "entry," label(m) "," key(m) "," (linear && m == 1 ? "linear" : "lora") ",rank=" m > study
    for (m = 1; m <= methods; m++)
        for (i = 0; i < draws * runs; i++) if (finished(m, i + 1)) {
            base = dir "/" key(m) "-" (1 + i % draws) "-" (1 + int(i / draws))
            test = base ".test.csv"
            printf "name,index,true" > test
            for (c = 1; c <= classes; c++) printf ",%s", named("class", c) > test
            print (patients ? ",patient" : "") > test
            delete hits; delete all
            for (k = 0; k < images; k++) {
                true_class = k % classes
                sum = 0
                for (c = 0; c < classes; c++) sum += p[c] = random() + (c == true_class) * (0.2 + 0.1 * m)
                best = 0
                printf "%s,%d,%d", named("image", k), k, true_class > test
                for (c = 0; c < classes; c++) {
                    printf ",%.9g", p[c] / sum > test
                    if (p[c] > p[best]) best = c
                }
                print (patients ? "," sprintf("%016x", k % patients) : "") > test
                hits[true_class] += best == true_class
                all[true_class]++
            }
            right = balanced = seen = 0
            for (c in all) { right += hits[c]; balanced += hits[c] / all[c]; seen++ }
            print "label,method,sampling,run,draw_seed,run_seed,test_images,accuracy,balanced_accuracy,f1_macro," \
                "auroc_macro,map,loss,trainable_parameters,steps,seconds_per_step,planned_bytes,peak_bytes,seconds," \
                "data,settings" (chosen ? ",chosen" : "") > (base ".run.csv")
            printf "%s,lora,%d,%d,1,1,%d,%.10g,%.10g,0.5,%s,,0.3,%d,10,0.0%d,1000000,2000000,%d,images,rank%s\n",
                label(m), 1 + i % draws, 1 + int(i / draws), images, right / images, balanced / seen,
                images < 2 * classes ? "" : 0.5 + 0.04 * m, 1000 * m * m + 234, m, m,
                (!chosen ? "" : m > 1 ? "," : i ? ",lr=0.02" : ",lr=0.01") > (base ".run.csv")
            print "epoch,loss,balanced_accuracy" > (base ".curve.csv")
            for (e = 1; e <= epochs; e++)
                printf "%d,%.6g,%s\n", e, (0.5 + random()) / e, e == epochs ? balanced / seen : "" > (base ".curve.csv")
            close(test); close(base ".run.csv"); close(base ".curve.csv")
            if (maps && !i) put_maps(base ".maps.csv")
        }
}'
