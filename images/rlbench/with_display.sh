#!/bin/sh
# Runs a command on a display without a screen: the simulator draws through GLX, which needs an X server. The server
# listens on no port and ends with the container; a server that does not come up is said plainly, with its own words.
set -eu
number="${DISPLAY#:}"
Xvfb ":$number" -screen 0 1280x1024x24 -nolisten tcp -noreset >/tmp/xvfb.log 2>&1 &
server=$!
tries=0
while [ ! -S "/tmp/.X11-unix/X$number" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        echo "error: the virtual display :$number did not start:" >&2
        cat /tmp/xvfb.log >&2
        exit 1
    fi
    sleep 0.1
done
exec "$@"
