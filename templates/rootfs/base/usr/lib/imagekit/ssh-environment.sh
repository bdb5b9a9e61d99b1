# shellcheck shell=bash
# Read at the top of /etc/bash.bashrc, which Debian's bash also reads for commands over ssh.
if [ "${SHLVL:-}" = 1 ] && [ -n "${SSH_CLIENT:-}" ]; then
    # shellcheck source=/dev/null
    . /etc/profile.d/imagekit.sh
fi
