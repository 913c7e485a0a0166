/* SPDX-License-Identifier: Apache-2.0
 * delay_net.c -- a network with a delay and a limited rate between the network namespaces of one Linux machine, for
 * measurements of what a slow network costs. Needs root and the package iproute2; no kernel module for queues.
 *   delay_net MILLISECONDS MEGABITS NAMESPACE...
 * In each namespace (ip netns add NAME) it makes the interface peft0 with the address 10.77.0.1, 10.77.0.2, .. in the
 * order of the arguments, prints "ready", and passes packets between them until it is killed. A packet leaves its
 * sender when the one before it has passed at the given rate, and arrives MILLISECONDS later. 0 megabits: no limit. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { most_namespaces = 16, mtu = 9000, most_waiting = 1 << 15 };
typedef struct packet { double arrival; int to; int size; unsigned char *data; } packet;
/* Packets that one sender has sent and that have not arrived, in the order of their arrival. */
typedef struct link_queue { packet waiting[most_waiting]; unsigned first, count; double free_at; } link_queue;

static link_queue queue[most_namespaces];
static struct pollfd device[most_namespaces];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "delay_net: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The file descriptor of a new interface peft0 in the namespace. */
static int open_device(const char *name, int number)
{
    char path[256], command[256];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    const int own = open("/proc/self/ns/net", O_RDONLY), other = open(path, O_RDONLY);
    if (own < 0 || other < 0 || setns(other, CLONE_NEWNET)) fail(path);
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    snprintf(r.ifr_name, sizeof r.ifr_name, "peft0");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r)) fail("/dev/net/tun");
    snprintf(command, sizeof command, "ip address add 10.77.0.%d/24 dev peft0 && ip link set lo up && "
             "ip link set peft0 mtu %d txqueuelen 10000 up", number + 1, mtu);
    if (system(command)) fail("ip");
    if (setns(own, CLONE_NEWNET)) fail("setns");
    close(own);
    close(other);
    return fd;
}

/* Takes one packet that `from` sends. Returns false if there is none. A packet to nobody, or beyond a full queue, is
 * lost, as on a real network. */
static int take(int from, int namespaces, double delay, double bytes_per_second)
{
    unsigned char data[mtu];
    const int size = (int)read(device[from].fd, data, sizeof data);
    if (size <= 0) return 0;
    link_queue *q = &queue[from];
    const int to = size >= 20 && data[0] >> 4 == 4 ? data[19] - 1 : -1;          /* IPv4: last byte of the receiver */
    if (to < 0 || to >= namespaces || q->count == most_waiting) return 1;
    const double now = seconds(), start = q->free_at > now ? q->free_at : now;
    q->free_at = start + (bytes_per_second > 0 ? size / bytes_per_second : 0);
    packet *p = &q->waiting[(q->first + q->count++) % most_waiting];
    *p = (packet){ q->free_at + delay, to, size, malloc((size_t)size) };
    if (!p->data) fail("memory");
    memcpy(p->data, data, (size_t)size);
    return 1;
}

/* Hands over the packets of a sender whose time has come. Returns when the next arrives. */
static double deliver(link_queue *q)
{
    while (q->count && q->waiting[q->first].arrival <= seconds()) {
        packet *p = &q->waiting[q->first];
        if (write(device[p->to].fd, p->data, (size_t)p->size) < 0 && errno != EAGAIN && errno != ENOBUFS) fail("write");
        free(p->data);
        q->first = (q->first + 1) % most_waiting;
        q->count--;
    }
    return q->count ? q->waiting[q->first].arrival : 1e300;
}

int main(int argc, char **argv)
{
    const int namespaces = argc - 3;
    if (namespaces < 1 || namespaces > most_namespaces) {
        fprintf(stderr, "usage: delay_net MILLISECONDS MEGABITS NAMESPACE... (1 to %d)\n", most_namespaces);
        return 2;
    }
    const double delay = atof(argv[1]) / 1000, rate = atof(argv[2]) * 1e6 / 8;
    for (int i = 0; i < namespaces; i++) device[i] = (struct pollfd){ open_device(argv[3 + i], i), POLLIN, 0 };
    puts("ready");
    fflush(stdout);
    for (;;) {
        double next = 1e300;
        for (int i = 0; i < namespaces; i++) {
            const double arrival = deliver(&queue[i]);
            if (arrival < next) next = arrival;
        }
        const double wait = next - seconds();
        const struct timespec t = { wait > 1 ? 1 : 0, wait > 1 || wait <= 0 ? 0 : (long)(wait * 1e9) };
        if (ppoll(device, (nfds_t)namespaces, &t, NULL) < 0) fail("ppoll");
        for (int i = 0; i < namespaces; i++)
            if (device[i].revents & POLLIN)
                while (take(i, namespaces, delay, rate)) { }
    }
}
