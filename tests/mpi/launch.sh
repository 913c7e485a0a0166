# SPDX-License-Identifier: Apache-2.0
# launch MPIRUN RANKS PROGRAM...: starts ranks on this machine, also as root, on fewer cores than ranks, and without a
# network.
allow_root() {
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=self,vader
    export MPIR_CVAR_POLLS_BEFORE_YIELD=1
}
launch() {
    mpirun=$1 ranks=$2
    shift 2
    allow_root
    more=
    case $("$mpirun" --version 2>&1) in *"Open MPI"*|*OpenRTE*) more=--oversubscribe ;; esac
    "$mpirun" $more -n "$ranks" "$@"
}
