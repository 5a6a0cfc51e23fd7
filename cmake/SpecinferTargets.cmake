# How every target is made: a folder is a target, and a file in it belongs to it.

add_library(specinfer_options INTERFACE)
target_compile_options(specinfer_options INTERFACE
  -Wall -Wextra -Wshadow -Wundef -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>  # designated initialisers leave fields at their defaults
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # g++ 12 sees overlaps in std::string that cannot be (GCC bug 105651)
  # Canonical arithmetic: a fused multiply-add stands only where the source says so.
  -ffp-contract=off)
# Of the library itself, not of tests.
add_library(specinfer_strict INTERFACE)
target_compile_options(specinfer_strict INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wconversion> $<$<COMPILE_LANGUAGE:CXX>:-Wno-sign-conversion>)
target_include_directories(specinfer_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
if(SPECINFER_SANITIZE)
  # Lines are all that a report needs, and cost a quarter less time to build.
  target_compile_options(specinfer_options INTERFACE
    -fsanitize=${SPECINFER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(specinfer_options INTERFACE -fsanitize=${SPECINFER_SANITIZE})
endif()

# specinfer_folder(<name> DEPENDS <targets>...): the sources of the current folder as one target specinfer_<name>.
function(specinfer_folder name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  add_library(specinfer_${name} STATIC ${sources})
  target_link_libraries(specinfer_${name} PUBLIC specinfer_options ${ARG_DEPENDS} PRIVATE specinfer_strict)
endfunction()

# specinfer_schema(<name> <file.fbs>): generates <file>_generated.h, included by its path below the project's root.
function(specinfer_schema name schema)
  get_filename_component(stem ${schema} NAME_WE)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/${stem}_generated.h)
  add_custom_command(OUTPUT ${header}
    COMMAND ${FLATC} --cpp -o ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
    DEPENDS ${schema} VERBATIM)
  target_sources(specinfer_${name} PRIVATE ${header})
endfunction()

# Files named *_avx2.cc, *_avx512.cc, *_amx.cc and *_neon.cc are compiled for that instruction set and reached only
# through tables that are filled after asking the CPU (style: no inline function is shared with them).

# specinfer_isa_sources(<list>): takes those of another architecture out of the list.
function(specinfer_isa_sources list)
  set(sources ${${list}})
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    list(FILTER sources EXCLUDE REGEX "_(avx2|avx512|amx)\\.cc$")
  endif()
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    list(FILTER sources EXCLUDE REGEX "_neon\\.cc$")
  endif()
  set(${list} ${sources} PARENT_SCOPE)
endfunction()

function(specinfer_isa_flags)
  foreach(source ${ARGN})
    if(source MATCHES "_avx2\\.cc$")
      set(flags "-mavx2;-mfma;-mf16c")
    elseif(source MATCHES "_avx512\\.cc$")
      set(flags "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mavx512vbmi;-mprefer-vector-width=512")
    elseif(source MATCHES "_amx\\.cc$")
      set(flags "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mavx512vbmi;-mamx-tile;-mamx-int8")
    elseif(source MATCHES "_neon\\.cc$")
      # GCC's first scheduling, before it has registers, only makes it run out of them.
      set(flags "-march=armv8.2-a+dotprod;$<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>")
    else()
      continue()
    endif()
    # Optimised in every build: an inline function that is not inlined would be shared after all.
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Debug>:-O2>;${flags}")
  endforeach()
endfunction()
