#!/bin/sh
# SPDX-License-Identifier: MIT
# doxygen.sh DOXYFILE: the reference of the API builds without a warning.
set -eu
if ! command -v doxygen > /dev/null; then
  echo "skipped: doxygen is not installed"
  exit 77
fi
cd "$(dirname "$1")/.."
doxygen "$1"
[ -f docs/reference/html/index.html ] && [ -f docs/reference/man/man3/vmdk_open.3 ]
echo "reference: ok"
