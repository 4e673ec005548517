#!/bin/sh
# Restore a backup into an EMPTY database, then ask the providers what happened since.
#   DATABASE_URL=… MEDIA_ROOT=… PRIVATE_ROOT=… deploy/restore.sh /var/backups/abonde/2026-11-22T020000Z
set -eu
source="${1:?Say which: restore.sh FOLDER}"
(cd "$source" && sha256sum --check --quiet SHA256SUMS)
pg_restore --no-owner --exit-on-error --single-transaction --dbname="$DATABASE_URL" "$source/database.dump"
mkdir -p "$MEDIA_ROOT" "$PRIVATE_ROOT"
tar -C "$MEDIA_ROOT" -xzf "$source/media.tar.gz"
tar -C "$PRIVATE_ROOT" -xzf "$source/private.tar.gz"
echo "Restored. Before starting the worker: reconcile with the providers (docs/operate.md, After a restore)."
