#!/bin/sh
# Database, media and private files into one dated folder; keep it on another machine.
#   DATABASE_URL=… MEDIA_ROOT=… PRIVATE_ROOT=… deploy/backup.sh /var/backups/abonde
set -eu
target="${1:?Say where: backup.sh FOLDER}/$(date -u +%Y-%m-%dT%H%M%SZ)"
umask 077
mkdir -p "$target"
pg_dump --format=custom --no-owner --file="$target/database.dump" "$DATABASE_URL"
tar -C "$MEDIA_ROOT" -czf "$target/media.tar.gz" .
tar -C "$PRIVATE_ROOT" -czf "$target/private.tar.gz" .
(cd "$target" && sha256sum database.dump media.tar.gz private.tar.gz > SHA256SUMS)
echo "$target"
