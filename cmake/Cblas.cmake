# SPDX-License-Identifier: Apache-2.0
# Any CBLAS: PEFT_CBLAS_INCLUDE (the folder of cblas.h), PEFT_BLAS_LIBRARY (its file) and PEFT_BLAS_NAME (for -l).
# On Debian libblas.so.3 is an alternative that OpenBLAS, BLIS or the reference library provides, with the C interface
# inside; elsewhere the C interface may be a library of its own name.
include(CheckFunctionExists)
find_path(PEFT_CBLAS_INCLUDE cblas.h REQUIRED PATH_SUFFIXES openblas-pthread openblas-openmp openblas-serial openblas
          blis-openmp blis-pthread blis-serial blis cblas)
foreach(name blas cblas openblas flexiblas blis)
  find_library(PEFT_BLAS_${name} ${name})
  mark_as_advanced(PEFT_BLAS_${name})
  if(PEFT_BLAS_${name} AND NOT PEFT_BLAS_LIBRARY)
    set(CMAKE_REQUIRED_LIBRARIES ${PEFT_BLAS_${name}} m)
    check_function_exists(cblas_sgemm PEFT_CBLAS_IN_${name})
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(PEFT_CBLAS_IN_${name})
      set(PEFT_BLAS_LIBRARY ${PEFT_BLAS_${name}} CACHE FILEPATH "the library that has cblas_sgemm")
      set(PEFT_BLAS_NAME ${name} CACHE STRING "its name for -l, as installed files give it")
    endif()
  endif()
endforeach()
if(NOT PEFT_BLAS_LIBRARY)
  message(FATAL_ERROR "no library with cblas_sgemm found (Debian: libopenblas-dev); set PEFT_BLAS_LIBRARY")
endif()
set(PEFT_BLAS_NAME blas CACHE STRING "its name for -l, as installed files give it")
