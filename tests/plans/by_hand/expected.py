#!/usr/bin/env python3
"""Works out by NumPy what the plans of this folder give: runs the program in the head of each file, whose names are the
buffers of the plan, and compares what stands behind "gives" with the names there. With --write, writes it.

An element of a buffer of the state or of an input has a number that follows from where it stands: README.md.
"""
import re
import sys
from pathlib import Path

import numpy


def drawn(number, dtype, shape):
    count = int(numpy.prod(shape, dtype=int))
    mixed = 29 * numpy.arange(count) + 11 * number
    if dtype == "i32":
        values = mixed % 4
    elif dtype == "bool":
        values = mixed % 2
    else:
        values = (mixed % 31 - 15) / 16
    return values.reshape(shape).astype(float if dtype in ("f32", "f64") else int)


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def results_of(text):
    head = [line[4:] for line in text.splitlines() if line.startswith("#   ")]
    samples = int(re.search(r"max_batch (\d+)", text)[1])
    names = {**vars(numpy), "N": samples, "softmax": softmax, "sigmoid": lambda x: 1 / (1 + numpy.exp(-x))}
    buffers = re.findall(r"^  buffer (\w+): (\w+)\[([^\]]*)\] strides \[[^\]]*\] in (\w+)", text, re.M)
    for number, (name, dtype, axes, space) in enumerate(buffers):
        if space in ("state", "input", "constants"):
            shape = [samples if axis == "N" else int(axis) for axis in axes.split(",") if axis]
            names[name] = drawn(number, dtype, shape)
    exec("\n".join(head), names)
    wanted = re.findall(r'^  result \w+ "(\w+)"', text, re.M)
    return {name: numpy.asarray(names[name], float) for name in wanted}


def main():
    write = sys.argv[1:] == ["--write"]
    good = True
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        text = path.read_text()
        given, _, expected = text.partition("\ngives\n")
        found = results_of(given)
        if write:
            lines = []
            for name, values in found.items():
                line = f"{name} ="
                for number in (f" {value:.12g}" for value in values.ravel()):
                    if len(line) + len(number) > 118:
                        lines.append(line)
                        line = " "
                    line += number
                lines.append(line)
            path.write_text(given + "\ngives\n" + "\n".join(lines) + "\n")
            continue
        pairs = re.findall(r"(\w+) =([^=]*)(?=\n\w+ =|$)", expected)
        said = {name: numpy.array(rest.split(), float) for name, rest in pairs}
        same = said.keys() == found.keys() and all(
            numpy.allclose(said[name], found[name].ravel(), rtol=1e-10, atol=1e-10) for name in found)
        if not same:
            good = False
            print(f"{path.name}: its numbers are not those of its program", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
