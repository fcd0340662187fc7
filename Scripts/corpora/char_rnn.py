#!/usr/bin/env python3
"""Divides a text as char-rnn does, into FOLDER/train.txt and FOLDER/valid.txt for `unroll train FOLDER`.

char-rnn lays a text out as as many streams as a batch has rows, and validates on the last batches of all of
them: on the last 5 % of each of 50 streams, not of the file. So it validates on every play of tiny Shakespeare.
Its numbers are these: 50 rows of 50 steps, 95 % of the batches, rounded down, for learning.
"""

import os
import sys

ROWS, STEPS, LEARNT = 50, 50, 0.95

if len(sys.argv) != 3:
    sys.exit("usage: char_rnn.py TEXT FOLDER")
try:
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        text = file.read()
except (OSError, UnicodeDecodeError) as error:
    sys.exit(f"{sys.argv[1]}: expected a text in UTF-8: {error}")
batches = len(text) // (ROWS * STEPS)
if batches < 2:
    sys.exit(f"{sys.argv[1]}: expected at least {2 * ROWS * STEPS} characters, found {len(text)}")
length, learnt = batches * STEPS, int(batches * LEARNT) * STEPS
streams = [text[row * length : (row + 1) * length] for row in range(ROWS)]
os.makedirs(sys.argv[2], exist_ok=True)
for name, part in ("train", slice(learnt)), ("valid", slice(learnt, None)):
    with open(os.path.join(sys.argv[2], name + ".txt"), "w", encoding="utf-8", newline="") as file:
        file.write("".join(stream[part] for stream in streams))
