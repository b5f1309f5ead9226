"""`systemctl`, `poweroff`, `shutdown` and `halt` inside an instance: hands its words to the first process."""

import json
import socket
import sys

SOCKET = "/run/mskst-init.sock"


def main(words: list[str]) -> int:
    """Asks and prints the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(SOCKET)
        connection.sendall(json.dumps(words).encode() + b"\n")
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    if not data:
        return 0  # the machine went down meanwhile
    answer = json.loads(data)
    sys.stdout.write(answer["out"])
    sys.stderr.write(answer["err"])
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
