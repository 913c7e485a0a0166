# SPDX-License-Identifier: Apache-2.0
# Makes a C file with the array `const char NAME[]` that holds a text file without its /* */ comments.
#   cmake -DFROM=FILE -DTO=FILE -DNAME=NAME -P TextToC.cmake
file(READ ${FROM} text)
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/\n?" "" text "${text}")
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${TO} "extern const char ${NAME}[];\nconst char ${NAME}[] =\n    \"${text}\";\n")
