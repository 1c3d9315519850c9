"""`python -m tests.campaigns.echo_client URL TOKEN`: asks for an echo every 10 ms until stdin ends.

Prints the seconds of every echo as one JSON list. A process of its own, so that what an attacker's loop costs is not
counted.
"""

from __future__ import annotations

import json
import select
import sys
import time

import msgpack
from websockets.sync.client import connect
from websockets.typing import Subprotocol


def main(url: str, token: str) -> None:
    times: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    with connect(
        url, additional_headers=headers, subprotocols=[Subprotocol("scenecast.v1")], compression=None, proxy=None
    ) as socket:
        socket.send(msgpack.packb({"type": "hello", "protocol": 1, "client": "good"}))
        print(msgpack.unpackb(socket.recv())["type"], flush=True)
        while not select.select([sys.stdin], [], [], 0.01)[0] or not times:
            begun = time.perf_counter()
            socket.send(msgpack.packb({"type": "ping", "id": len(times)}))
            while msgpack.unpackb(socket.recv()) != {"type": "pong", "id": len(times)}:
                pass
            times.append(time.perf_counter() - begun)
    print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
