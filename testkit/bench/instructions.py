#!/usr/bin/env python3
"""Counts the instructions of the benchmarks of the pure parts, so that a change shows on any machine, however busy.

    testkit/bench/instructions.py            compares with docs/performance-instructions.md, and says what moved
    testkit/bench/instructions.py --write    records what there is now

Needs valgrind. Each benchmark of `cargo bench` runs once under callgrind, its preparation included; what the harness
itself takes is subtracted.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "performance-instructions.md"
CRATES = ("pop3-proto", "imap-backend", "pop3-server")
# two runs of one binary differ by less than this
NOISE = 0.02


def main():
    counted = {}
    for crate, name, binary in binaries():
        start = count(binary, "no benchmark has this name")
        for benchmark in names(binary):
            counted[f"{crate}: {benchmark}"] = count(binary, benchmark) - start
            print(f"{counted[f'{crate}: {benchmark}']:>15,}  {crate}: {benchmark}", flush=True)
    if "--write" in sys.argv:
        RECORD.write_text(record(counted))
        return
    before = read()
    moved = [name for name in counted if name in before and abs(counted[name] / before[name] - 1) > NOISE]
    for name in moved:
        print(f"{name}: {before[name]:,} -> {counted[name]:,} ({counted[name] / before[name] - 1:+.1%})")
    for name in sorted(counted.keys() ^ before.keys()):
        print(f"{name}: {'not recorded' if name in counted else 'gone'}")
    print(f"{len(counted)} benchmarks, {len(moved)} moved by more than {NOISE:.0%}")
    sys.exit(1 if moved else 0)


def binaries():
    """(crate, file, path) of each benchmark, built."""
    argv = ["cargo", "bench", "--no-run", "--message-format=json"] + [word for crate in CRATES for word in ("-p", crate)]
    built = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        target = message.get("target", {})
        if message.get("executable") and "bench" in target.get("kind", ()):
            yield Path(message["manifest_path"]).parent.name, target["name"], message["executable"]


def names(binary):
    listed = subprocess.run([binary, "--bench", "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return [line.removesuffix(": benchmark") for line in listed.stdout.splitlines() if line.endswith(": benchmark")]


def count(binary, name):
    argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, "--bench", "--test", "--exact", name]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT)
    # criterion starts a process of its own, which is counted beside it
    found = re.findall(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stderr}")
    return max(map(int, found))


def record(counted):
    version = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    lines = [
        "# Instructions of the pure parts",
        "",
        f"Written by `testkit/bench/instructions.py --write` with {version}; without `--write` it compares.",
        "One pass of each benchmark under callgrind, preparation included.",
        "",
        "| benchmark | instructions |",
        "|---|---|",
    ]
    lines += [f"| {name} | {number:,} |" for name, number in sorted(counted.items())]
    return "\n".join(lines) + "\n"


def read():
    rows = re.findall(r"^\| (.+: .+) \| ([0-9,]+) \|$", RECORD.read_text(), re.M)
    return {name: int(number.replace(",", "")) for name, number in rows}


if __name__ == "__main__":
    main()
