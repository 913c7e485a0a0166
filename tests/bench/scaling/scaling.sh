#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Times an update by 2 ranks of one thread that a slow network joins, on one machine: each rank runs in a network
# namespace of its own, and delay_net passes packets between them with a delay and at a limited rate. Needs root,
# iproute2 and Open MPI. For each method and network it prints the measured seconds of the fastest update and those of
# the cost model of docs/scaling.md, whose first term is measured without a delay.
#   scaling.sh BENCH_RANKS BACKBONE [SAMPLES] [UPDATES] [METHODS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") backbone=$(realpath "$2") samples=${3-4} updates=${4-5} methods=${5-"lora ept full"}
work=$(mktemp -d)
prefix=peft$$
network=
clean() {
    [ -z "$network" ] || kill "$network" 2> /dev/null || true
    ip netns del ${prefix}a 2> /dev/null || true
    ip netns del ${prefix}b 2> /dev/null || true
    rm -rf "$work"
}
trap clean EXIT
cc -O2 -D_GNU_SOURCE "$here/delay_net.c" -o "$work/delay_net"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
printf '%sa slots=1\n%sb slots=1\n' $prefix $prefix > "$work/hosts"
# mpirun starts its part on another host by this command, in place of ssh; a host is a namespace.
cat > "$work/agent" <<'END'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "$host" unshare -u sh -c "hostname $host; $*"
END
chmod +x "$work/agent"

update() { # $1: milliseconds, $2: megabits a second, $3: method; prints seconds, bytes sent, parameters
    ip netns add ${prefix}a
    ip netns add ${prefix}b
    : > "$work/ready"
    "$work/delay_net" "$1" "$2" ${prefix}a ${prefix}b > "$work/ready" &
    network=$!
    while ! grep -q ready "$work/ready"; do sleep 0.05; done
    ip netns exec ${prefix}a unshare -u sh -c "hostname ${prefix}a; exec mpirun.openmpi --mca plm_rsh_agent $work/agent \
        --mca btl tcp,self --mca btl_tcp_if_include peft0 --mca oob_tcp_if_include peft0 --hostfile $work/hosts -n 2 \
        $program $backbone $3 1 $samples $updates"
    kill "$network"
    wait "$network" 2> /dev/null || true
    network=
    ip netns del ${prefix}a
    ip netns del ${prefix}b
}

echo "method  parameters  bytes_sent  delay_ms  Mbit/s  measured_s  model_s"
for method in $methods; do
    update 0 0 "$method" > "$work/local"
    for network_of in "0 0" "1 1000" "10 1000" "10 100" "50 100"; do
        # shellcheck disable=SC2086  # two arguments
        update $network_of "$method" > "$work/slow"
        paste -d ' ' "$work/local" "$work/slow" | awk -v method="$method" -v delay="${network_of% *}" -v rate="${network_of#* }" '{
            # What happened to each rank, its passes, the exchange of gradients and that of their sums take the delay
            # once each. Above 64 KiB Open MPI asks the receiver before it sends: each of the last two takes it 3 times.
            exchanges = $5 / 2 > 65536 ? 8 : 4
            model = $1 + exchanges * delay / 1000 + (rate > 0 ? $5 * 8 / (rate * 1e6) : 0)
            printf "%s  %s  %s  %s  %s  %.4f  %.4f\n", method, $6, $5, delay, rate, $4, model }'
    done
done
