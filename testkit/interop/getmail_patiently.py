"""Runs getmail, with its children held back until it waits for them.

getmail installs its handler for a child's end after the fork and then waits for a wake-up: a child that is quicker
than that is missed, and getmail gives up after its timeout ("waiting child pid ... timed out"). On a busy machine a
mailbox of small mails is enough. Nothing else about it is altered. Usage: getmail_patiently.py GETMAIL ARGUMENTS...
"""

import os
import runpy
import sys
import time

real_fork = os.fork


def fork():
    pid = real_fork()
    if pid == 0:
        parent = f"/proc/{os.getppid()}/stat"
        asleep = 0
        while asleep < 2:
            time.sleep(0.001)
            with open(parent) as status:
                asleep = asleep + 1 if status.read().rpartition(")")[2].split()[0] == "S" else 0
    return pid


os.fork = fork
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
