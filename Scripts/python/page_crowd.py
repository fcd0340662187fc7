"""Many people drag at once: page_crowd.py ADDRESS PROCESS [CLIENTS] [SECONDS].

Each client asks, and often leaves before the answer comes, as a dragging hand does. Prints how many answers
came with which status, the server's memory before, most and after, and how long a lone request takes then.
Exits with 1 if a status is neither 200 nor 429, if the memory grew by more than 300 MB, or the page is slow.
"""

import collections
import http.client
import json
import random
import sys
import threading
import time
from urllib.parse import urlsplit

address, process = sys.argv[1], int(sys.argv[2])
clients = int(sys.argv[3]) if len(sys.argv) > 3 else 100
seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 60
host = urlsplit(address).netloc
counts, lock = collections.Counter(), threading.Lock()
end = time.time() + seconds


def memory():
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) // 1024


def drag(seed):
    numbers = random.Random(seed)
    while time.time() < end:
        cell = numbers.choice(["rnn", "gru", "lstm"])
        parts = numbers.choice(["memory", "flow", "spectrum", "memory,flow"])
        path = f"/api/lab?cell={cell}&scale={numbers.uniform(0.2, 8):.3f}&parts={parts}"
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            connection.request("GET", path)
            if numbers.random() < 0.3:
                # The hand has moved on.
                time.sleep(numbers.uniform(0, 0.02))
                status = "left"
            else:
                response = connection.getresponse()
                answer = response.read()
                status = response.status
                if status == 200:
                    connection.request("GET", json.loads(answer)["figures"][parts.split(",")[0]]["source"])
                    response = connection.getresponse()
                    response.read()
                    status = response.status
        except Exception as error:
            status = f"error: {type(error).__name__}"
        finally:
            connection.close()
        with lock:
            counts[status] += 1
        time.sleep(0.1 if status == 429 else 0.02)


before, most = memory(), 0
threads = [threading.Thread(target=drag, args=(seed,)) for seed in range(clients)]
for thread in threads:
    thread.start()
while time.time() < end:
    most = max(most, memory())
    time.sleep(0.2)
for thread in threads:
    thread.join()
time.sleep(1)
times = []
for _ in range(10):
    start = time.time()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/api/lab?parts=memory")
    alone = connection.getresponse().status
    times.append(time.time() - start)
print(f"{clients} clients, {seconds:g} s: " + ", ".join(f"{k}: {v}" for k, v in sorted(counts.items(), key=str)))
print(f"memory: {before} MB before, {most} MB at most, {memory()} MB after")
print(f"afterwards a lone request takes {1000 * sorted(times)[5]:.0f} ms, status {alone}")
bad = [status for status in counts if status not in (200, 429, "left")]
sys.exit(1 if bad or counts[200] == 0 or most - before > 300 or alone != 200 or sorted(times)[5] > 1 else 0)
