#!/usr/bin/python3
"""Runs a command in a terminal of its own and types, as somebody who reads what it asks.

usage: terminal.py COMMAND [ARGUMENT ...] < lines of JSON: [prompt, answer]

Prints all that the terminal showed. Ends with the command's code, or with 99 when a prompt was not shown in time.
"""

import json
import os
import pty
import select
import sys
import time

answers = [json.loads(line) for line in sys.stdin if line.strip()]
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

deadline = time.monotonic() + 120
shown = b""
unread = 0
while time.monotonic() < deadline:
    if answers and answers[0][0].encode() in shown[unread:]:
        prompt, answer = answers.pop(0)
        unread = len(shown)
        os.write(terminal, answer.encode() + b"\n")
    if not select.select([terminal], [], [], 1)[0]:
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        # EIO: nobody has the other end any more.
        data = b""
    if not data:
        break
    shown += data
else:
    os.kill(process, 9)

_, status = os.waitpid(process, 0)
sys.stdout.buffer.write(shown)
sys.exit(99 if answers else os.waitstatus_to_exitcode(status) & 0xFF)
