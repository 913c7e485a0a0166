#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A federation in Flower:  flower.sh simulation SITES | server | site NAME SCANS | run
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

case $1 in
    server)
        flower-superlink --ssl-ca-certfile ca.crt --ssl-certfile server.pem --ssl-keyfile server.key \
            --disable-runtime-dependency-installation ;;
    site)
        flower-supernode --superlink "${SERVER:-127.0.0.1:8000}" --root-certificates ca.crt \
            --node-config "site=\"$2\" data=\"$3\"" ;;
    run)
        connection "address = \"${SERVER:-127.0.0.1:8000}\"" 'root-certificates = "'"$PWD"'/ca.crt"'
        flwr run "$app" --stream --run-config "sites=2 rounds=5 epochs=1 options=\"lr=0.001,batch=4\" \
            backbone=\"$PWD/vit.safetensors\" start=\"$PWD/start.safetensors\" out=\"$PWD/global.safetensors\"" ;;
    simulation)
        sites=$(cd "$2" && pwd)
        connection 'address = "127.0.0.1:8000"' 'insecure = true'
        flower-superlink --insecure --simulation --host 127.0.0.1 --disable-runtime-dependency-installation &
        trap 'kill $!' EXIT
        until python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8000/health")' 2> "$FLWR_HOME/log"; do
            sleep 1
        done
        flwr run "$app" --stream --federation-config "num-supernodes=$(ls "$sites" | wc -l)" --run-config \
            "sites=$(ls "$sites" | wc -l) data=\"$sites\" rounds=5 epochs=1 options=\"lr=0.001,batch=4\" \
            backbone=\"$PWD/vit.safetensors\" start=\"$PWD/start.safetensors\" out=\"$PWD/global.safetensors\"" ;;
esac
