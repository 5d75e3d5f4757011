"""Installs enrichers that misbehave, and a decoder that falls over, where a workbench's child will find them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["install"]

_PLUGINS = '''
import os, socket, subprocess, tempfile, threading, time
from pathlib import Path
from msgspec.structs import replace

from mediaagent.api import Deferred, Discarded, PostPart, option, plugin


def enricher(name):
    def wrap(function):
        cls = type(name, (), {"__doc__": name, "enrich": function, "__annotations__": {}})
        return plugin(cls)
    return wrap


@plugin
class Retitle:
    """Sets the title."""

    to: str = option("the title")

    def enrich(self, post, event, folder):
        return replace(post, title=f"{self.to} {event.key}")


@enricher("Sleeper")
def Sleeper(self, post, event, folder):
    time.sleep(600)


@enricher("Crasher")
def Crasher(self, post, event, folder):
    os.abort()


@enricher("Glutton")
def Glutton(self, post, event, folder):
    return replace(post, title=str(len(bytearray(1 << 40))))


@enricher("Discarder")
def Discarder(self, post, event, folder):
    raise Discarded("no speech")


@enricher("Raiser")
def Raiser(self, post, event, folder):
    raise KeyError("colour")


@enricher("Thief")
def Thief(self, post, event, folder):
    (part,) = post.parts
    return replace(post, parts=(replace(part, file=Path("/etc/passwd")),))


@enricher("Linker")
def Linker(self, post, event, folder):
    os.symlink("/etc/passwd", folder / "new.jpg")
    (part,) = post.parts
    return replace(post, parts=(replace(part, file=folder / "new.jpg"),))


@enricher("Hardlinker")
def Hardlinker(self, post, event, folder):
    (part,) = post.parts
    os.link(part.file.with_name("stranger.jpg"), folder / "new.jpg")
    return replace(post, parts=(replace(part, file=folder / "new.jpg"),))


@enricher("Mislabeller")
def Mislabeller(self, post, event, folder):
    return replace(post, parts=tuple(replace(part, media_type="application/octet-stream") for part in post.parts))


@enricher("Copier")
def Copier(self, post, event, folder):
    (part,) = post.parts
    (folder / "copy").write_bytes(part.file.read_bytes())
    return replace(post, parts=(replace(part, file=folder / "copy", media_type="video/mp4"),))


@enricher("Subtitler")
def Subtitler(self, post, event, folder):
    (folder / "said.vtt").write_text("WEBVTT")
    said = PostPart(file=folder / "said.vtt", role="subtitles", media_type="text/vtt", name="said.vtt")
    return replace(post, parts=(*post.parts, said))


@enricher("Opener")
def Opener(self, post, event, folder):
    return replace(post, access="public", key="another's", source="another's", revision=9)


@enricher("Teller")
def Teller(self, post, event, folder):
    return replace(post, title=" ".join(sorted(os.environ)))


@enricher("Caller")
def Caller(self, post, event, folder):
    with socket.socket() as caller:
        caller.settimeout(2)
        return replace(post, title=str(caller.connect_ex(("127.0.0.1", int(post.tags[0])))))


def attempt(words):
    """What becomes of one attempt to leave: "" when it succeeds."""
    try:
        what, _, where = words.partition(" ")
        if what == "read":
            Path(where).read_bytes()
        elif what == "list":
            os.listdir(where)
        elif what == "write":
            Path(where).write_bytes(b"x")
        elif what == "append":
            open(where, "ab").close()
        elif what == "remove":
            os.unlink(where)
        elif what == "link":
            os.link(where, where + "-linked")
        elif what == "signal":
            os.kill(int(where), 0)
        elif what == "call":
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(where)
        elif what == "run":
            subprocess.run([where], check=True, stdout=subprocess.DEVNULL)
        elif what == "keep":
            with tempfile.TemporaryDirectory() as name:
                Path(name, "a").write_bytes(b"x")
        elif what == "fork":
            threads = [threading.Thread(target=time.sleep, args=(3,)) for _ in range(int(where))]
            for thread in threads:
                thread.start()
        else:
            raise LookupError(what)
    except Exception as error:
        return type(error).__name__
    return ""


@enricher("Escaper")
def Escaper(self, post, event, folder):
    return replace(post, title=" ".join(attempt(words) or "done" for words in post.tags))


@enricher("Writer")
def Writer(self, post, event, folder):
    with open(folder / "much", "wb") as file:
        file.truncate(1 << 40)


@enricher("Chatter")
def Chatter(self, post, event, folder):
    print("not an answer")
    os.write(1, b"nor is this")
    return post
'''

#: What a decoder does with such a picture can't be had from a real one on every machine.
_DECODER = """
import sys
if any("mediaagent.workbench.child" in word for word in sys.orig_argv):
    import os, signal, time, cv2
    whole = cv2.imdecode

    def imdecode(data, flags):
        data_bytes = data.tobytes()
        if b"crashes-the-decoder" in data_bytes:
            os.abort()
        if b"hangs-the-decoder" in data_bytes:
            time.sleep(600)
        if b"is-killed-in-the-decoder" in data_bytes:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"naps-in-the-decoder" in data_bytes:
            time.sleep(0.15)
        if b"eats-all-memory" in data_bytes:
            bytearray(1 << 40)
        return whole(data, flags)

    cv2.imdecode = imdecode
"""


def install(folder: Path) -> str:
    """Lays a distribution into `folder`; what to put into PYTHONPATH."""
    names = [
        line.split()[1].split("(")[0] for line in _PLUGINS.splitlines() if line.startswith("def ") and "self" in line
    ]
    names.append("Retitle")
    (folder / "misbehaving.py").write_text(_PLUGINS)
    (folder / "sitecustomize.py").write_text(_DECODER)
    info = folder / "misbehaving-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 1\n")
    points = "\n".join(f"{name.lower()} = misbehaving:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[mediaagent.enrichers]\n{points}\n")
    return str(folder)
