#!/bin/sh
# Posts a long text, its first line the title: cat blog.txt | blog.sh https://mysite.com user api_key [syndication]...
set -eu
. "$(dirname "$(readlink -f "$0")")/bashknown.sh"

[ $# -ge 3 ] || usage 'cat blog.txt | blog.sh https://mysite.com user api_key [syndication]...'
site=$1 user=$2
take_key "$3" "$site" "$user"
shift 3
for account in "$@"; do
    shift
    set -- "$@" "--syndicate=$account"
done
exec "$mediaagent" post entry --wait --file=- --site="$site" --user="$user" $(clear_text "$site") "$@"
