"""Writes docs/proof.md from what the proofs have recorded: `python -m tests.proof.report`."""

from __future__ import annotations

import json
import platform
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.proof.record import FOLDER, so_far
from tests.system.agent import ROOT

__all__ = ["page"]

HEAD = """# The promises, proven

This page is made by `python -m tests.proof.report` from what the proofs wrote down. Anybody can have it made anew:

```
pytest tests/proof          # the short form, as in CI: ten to fifteen minutes on two cores
pytest tests/proof --long   # the whole; stops after an hour (`--slice SECONDS`), and goes on when it is called again
python -m tests.proof.report
```

The long form's files may run beside each other (`pytest tests/proof/test_soak.py --long &`). MEDIAAGENT_PROOF_WORKERS
says how many lives at a time (twice as many as there are processors), MEDIAAGENT_PROOF_FILES how many files its floods
have (100,000), MEDIAAGENT_PROOF_SEED which soak it is.

Real agents in real processes are disturbed, then left in peace, and judged by one judge (`tests/proof/judge.py`). Those
of short lives are forked from a process that has read the code, which leaves out Python's start:

- **conservation**: every finished file is in exactly one post at each target, or is listed with the reason why not;
- **integrity**: its bytes are the producer's, or what the stated enricher makes of them;
- **no stranger**: there is no post without its files;
- **liveness**: after the faults a fresh file is posted.

The far side is a page on disk and a double of a Known site (`tests/doubles`), which keeps the bytes as they arrived.
"""

PROOFS = {
    "kill sweep": """\
The agent is killed at its N-th call of openat, write, pwrite64, fsync, fdatasync, rename, unlink, connect,
sendto and recvfrom, then started again. Only calls that concern state, page and connections count, over all of
its threads; the short form kills at every seventh of them and at each sendto and recvfrom, the long one at
each. The scenes are a camera's visit of three pictures, a voicemail, and a test run with a core dump.""",
    "power cut": """\
The same, and what was not flushed before the kill is taken away: nothing but what was flushed (`flushed`), all
names but only flushed contents (`names`), or a choice by chance. This is a model of what POSIX allows a file
system to lose, made from every change that the agent made (`tests/proof/disk_image.py`); it says nothing of
disks that lie about flushing. The long form does so at each fsync and fdatasync with all three, and at each
rename, unlink and sendto with one of them in turn.""",
    "lost replies": """\
A proxy between agent and site breaks one exchange, or any sequence of them: cut at a part of the request or the
answer, reset, closed, stalled, half-open, dripping, redirected, answered by somebody else (413, 429, 503, HTML,
a captive portal), made but answered with 502, carried out long after the client left. One try is one fault.""",
    "disk": """\
Calls on state and page fail with ENOSPC, EIO or EDQUOT, once or from there on, or write only half (the long form:
at every 29th of all such combinations); a real disk (tmpfs; where nothing may be mounted, a tracer in its place) is
full and has room again, or is read-only; the database is deleted, cut, overwritten, or has a page of
noise in it; the disk fails for a while under an agent that nobody starts again.""",
    "time": """\
The wall's clock is set by ten minutes, by years, to 1970 and forth, while the agent is away and while it runs
(libfaketime); summer time begins and ends; files are dated 1970. Besides the judge: no date that is neither the
producer's nor of now, and no storm of requests.""",
    "watching": """\
Files come in floods that make inotify and watchdog lose notices: in new folders within new folders, by renaming, in
folders that are moved in, in a watched folder that is deleted or renamed and made again, while the agent is stopped.
Each is to be taken once. One try is one file.""",
    "backlog": """\
The site is down while files pile up, then it is back: all arrive, old and new in turn, without a pause. One try
is one file.""",
    "hostile": """\
Files made by a fuzzer that knows their formats (`tests/proof/mutations.py`: bits, lengths, cuts, doubled
pieces; pictures of billions of points, scan after scan, entities of entities, sounds that claim to last for
days) go through all that an agent does with them: the look at their structure, their watcher, their enrichers,
the decoding, the cleaning. Each ends posted or refused with a reason, in the child's limits of memory,
processes and files, in at most 8 s of a processor; and the good file after it comes out as always. Then some
hundred of them lie among good ones before a whole agent. One try is one file.""",
    "links": """\
Links (the last part of a path, a middle one), hard links of strangers' files, pipes, sockets, devices, and
names with control characters, broken encodings, and lengths to the limit lie in a watched folder; folders and
files there change places with links to a secret, with pipes and with devices all the time. The secret must not
be in what left, on the page or in the spool; all else is posted. One try is one name.""",
    "soak": """\
A camera, a telephone system, a test runner and a folder work at once, the network fails at random; in the first
half of the time the agent is killed again and again, in the second its memory and descriptors have to stay
flat. It is over when all is there, or nothing more arrives for a minute. One try is one fault.""",
}

