#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the test images: make_images.py OUT [--only PATTERN] [--list]

Every case becomes a folder OUT/<case>/ and a line of OUT/manifest.tsv, whose
columns images.py explains. The same files come out each time.
"""

import argparse
import errno
import fnmatch
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import images  # noqa: E402
import cases_hosted  # noqa: E402,F401
import cases_flat  # noqa: E402,F401
import cases_text  # noqa: E402,F401
import cases_stream  # noqa: E402,F401
import cases_esx  # noqa: E402,F401
import cases_chain  # noqa: E402,F401
import cases_paths  # noqa: E402,F401
import cases_tar  # noqa: E402,F401


def main():
    parser = argparse.ArgumentParser(description="Makes the test images.")
    parser.add_argument("out", help="folder to make; cases in it are made anew")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases to make, such as 'bad-stream-*'")
    parser.add_argument("--list", action="store_true", help="only print names and what they are for")
    args = parser.parse_args()

    cases = [case for case in images.CASES if fnmatch.fnmatch(case.name, args.only)]
    names = [case.name for case in images.CASES]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        parser.error("cases of one name: " + ", ".join(sorted(twice)))
    if args.list:
        for case in cases:
            print("%s\t%s" % (case.name, case.row["why"]))
        return 0
    if not cases:
        parser.error("no case is called " + args.only)

    os.makedirs(args.out, exist_ok=True)
    lines, left_out = [], []
    for case in cases:
        shutil.rmtree(os.path.join(args.out, case.name), ignore_errors=True)
        try:
            lines.append(case.build(args.out))
        except OSError as problem:
            # A file system may lack large sparse files, or names that it takes for wrong.
            if problem.errno not in (errno.EFBIG, errno.EINVAL, errno.EILSEQ, errno.EPERM, errno.ENOTSUP):
                raise
            shutil.rmtree(os.path.join(args.out, case.name), ignore_errors=True)
            left_out.append("%s: %s" % (case.name, problem.strerror))
    path = os.path.join(args.out, "manifest.tsv")
    with open(path + ".new", "w", encoding="utf-8", newline="\n") as manifest:
        manifest.write("#" + "\t".join(images.COLUMNS) + "\n")
        for line in lines:
            manifest.write(line + "\n")
    os.replace(path + ".new", path)
    for reason in left_out:
        print("left out " + reason, file=sys.stderr)
    print("%d cases in %s" % (len(lines), args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
