"""As motionEye uploads: list the folder, read each new file whole into memory, post it on a connection of its own.

python motioneye.py SITE FOLDER COUNT

After motionEye's `mediafiles.py` (os.listdir and a stat of each) and `uploadservices.py` (urllib, the request in
memory); none of its code. What was uploaded is remembered in memory.
"""

import base64
import hmac
import os
import sys
import time
import urllib.request

KEY = b"sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
EDGE = "0123456789abcdef0123456789abcdef"


def post(site, path, headers):
    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)
    title = name.rpartition(".")[0]
    fields = f'--{EDGE}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n--{EDGE}\r\n'
    fields += f'Content-Disposition: form-data; name="photo"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
    body = fields.encode() + data + f"\r\n--{EDGE}--\r\n".encode()
    with urllib.request.urlopen(urllib.request.Request(f"{site}/photo/edit", body, headers)) as answer:
        assert b"location" in answer.read()


def main(site, folder, count):
    signature = base64.b64encode(hmac.digest(KEY, b"/photo/edit", "sha256")).decode()
    headers = {"Accept": "application/json", "X-KNOWN-USERNAME": "birdcam", "X-KNOWN-SIGNATURE": signature}
    headers["Content-Type"] = f"multipart/form-data; boundary={EDGE}"
    done, sizes = set(), {}
    print("ready", flush=True)
    while len(done) < int(count):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            size = os.stat(path).st_size
            if name in done or sizes.get(name) != size:  # it has stopped growing when two listings agree
                sizes[name] = size
                continue
            post(site, path, headers)
            done.add(name)
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
