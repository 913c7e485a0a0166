#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A federation in Flower:
#   flower.sh server
#   flower.sh site NAME SCANS
#   flower.sh run [SETTING=VALUE ..]
#   flower.sh simulation SITES [SETTING=VALUE ..]
# SETTING: one of those in pyproject.toml; texts stand in quotes of their own: rounds=20 'options="lr=0.01,batch=8"'
# In the folder where it runs lie vit.safetensors and start.safetensors, for a simulation SITES/<site>/<class>/<file>,
# for server and sites the certificates ca.crt, server.pem and server.key.
set -eu
app=$(cd "$(dirname "$0")" && pwd)
export FLWR_HOME="${FLWR_HOME:-$PWD/flwr}" FLWR_TELEMETRY_ENABLED=0

# How `flwr run` reaches the SuperLink.   connection LINE..
connection() {
    mkdir -p "$FLWR_HOME"
    printf '%s\n' '[superlink]' 'default = "federation"' '[superlink.federation]' "$@" > "$FLWR_HOME/config.toml"
}

# Ends the script with the reason $1 and the commands above.
usage() {
    echo "flower.sh: $1" >&2
    sed -n '/^#   flower.sh/,/^# SETTING/s/^#  *//p' "$app/flower.sh" >&2
    exit 2
}

# Runs the app. $1: options of flwr; $2: settings; behind them those of the caller, which take precedence.
run_app() {
    options=$1
    settings="$2 rounds=5 epochs=1 options=\"lr=0.001,batch=4\" backbone=\"$PWD/vit.safetensors\" \
        start=\"$PWD/start.safetensors\" out=\"$PWD/global.safetensors\""
    shift 2
    for setting in "$@"; do
        case $setting in
            *=*) ;;
            *) usage "given '$setting', expected SETTING=VALUE" ;;
        esac
    done
    # shellcheck disable=SC2086  # options are words, or none
    flwr run "$app" --stream $options --run-config "$settings" --run-config "$*"
}

case ${1-} in
    server)
        flower-superlink --ssl-ca-certfile ca.crt --ssl-certfile server.pem --ssl-keyfile server.key \
            --disable-runtime-dependency-installation ;;
    site)
        [ $# = 3 ] || usage "site: given $(($# - 1)) arguments, expected NAME and SCANS"
        flower-supernode --superlink "${SERVER:-127.0.0.1:8000}" --root-certificates ca.crt \
            --node-config "site=\"$2\" data=\"$3\"" ;;
    run)
        connection "address = \"${SERVER:-127.0.0.1:8000}\"" 'root-certificates = "'"$PWD"'/ca.crt"'
        shift
        run_app '' 'sites=2' "$@" ;;
    simulation)
        [ $# -ge 2 ] || usage "simulation: expected SITES, the folder of the sites' folders"
        sites=$(cd "$2" && pwd)
        count=$(ls "$sites" | wc -l)
        shift 2
        connection 'address = "127.0.0.1:8000"' 'insecure = true'
        flower-superlink --insecure --simulation --host 127.0.0.1 --disable-runtime-dependency-installation &
        trap 'kill $!' EXIT
        until python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8000/health")' 2> "$FLWR_HOME/log"; do
            sleep 1
        done
        run_app "--federation-config num-supernodes=$count" "sites=$count data=\"$sites\"" "$@" ;;
    *) usage "given '${1-}', expected server, site, run or simulation" ;;
esac
