#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that src/ keeps its layers.

layers.py SRC          names every violation in SRC, exit status 1 if there is one
layers.py --selftest   plants violations in empty trees and expects each to be found
"""

import pathlib
import re
import sys
import tempfile

# Folder -> folders whose headers it may include, its own among them.
LAYERS = {
    "util": {"util"},
    "format": {"format", "util"},
    "io": {"io", "util"},
    "extent": {"extent", "format", "io", "util"},
    "disk": {"disk", "extent", "format", "io", "util"},
    "ops": {"ops", "disk", "extent", "format", "io", "util"},
    "api": {"api", "ops", "disk", "extent", "format", "io", "util"},
}
PUBLIC_HEADER = "vmdk/vmdk.h"
# Below api/ for its numbers and plain structures alone: status, levels, vmdk_io, types, limits.
PUBLIC_HEADER_USERS = ("util/error.h", "util/reporter.h", "io/callback_file.h",
                       "format/descriptor.h", "format/geometry.h", "format/probe.h",
                       "extent/extent.h", "disk/open.h", "ops/create.h", "ops/new_disk.h",
                       "ops/convert.h", "ops/target.h")
# Exceptions end in api/. These catch one to do something about it:
CATCHERS = (
    "util/worker_pool.cc",    # carries it to the calling thread
    "extent/grain_table.cc",  # reads the redundant copy of a table
    "extent/read_ahead.cc",   # leaves a failure to the reader who wants the grain
    "disk/disk.cc",           # adds where it happened
    "disk/disk_write.cc",     # tells what a failure leaves in doubt
    "disk/open.cc",           # tries the next candidate
    "ops/convert.cc",         # leaves a failure until what came before it is dealt with
    "ops/piece_target.cc",    # tells what part of a disk cannot be read
    "ops/pipeline.cc",        # leaves a failure to the thread that takes the piece
    "ops/piece_source.cc",    # tells what part of a disk cannot be read, or has zeros there
    "api/boundary.h",
)
FILE_HEADER = re.compile(r"(fcntl|unistd|dirent|fstream|filesystem)(\.h)?$|(sys|linux)/.*\.h$")
CODEC_HEADER = re.compile(r"(zlib|libdeflate)\.h$")
THREAD_HEADER = re.compile(r"(thread|future|pthread\.h|threads\.h)$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\s\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.S)


def may_catch(path):
    return path in CATCHERS or (path.startswith("api/") and path.endswith(".cc"))


def may_reinterpret(path):
    return path.split("/")[0] in ("api", "util", "io")


def strip(text, literals):
    """Blanks comments, and string literals too if asked; line numbers stay."""

    def blank(match):
        piece = match.group(0)
        is_comment = piece.startswith(("//", "/*"))
        if not is_comment and not literals:
            return piece
        return " " + "\n" * piece.count("\n")

    return COMMENT_OR_LITERAL.sub(blank, text)


def include_fault(path, folder, bracket, header):
    """What is wrong with one #include, or None."""
    if header == PUBLIC_HEADER:
        if folder not in ("tool", "api") and path not in PUBLIC_HEADER_USERS:
            return "<vmdk/vmdk.h> belongs to api/, tool/ and " + ", ".join(PUBLIC_HEADER_USERS)
        return None
    if folder == "tool":
        if bracket == '"' and "/" in header:
            return f'"{header}": the tool sees <vmdk/vmdk.h> and its own folder only'
        return None
    if bracket == '"':
        target = header.split("/")[0] if "/" in header else None
        if target is None:
            return f'"{header}": includes count from src/, with the folder'
        if target not in LAYERS[folder]:
            return f'"{header}": {folder}/ may not see {target}/'
        return None
    if FILE_HEADER.match(header) and folder != "io":
        return f"<{header}>: only io/ touches files"
    if CODEC_HEADER.match(header) and path != "util/deflate.cc":
        return f"<{header}>: only util/deflate.cc uses a codec"
    if THREAD_HEADER.match(header) and not path.startswith("util/worker_pool."):
        return f"<{header}>: only util/worker_pool starts threads"
    return None


