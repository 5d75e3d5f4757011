#!/bin/sh
# Fetches what stands at an address: known_GET.sh https://mysite.com/endpoint user api_key
set -eu
. "$(dirname "$(readlink -f "$0")")/bashknown.sh"

[ $# -ge 3 ] || usage 'known_GET.sh https://mysite.com/endpoint user api_key'
rest=${1#*://}
site=${1%"$rest"}${rest%%/*}
take_key "$3" "$site" "$2"
exec "$mediaagent" known get --site="$site" --user="$2" $(clear_text "$site") -- "$1"
