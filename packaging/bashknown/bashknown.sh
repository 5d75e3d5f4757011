# What the scripts beside this one share; they source it.
#
# They take the arguments of BashKnown's scripts of the same names (https://github.com/mapkyca/BashKnown), and do their
# work with `mediaagent`. MEDIAAGENT names another program than the one on the PATH.

mediaagent=${MEDIAAGENT:-mediaagent}

usage() {
    printf 'Usage: %s\n' "$1" >&2
    exit 2
}

# Takes the key out of the arguments: `-` is one that is stored. Warns of it once.
take_key() { # key, site, user
    if [ "$1" = - ]; then
        return
    fi
    MEDIAAGENT_KEY=$1
    export MEDIAAGENT_KEY
    if [ -n "${XDG_STATE_HOME:-${HOME:-}}" ]; then
        marker=${XDG_STATE_HOME:-$HOME/.local/state}/mediaagent/bashknown-warned
        if [ -e "$marker" ]; then
            return
        fi
        # It may become the agent's own folder, which only its user can read.
        (umask 077 && mkdir -p "${marker%/*}" && : >"$marker") 2>/dev/null || true
    fi
    printf '%s\n' \
        "${0##*/}: while this runs, everybody on this machine can read the key in its arguments. Store it once:" \
        "    $mediaagent login $2 --user $3" \
        "and write - in its place: ${0##*/} $2 $3 - ..." >&2
}

# As ever, http is taken as it is named.
clear_text() {
    case $1 in
    http://*) printf '%s' --insecure ;;
    esac
}
