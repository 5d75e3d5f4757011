"""Apprise, as a program that stays: each file as the attachment of a notification to a local HTTP target.

python apprised.py SITE FOLDER COUNT

Run it with the Python of an environment that has Apprise.
"""

import os
import sys
import time

import apprise


def main(site, folder, count):
    target = apprise.Apprise()
    assert target.add(site.replace("http://", "form://") + "/notify")
    done, sizes = set(), {}
    print("ready", flush=True)
    while len(done) < int(count):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            size = os.stat(path).st_size
            if name in done or sizes.get(name) != size:
                sizes[name] = size
                continue
            assert target.notify(title=name.rpartition(".")[0], body="a picture", attach=path)
            done.add(name)
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
