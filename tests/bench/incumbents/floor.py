"""The floor: the shortest straight line from a closed file to a durable post. Nothing is checked, nothing is repeated.

python floor.py SITE FOLDER COUNT DATABASE [decode]

Raw inotify, SHA-256, a row in SQLite with synchronous=FULL, one POST on a connection that is kept, the row marked done.
With `decode` each picture is decoded before, as whoever wants to send no broken one has to.
"""

import base64
import ctypes
import hashlib
import hmac
import http.client
import os
import sqlite3
import struct
import sys

CLOSE_WRITE, MOVED_TO = 0x8, 0x80
KEY = b"sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
EDGE = "0123456789abcdef0123456789abcdef"


def names(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init()
    assert libc.inotify_add_watch(descriptor, os.fsencode(folder), CLOSE_WRITE | MOVED_TO) >= 0
    print("ready", flush=True)
    while True:
        data, at = os.read(descriptor, 1 << 16), 0
        while at < len(data):
            length = struct.unpack_from("iIII", data, at)[3]
            yield data[at + 16 : at + 16 + length].rstrip(b"\0").decode()
            at += 16 + length


def body(name, data):
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{name.rpartition(".")[0]}\r\n--{EDGE}\r\n'
    head += f'Content-Disposition: form-data; name="photo"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + data + f"\r\n--{EDGE}--\r\n".encode()


def proof(data):
    assert cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR) is not None


def main(site, folder, count, database, decode=""):
    memory = sqlite3.connect(database, isolation_level=None)
    memory.execute("PRAGMA journal_mode=WAL")
    memory.execute("PRAGMA synchronous=FULL")
    memory.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT, hash TEXT, done INTEGER DEFAULT 0)")
    signature = base64.b64encode(hmac.digest(KEY, b"/photo/edit", "sha256")).decode()
    headers = {"Accept": "application/json", "X-KNOWN-USERNAME": "birdcam", "X-KNOWN-SIGNATURE": signature}
    headers["Content-Type"] = f"multipart/form-data; boundary={EDGE}"
    there = http.client.HTTPConnection(site.removeprefix("http://"))
    for number, name in enumerate(names(folder), 1):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if decode:
            proof(data)
        sha = hashlib.sha256(data).hexdigest()
        row = memory.execute("INSERT INTO files (name, hash) VALUES (?, ?)", (name, sha)).lastrowid
        there.request("POST", "/photo/edit", body(name, data), headers)
        answer = there.getresponse()
        assert b"location" in answer.read()
        memory.execute("UPDATE files SET done = 1 WHERE id = ?", (row,))
        if number == int(count):
            break


if len(sys.argv) > 5:
    import cv2
    import numpy

if __name__ == "__main__":
    main(*sys.argv[1:])
