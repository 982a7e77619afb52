#!/bin/sh
# Writes the lock files from pyproject.toml, for every platform and Python >= 3.11, with hashes.
set -eu
bin=$1
lock="$bin/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11"
$lock pyproject.toml --output-file requirements/run.txt
$lock pyproject.toml --group dev --output-file requirements/dev.txt --constraint requirements/run.txt
