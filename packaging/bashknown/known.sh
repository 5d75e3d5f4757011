#!/bin/sh
# Sends url-encoded data: echo "body=my data" | known.sh https://mysite.com/endpoint user api_key
set -eu
. "$(dirname "$(readlink -f "$0")")/bashknown.sh"

[ $# -ge 3 ] || usage 'echo "body=my data" | known.sh https://mysite.com/endpoint user api_key'
rest=${1#*://}
site=${1%"$rest"}${rest%%/*}
take_key "$3" "$site" "$2"
exec "$mediaagent" known post --data=- --site="$site" --user="$2" $(clear_text "$site") -- "$1"
