// SPDX-License-Identifier: Apache-2.0
// classify.cpp -- class probabilities of pictures by an adapted model, in C++17 with the headers peft.hpp and io.hpp.
//
//   classify BACKBONE MODEL PICTURE...
#include <peft/io.hpp>
#include <peft/peft.hpp>
#include <cstdio>
#include <iostream>
#include <sstream>

// The lines of the note "class_names", or numbers where the model has none.
static std::vector<std::string> class_names(const peft::model &m)
{
    const char *note = m.note("class_names");
    std::vector<std::string> names;
    std::istringstream lines(note ? note : "");
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    for (std::int64_t c = static_cast<std::int64_t>(names.size()); c < m.classes(); c++)
        names.push_back("class " + std::to_string(c));
    return names;
}

int main(int argc, char **argv)
try {
    if (argc < 4) {
        std::cerr << "usage: classify BACKBONE MODEL PICTURE...\n";
        return 2;
    }
    peft::context ctx;
    peft::backbone vit(ctx, argv[1]);
    peft::model model = peft::model::load(vit, argv[2]);
    peft::session session(model);
    peft::predictor predict(session);                   // prepares pictures as in training
    peft::tensor probabilities(ctx, PEFT_F32, { 1, model.classes() });
    const std::vector<std::string> names = class_names(model);
    for (int i = 3; i < argc; i++) {
        predict.probabilities(peft::image(ctx, argv[i]), probabilities);
        std::cout << argv[i];
        for (std::size_t c = 0; c < names.size(); c++) {
            char text[32];
            std::snprintf(text, sizeof text, " %.4f", probabilities.values<float>()[c]);
            std::cout << "  " << names[c] << text;
        }
        std::cout << '\n';
    }
    return 0;
} catch (const std::exception &e) {
    std::cerr << "classify: " << e.what() << '\n';
    return 1;
}
