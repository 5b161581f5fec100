#!/usr/bin/python3
"""Runs a command in a terminal of its own and types, as somebody who reads what it asks.

usage: terminal.py COMMAND [ARGUMENT ...] < lines of JSON: [prompt, answer]

An answer is a line, or {"keys": "..."}, or {"signal": N} for the command. Prints all that the terminal showed, and to
standard error whether it showed what was typed: at each prompt, and after the end. Ends with the command's code, 256 less
a signal's number, or 99 when a prompt was not shown in time.
"""

import json
import os
import pty
import select
import sys
import termios
import time

answers = [json.loads(line) for line in sys.stdin if line.strip()]
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])



def note(when):
    shows = termios.tcgetattr(terminal)[3] & termios.ECHO
    print(f"{when}: echo {'on' if shows else 'off'}", file=sys.stderr)


deadline = time.monotonic() + 120
shown = b""
unread = 0
while time.monotonic() < deadline:
    if answers and answers[0][0].encode() in shown[unread:]:
        prompt, answer = answers.pop(0)
        unread = len(shown)
        note(prompt)
        if isinstance(answer, str):
            os.write(terminal, answer.encode() + b"\n")
        elif "keys" in answer:
            os.write(terminal, answer["keys"].encode())
        else:
            os.kill(process, answer["signal"])
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
note("end")
sys.stdout.buffer.write(shown)
sys.exit(99 if answers else os.waitstatus_to_exitcode(status) & 0xFF)
