# shellcheck shell=sh
# Login shells: the container's environment, which /etc/profile has partly reset.
if [ -r /run/imagekit/environment.sh ]; then
    # shellcheck source=/dev/null
    . /run/imagekit/environment.sh
fi
