# A folder for one run of a script, and its end: whatever the script started or mounted is gone when
# the script is, also when it was interrupted. Sourced by scripts/test and scripts/demo.
#
# Everything started after open_sandbox carries HUBFS_SANDBOX in its environment. That is how
# processes are found again which left their process group or their parent (a mount's background
# process does), and why nobody else's process can be taken for one of ours.

# open_sandbox NAME: makes the folder, sets $sandbox, points temporary files at it, and sets the traps.
open_sandbox() {
    sandbox=$(mktemp --directory "${TMPDIR:-/tmp}/hubfs-$1.XXXXXX")
    export HUBFS_SANDBOX=$sandbox TMPDIR=$sandbox
    trap close_sandbox EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# run_bounded SECONDS COMMAND…: runs the command in a process group of its own, without stdin, and
# ends the group when the time is over (status 124; 137 if it had to be killed).
#
# Job control is on while it starts, because a background job of a shell without it would ignore
# SIGINT, and so would every program that a test starts and means to interrupt.
run_bounded() {
    local seconds=$1 status=0
    shift
    set -m
    timeout --kill-after=15 "$seconds" "$@" </dev/null &
    sandbox_job=$!
    set +m
    wait "$sandbox_job" || status=$?
    sandbox_job=
    return "$status"
}

# sandbox_processes: the ids of the living processes that were started inside.
sandbox_processes() {
    # Processes that end meanwhile, and other people's, cannot be read: neither is an error here.
    { grep --files-with-matches --null-data --line-regexp --fixed-strings \
        "HUBFS_SANDBOX=$sandbox" /proc/[0-9]*/environ 2>/dev/null || true; } |
        cut --delimiter / --fields 3
}

# sandbox_mounts: mount points below the folder, innermost first.
sandbox_mounts() {
    local mount_point
    findmnt --list --noheadings --output TARGET | while IFS= read -r mount_point; do
        if [[ $mount_point == "$sandbox"/* ]]; then printf '%s\n' "$mount_point"; fi
    done | sort --reverse
}

unmount_sandbox() {
    local mount_point
    sandbox_mounts | while IFS= read -r mount_point; do
        umount --lazy "$mount_point" 2>/dev/null || fusermount3 -uz "$mount_point" 2>/dev/null || true
    done
}

# signal_sandbox SIGNAL: sends it to every process inside, those that have just ended aside.
signal_sandbox() {
    local id
    for id in $(sandbox_processes); do kill -s "$1" "$id" 2>/dev/null || true; done
}

close_sandbox() {
    local status=$? tenths
    trap - EXIT
    trap '' INT TERM HUP
    # What runs from here on is the broom, not the dust.
    unset HUBFS_SANDBOX
    [[ -z ${sandbox_job:-} ]] || kill -s TERM "$sandbox_job" 2>/dev/null || true
    signal_sandbox TERM
    for ((tenths = 0; tenths < 50; tenths++)); do
        [[ -n $(sandbox_processes) ]] || break
        sleep 0.1
    done
    unmount_sandbox
    signal_sandbox KILL
    # A mount that refused to go is left standing rather than emptied.
    rm --recursive --force --one-file-system "$sandbox"
    exit "$status"
}
