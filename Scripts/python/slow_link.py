"""A link between two network namespaces that delays and loses packets, for kernels without tc's netem.

  slow_link.py NAMESPACE ADDRESS NAMESPACE ADDRESS DELAY_MS LOSS

Makes a TAP device `unroll0` with the address in each namespace and carries packets between them until it is
killed: each after DELAY_MS milliseconds, a fraction LOSS of them not at all. Says "ready" once. Needs root.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def device(namespace, address):
    """A TAP device in a namespace: it is made here, then moved; its file stays."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = "unroll%d" % (os.getpid() % 100000 + file)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    for command in (["ip", "link", "set", name, "netns", namespace],
                    ["ip", "-n", namespace, "link", "set", name, "name", "unroll0"],
                    ["ip", "-n", namespace, "addr", "add", address, "dev", "unroll0"],
                    ["ip", "-n", namespace, "link", "set", "unroll0", "up"],
                    ["ip", "-n", namespace, "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    return file


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    one, first, other, second, delay, loss = sys.argv[1:]
    delay, loss = float(delay) / 1000, float(loss)
    files = [device(one, first), device(other, second)]
    draw, waiting, number = random.Random(1), [], 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            try:
                os.write(to, packet)
            except OSError:
                pass  # the queue is full: the packet is lost, as on a link
        wait = max(0, waiting[0][0] - now) if waiting else None
        ready, _, _ = select.select(files, [], [], wait)
        for file in ready:
            packet = os.read(file, 65536)
            number += 1
            if draw.random() >= loss:
                to = files[1 - files.index(file)]
                heapq.heappush(waiting, (time.monotonic() + delay, number, to, packet))


if __name__ == "__main__":
    main()
