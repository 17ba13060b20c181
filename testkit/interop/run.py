#!/usr/bin/env python3
"""The interop run: real clients through the gateway to real IMAP servers, then scenarios that no client plays.

    run.py --gateway target/debug/pop3-gateway [--quick] [--upstream NAME] [--client NAME] [--runtime NAME]
    run.py --own-pop3       the same cases against Dovecot's own POP3 server: is the harness right?

Prints one line for each case and a closing line; the exit status is 0 only if nothing failed.
"""

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import matrix
import scenarios
import servers
import stores
from base import Failure, Scratch
from clients import CLIENTS, EXCEPTIONS
from gateway import RUNTIMES
from scenarios import pages, tokens


class Report:
    """Collects results; prints each when it comes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = 0
        self.failed = []
        self.notes = set()

    def run(self, title, work, *arguments):
        begin = time.monotonic()
        try:
            note = work(*arguments)
            problem = None
        except Failure as error:
            problem = str(error)
        except Exception:  # whatever goes wrong in one case must not hide the others
            problem = traceback.format_exc()
        seconds = time.monotonic() - begin
        with self.lock:
            if problem is None:
                self.passed += 1
                print(f"ok    {title:48} {seconds:6.1f} s", flush=True)
                if isinstance(note, str):
                    print(f"      {note}", flush=True)
            else:
                self.failed.append(title)
                print(f"FAIL  {title:48} {seconds:6.1f} s", flush=True)
                print("      " + problem.strip().replace("\n", "\n      "), flush=True)

    def close(self):
        if self.failed:
            print("\nfailed:\n" + "\n".join(f"  {title}" for title in self.failed))
        print(f"\n{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed or not self.passed else 0


def main():
    arguments = parse()
    # `finally` is to clean up after SIGTERM too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    report = Report()
    scratch = Scratch("corpus")
    started = {}
    try:
        mails = read_corpus(arguments, scratch.path)
        print(f"corpus: {len(mails)} mails, {sum(len(mail.body) for mail in mails):,} octets")
        for client, what, why in EXCEPTIONS:
            if client in arguments.client:
                print(f"exception: {client}: {what}: {why}")
        binary = None if arguments.own_pop3 else Path(arguments.gateway).resolve()
        if not arguments.scenarios_only:
            for name in arguments.upstream:
                report.run(f"start {name}", lambda name=name: started.update({name: start(name, binary)}))
            run_matrix(arguments, report, started, mails, binary)
        if binary and not arguments.matrix_only and not arguments.tokens:
            for name in arguments.upstream:
                if name not in started and name in servers.NAMES:
                    report.run(f"start {name}", lambda name=name: started.update({name: start(name, binary)}))
            for upstream in (upstream for name, upstream in started.items() if name in servers.NAMES):
                for title, work in scenarios.play_policies(upstream, binary):
                    if arguments.only is None or arguments.only in title:
                        report.run(title, work)
        if binary and not arguments.matrix_only:
            for name in arguments.upstream:
                if name not in started and name in stores.NAMES:
                    report.run(f"start {name}", lambda name=name: started.update({name: start(name, binary)}))
            for store in (store for name, store in started.items() if name in stores.NAMES):
                run_on_store(arguments, report, binary, store)
        if binary and "dovecot" in arguments.upstream and not arguments.matrix_only:
            if not arguments.tokens:
                run_scenarios(arguments, report, binary)
            run_tokens(arguments, report, binary)
    finally:
        for upstream in started.values():
            upstream.stop()
        scratch.remove()
    print(f"{time.monotonic() - begin:.0f} s in all")
    sys.exit(report.close())


def start(name, binary):
    return servers.start(name) if name in servers.NAMES else stores.start(name, binary)


def run_matrix(arguments, report, started, mails, binary):
    if binary is None:
        wanted = matrix.cases(tuple(started), arguments.client, ("tokio",), securities=("plain",))
    else:
        wanted = matrix.cases(tuple(started), arguments.client, arguments.runtime, arguments.quick)
    # the long ones first, so that none of them is left over at the end
    wanted.sort(key=lambda case: not case.large)
    in_threads(
        arguments.jobs,
        [(report.run, case.title, matrix.run_case, case, started[case.upstream], mails, binary) for case in wanted],
    )


def run_scenarios(arguments, report, binary):
    """One after the other on a runtime, both runtimes at a time."""

    def run_all(runtime):
        for scenario in scenarios.ALL:
            if arguments.only is None or arguments.only in scenario.__name__:
                report.run(f"{runtime:6}{scenario.__name__}", scenarios.play, scenario, binary, runtime)

    in_threads(len(arguments.runtime), [(run_all, runtime) for runtime in arguments.runtime])
    if set(arguments.runtime) == set(RUNTIMES) and arguments.only is None:
        report.run("same transcript on tokio and smol", scenarios.same_transcript, binary)


def run_tokens(arguments, report, binary):
    """Each has servers of its own, and waits for them most of the time."""
    wanted = [
        (report.run, f"{runtime:6}tokens: {scenario.__name__}", scenario, binary, runtime)
        for scenario in (*tokens.ALL, *pages.ALL)
        for runtime in arguments.runtime
        if arguments.only is None or arguments.only in scenario.__name__
        if scenario not in tokens.ONCE or runtime == arguments.runtime[0]
    ]
    in_threads(2 * arguments.jobs, wanted)


def run_on_store(arguments, report, binary, store):
    """The scenarios that are not about IMAP. A runtime at a time: they kill the database."""
    for runtime in arguments.runtime:
        for scenario in scenarios.STORES:
            if arguments.only is None or arguments.only in scenario.__name__:
                title = f"{store.name:11}{runtime:6}{scenario.__name__}"
                report.run(title, scenarios.play_store, scenario, binary, runtime, store)


def in_threads(count, calls):
    """Runs the calls; when the harness is stopped, what waits is dropped and what runs is finished."""
    pool = ThreadPoolExecutor(count)
    try:
        for future in [pool.submit(*call) for call in calls]:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_corpus(arguments, folder):
    if arguments.corpus:
        return corpus.load(arguments.corpus)
    if arguments.own_corpus:
        return corpus.generate()
    return corpus.write(folder)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", help="the binary")
    parser.add_argument("--own-pop3", action="store_true", help="try the harness on Dovecot's POP3 server")
    parser.add_argument("--quick", action="store_true", help="pairs of settings instead of the full product")
    parser.add_argument("--upstream", action="append", choices=servers.NAMES + stores.NAMES)
    parser.add_argument("--stores", action="store_true", help="the stores, in the place of the IMAP servers")
    parser.add_argument("--client", action="append", choices=tuple(CLIENTS))
    parser.add_argument("--runtime", action="append", choices=RUNTIMES)
    parser.add_argument("--matrix-only", action="store_true", help="without the scenarios")
    parser.add_argument("--scenarios-only", action="store_true", help="without the clients")
    parser.add_argument("--tokens", action="store_true", help="only the scenarios with a provider of tokens")
    parser.add_argument("--only", help="the scenarios whose name contains this")
    parser.add_argument("--corpus", help="a folder that write_corpus has filled already")
    parser.add_argument("--own-corpus", action="store_true", help="the harness's own mails instead of the testkit's")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2), help="cases at a time")
    arguments = parser.parse_args()
    if arguments.tokens:
        arguments.upstream, arguments.scenarios_only, arguments.own_corpus = ["dovecot"], True, True
    if not arguments.gateway and not arguments.own_pop3:
        parser.error("--gateway or --own-pop3 is needed")
    if arguments.stores:
        arguments.upstream = (arguments.upstream or []) + list(stores.NAMES)
    arguments.upstream = tuple(arguments.upstream or (("dovecot",) if arguments.own_pop3 else servers.NAMES))
    arguments.client = tuple(arguments.client or CLIENTS)
    arguments.runtime = tuple(arguments.runtime or RUNTIMES)
    return arguments


if __name__ == "__main__":
    main()
