"""No other machine can be reached from a Python process that has this folder in PYTHONPATH.

Python imports a module of this name at its start, in every process that a run begins. An attempt
raises, and is noted in the file that OFFLINE_LOG names, in case somebody catches the error.
"""

import os
import socket
import sys

LOCAL = {"", "localhost", "0.0.0.0", "::", "::1", socket.gethostname()}
ASKED = {"socket.getaddrinfo", "socket.gethostbyname"}
SENT = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def _refuse(event: str, args: tuple[object, ...]) -> None:
    """Audit hook: only this machine's own addresses, and files instead of ports, pass."""
    if event in ASKED:
        host = args[0]
    elif event in SENT and isinstance(args[1], tuple):
        # a datagram socket that connects sends nothing: that is how one asks for one's own address
        if event == "socket.connect" and args[0].type == socket.SOCK_DGRAM:
            return
        host = args[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name in LOCAL or name.startswith("127."):
        return
    if log := os.environ.get("OFFLINE_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{event} {name}: {' '.join(sys.argv)}\n")
    raise PermissionError(f"No network at run time: {event} to {name}")


sys.addaudithook(_refuse)
