"""The public headers stand alone: C99 without padding, C++11, C++17 without exceptions and RTTI, in any mixture."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

TWICE = '#include "{header}"\n#include "{header}"\n'

STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Wconversion", "-pedantic", "-Werror"]
UNPADDED = ["-Wpadded"]
FOR_C = ["-Wstrict-prototypes", "-Wmissing-prototypes", "-Wmissing-field-initializers"]

# Every _INIT macro, so that none of them warns or is too short.
INITIALISED = """
int use_{name}(void);
int use_{name}(void) {{
  specinfer_engine_config engine = SPECINFER_ENGINE_CONFIG_INIT;
  specinfer_engine_statistics engine_statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  specinfer_model_config model = SPECINFER_MODEL_CONFIG_INIT;
  specinfer_model_memory memory = SPECINFER_MODEL_MEMORY_INIT;
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  specinfer_session_config session = SPECINFER_SESSION_CONFIG_INIT;
  specinfer_generation_config generation = SPECINFER_GENERATION_CONFIG_INIT;
  specinfer_event event = SPECINFER_EVENT_INIT;
  specinfer_session_statistics session_statistics = SPECINFER_SESSION_STATISTICS_INIT;
  return (int)(engine.struct_size + engine_statistics.struct_size + model.struct_size + memory.struct_size +
               properties.struct_size + session.struct_size + generation.struct_size + event.struct_size +
               session_statistics.struct_size);
}}
"""
SPECULATION_INITIALISED = """
int use_speculation_{name}(void);
int use_speculation_{name}(void) {{
  specinfer_speculation_statistics statistics = SPECINFER_SPECULATION_STATISTICS_INIT;
  return (int)(statistics.struct_size + statistics.num_drafters);
}}
"""

# What is compiled: file name, header, compiler and flags.
CASES = [
    ("first.c", "specinfer.h", "c", ["-std=c99"] + STRICT + UNPADDED + FOR_C),
    ("second.c", "specinfer.h", "c", ["-std=c11"] + STRICT + UNPADDED + FOR_C),
    ("third.cc", "specinfer.h", "c++", ["-std=c++11"] + STRICT + UNPADDED),
    ("speculation_first.c", "specinfer/speculation.h", "c", ["-std=c99"] + STRICT + UNPADDED + FOR_C),
    ("speculation_second.c", "specinfer/speculation.h", "c", ["-std=c11"] + STRICT + UNPADDED + FOR_C),
    ("speculation_third.cc", "specinfer/speculation.h", "c++", ["-std=c++11"] + STRICT + UNPADDED),
    ("fourth.cc", "specinfer.hpp", "c++", ["-std=c++17", "-fno-exceptions", "-fno-rtti"] + STRICT),
    ("fifth.cc", "specinfer.hpp", "c++", ["-std=c++20"] + STRICT),
]


def run(command, folder):
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")


def compile_all(folder, compilers):
    objects = []
    for name, header, language, flags in CASES:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as source:
            source.write(TWICE.format(header=header))
            initialised = INITIALISED if header == "specinfer.h" else INITIALISED + SPECULATION_INITIALISED
            source.write(initialised.format(name=name.replace(".", "_")))
        objects.append(name + ".o")
        run([compilers[language], *flags, "-I.", "-c", name, "-o", objects[-1]], folder)
    return objects


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--include", "--c-compiler", "--cxx-compiler"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(options.include, folder, dirs_exist_ok=True)
        objects = compile_all(folder, {"c": options.c_compiler, "c++": options.cxx_compiler})
        # Twice defined in two of them would not link.
        run([options.cxx_compiler, "-r", "-nostdlib", *objects, "-o", "all.o"], folder)


main()