def faults_of(path, text):
    """Yields (line, what) for one file; path counts from src/."""
    folder = path.split("/")[0]
    if "/" not in path or folder not in set(LAYERS) | {"tool"}:
        yield 1, "no such layer"
        return
    code = strip(text, literals=False)
    bare = strip(text, literals=True)

    def line_of(source, position):
        return source.count("\n", 0, position) + 1

    for match in INCLUDE.finditer(code):
        what = include_fault(path, folder, match.group(1), match.group(2))
        if what:
            yield line_of(code, match.start(1)), what
    if folder == "tool":
        return
    if folder != "api" and path != "util/mutant.h":  # whose switch is a test's, in C
        for match in re.finditer(r'\bextern\s*"C"', code):
            yield line_of(code, match.start()), 'extern "C" belongs to api/'
    if not may_catch(path):
        for match in re.finditer(r"\bcatch\s*\(", bare):
            yield line_of(bare, match.start()), "exceptions are not caught here"
    if not may_reinterpret(path):
        for match in re.finditer(r"\breinterpret_cast\b", bare):
            yield line_of(bare, match.start()), "reinterpret_cast belongs to api/, io/ and util/"


def check(src):
    """All violations below src, as lines to print; and the number of files."""
    found = []
    files = sorted(p for p in pathlib.Path(src).rglob("*")
                   if p.suffix in (".c", ".cc", ".cpp", ".h", ".hpp"))
    for file in files:
        path = file.relative_to(src).as_posix()
        for line, what in faults_of(path, file.read_text(encoding="utf-8")):
            found.append(f"src/{path}:{line}: {what}")
    return found, len(files)


# (file, its text, must it be refused)
PLANTED = [
    ("util/a.h", '#include "format/descriptor.h"\n', True),
    ("util/b.h", '#include "util/bytes.h"\n#include <vector>\n', False),
    ("format/a.cc", '#include "io/file.h"\n', True),
    ("format/b.cc", '#include "bytes.h"\n', True),
    ("io/a.cc", '#include "format/descriptor.h"\n', True),
    ("io/b.cc", "#include <fcntl.h>\n#include <sys/stat.h>\n#include <linux/openat2.h>\n", False),
    ("extent/a.cc", '#include "disk/disk.h"\n', True),
    ("extent/b.cc", "#include <unistd.h>\n", True),
    ("extent/c.cc", "#  include <sys/stat.h>\n", True),
    ("extent/d.cc", "#include <zlib.h>\n", True),
    ("extent/e.cc", "#include <thread>\n", True),
    ("extent/f.cc", "int f() { try { } catch (...) { } return 0; }\n", True),
    ("extent/g.cc", "char* g(int* p) { return reinterpret_cast<char*>(p); }\n", True),
    ("extent/h.cc", '// catch (x), reinterpret_cast, extern "C"\nconst char* s = "catch (";\n',
     False),
    ("extent/i.cc", '/* #include "api/boundary.h" */\n// #include <thread>\n', False),
    ("extent/j.cc", "#include <vmdk/vmdk.h>\n", True),
    ("util/error.h", "#include <vmdk/vmdk.h>\n", False),
    ("util/deflate.cc", "#include <libdeflate.h>\n#include <zlib.h>\n", False),
    ("util/worker_pool.cc", "#include <thread>\nvoid f() { try { } catch (...) { } }\n", False),
    ("disk/open.cc", '#include "extent/extent.h"\nvoid f() { try { } catch (...) { } }\n', False),
    ("disk/e.cc", "void f() { try { } catch (...) { } }\n", True),
    ("disk/b.cc", 'extern "C" int f();\n', True),
    ("disk/c.cc", '#include "api/boundary.h"\n', True),
    ("disk/d.cc", "char c = '\"'; extern \"C\" int f();\n", True),
    ("ops/a.cc", '#include "disk/disk.h"\n', False),
    ("api/a.cc", 'extern "C" int f() { try { } catch (...) { } return 0; }\n', False),
    ("api/other.h", "inline void f() { try { } catch (...) { } }\n", True),
    ("tool/a.cc", "#include <vmdk/vmdk.h>\n#include <unistd.h>\n#include \"progress.h\"\n", False),
    ("tool/b.cc", '#include "disk/disk.h"\n', True),
    ("misc/a.cc", "\n", True),
    ("loose.cc", "\n", True),
]


def selftest():
    wrong = 0
    for path, text, refused in PLANTED:
        with tempfile.TemporaryDirectory() as src:
            file = pathlib.Path(src, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            found, _ = check(src)
        if bool(found) != refused:
            wrong += 1
            print(f"{path}: expected {'a violation' if refused else 'none'}, found {found}")
    print(f"{len(PLANTED)} planted files, {wrong} judged wrongly")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--selftest"]:
        return selftest()
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found, files = check(sys.argv[1])
    print("\n".join(found + [f"{files} files, {len(found)} violations"]))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
