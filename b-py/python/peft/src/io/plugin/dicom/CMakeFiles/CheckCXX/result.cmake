set(CMAKE_CXX_COMPILER "/usr/lib/ccache/g++")
