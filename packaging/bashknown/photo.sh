#!/bin/sh
# Posts pictures: echo "body message" | photo.sh https://mysite.com user api_key title filename...
set -eu
. "$(dirname "$(readlink -f "$0")")/bashknown.sh"

[ $# -ge 5 ] || usage 'echo "body message" | photo.sh https://mysite.com user api_key title filename...'
site=$1 user=$2 title=$4
take_key "$3" "$site" "$user"
shift 4
exec "$mediaagent" post photo --wait --file=- --title="$title" --site="$site" --user="$user" \
    $(clear_text "$site") -- "$@"
