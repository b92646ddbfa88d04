#!/bin/bash
# bundle.sh PROGRAMS DIRECTORY: makes the bundle of these programs and installs it in DIRECTORY/installed, for tests to run that.
set -euo pipefail

programs=$1
directory=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$directory"
MAILDIRSYNC_BUNDLE_LEVEL=${MAILDIRSYNC_BUNDLE_LEVEL:-3} "$source/packaging/bundle" --programs "$programs" "$directory/made"
# Its link in /usr/local/bin is for people.
unshare --mount sh -c 'mount -t tmpfs tmpfs /usr/local/bin && exec "$0"/made/maildirsync-*/install receiver --no-service --prefix "$0/installed"' "$directory"