ELSEWHERE = """\
The long form was run in pieces, over some days; the tables tell when. Hostile files, floods and the backlog are of the
code before values were structures and before a damaged log of the database was noticed; all else is of the code after
that, while what was found was mended. The short form, which CI runs, is of the present code.

## Proven elsewhere

- **Any step, any order.** `tests/journey/test_exactly_once.py` lets hypothesis draw lives of a camera, an agent that is
  killed at any durable step, a site in any mood and a clock that is set.
- **A child that was taken over.** `tests/contract/test_confinement.py` tries to read, write, run, signal, connect and
  multiply from within.
- **Watching.** `tests/contract/test_lookouts.py` has each way in which a lookout alone can fail;
  `tests/system/test_corpus.py` stops an agent, writes 50,000 files so that the kernel's queue overflows, and counts.
"""


def page(results: Iterable[dict[str, Any]], faults: Iterable[dict[str, str]]) -> str:
    """The whole page. Of each proof and form the newest run counts."""
    newest = {(line["proof"], line["what"], line["form"]): line for line in results}
    newest = _begun(newest) | newest
    parts = [HEAD, *(_section(name, text, newest.values()) for name, text in PROOFS.items())]
    found = [f"| {fault['proof']} | {fault['what']} | `{fault['test']}` |" for fault in faults]
    mended = ["## What was found", "", "Each fault is mended at its cause, with a test of its own.", ""]
    mended += ["| proof | what | test |", "|---|---|---|", *found, ""]
    return "\n".join([*parts, "\n".join(mended), ELSEWHERE, _machine()])


def _begun(newest: dict[tuple[str, str, str], dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What the long form has tried where it is not whole yet."""
    begun = {}
    for proof, what, _ in newest:
        tried = so_far(proof, what)
        if tried and (proof, what, "long") not in newest:
            begun[proof, what, "long"] = {
                **newest[proof, what, "short"],
                "form": "long, not whole",
                "tried": sum(each.times for each in tried.values()),
                "fired": sum(each.times for each in tried.values() if each.fired),
                "found": [f"{case}: {wrong}" for case, each in tried.items() for wrong in each.found],
                "notes": [],
                "seconds": round(sum(each.seconds for each in tried.values())),
            }
    return begun


def _section(name: str, text: str, results: Iterable[dict[str, Any]]) -> str:
    lines = [line for line in results if line["proof"] == name]
    title = name[0].upper() + name[1:]
    if not lines:
        return f"## {title}\n\n{text}\n\nNot tried yet.\n"
    rows = [
        f"| {line['what']} | {line['tried']} | {line['fired']} | {len(line['found']) or 'nothing'} | {line['form']} | "
        f"{line['date']} | {'not measured' if line['seconds'] is None else str(line['seconds']) + ' s'} |"
        for line in sorted(lines, key=lambda line: (line["what"], line["form"]))
    ]
    notes = [f"- {line['form']} form: {note}" for line in lines for note in line["notes"]]
    wrong = [f"- {line['what']}: {each.splitlines()[0]}" for line in lines for each in line["found"]]
    head = ["| what | tried | faults that came | found | form | when (UTC) | work |", "|---|---|---|---|---|---|---|"]
    return "\n".join([f"## {title}", "", text, "", *head, *rows, "", *notes, *wrong, ""])


def _machine() -> str:
    return f"Made on {platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}.\n"


def main() -> None:
    results = map(json.loads, (FOLDER / "results.jsonl").read_text().splitlines())
    faults = tomllib.loads(Path(__file__).with_name("mended.toml").read_text())["fault"]
    (ROOT / "docs" / "proof.md").write_text(page(results, faults))


if __name__ == "__main__":
    main()
