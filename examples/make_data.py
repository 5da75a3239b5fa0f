#!/usr/bin/env python3
"""Writes the made-up data of the examples: sums.csv, line.csv, branches.csv, and the pairs of digits and the waves in
data/. Run in this folder; the seed makes it repeatable."""
import csv
import gzip
import io
import math
import random


def write(path, header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = text.getvalue().encode()
    if path.endswith(".gz"):
        data = gzip.compress(data, 9, mtime=0)
    with open(path, "wb") as file:
        file.write(data)


def number(x):
    return f"{x:.6f}"


def sums(count, draw):
    """Five uniform numbers; +1 where their sum exceeds 2.5, else -1."""
    for _ in range(count):
        x = [draw.random() for _ in range(5)]
        yield [number(v) for v in x] + [1 if sum(x) > 2.5 else -1]


def line(count, draw):
    """y = 3a + 2b for a and b in -5 ... 5."""
    for _ in range(count):
        a, b = draw.uniform(-5, 5), draw.uniform(-5, 5)
        yield [number(a), number(b), number(3 * a + 2 * b)]


def branches(count, draw):
    """Two points in the unit square; whether the left one is farther from the origin, and how far they are apart."""
    for _ in range(count):
        p, q = [draw.random(), draw.random()], [draw.random(), draw.random()]
        farther = 1 if p[0] ** 2 + p[1] ** 2 > q[0] ** 2 + q[1] ** 2 else 0
        apart = ((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) ** 0.5
        yield [number(v) for v in p + q] + [farther, number(apart)]


def waves(count, length, draw):
    """Two sines whose beat changes slowly, and noise of standard deviation 0.05."""
    for _ in range(count):
        a, b, phase = draw.uniform(0.2, 0.3), draw.uniform(0.35, 0.5), draw.uniform(0, 2 * math.pi)
        yield [
            f"{0.5 * math.sin(a * i + phase) + 0.5 * math.sin(b * i * (1 + i / 2000)) + draw.gauss(0, 0.05):.4f}"
            for i in range(length)
        ]


def pairs(count, digits, draw):
    """Two images of 64 pixels; whether they show the same digit, as every second pair does."""
    by_label = {}
    for digit in digits:
        by_label.setdefault(digit[64], []).append(digit)
    for i in range(count):
        first = draw.choice(digits)
        others = [d for d in digits if d[64] != first[64]]
        second = draw.choice(by_label[first[64]] if i % 2 == 0 else others)
        yield first[:64] + second[:64] + [1 if i % 2 == 0 else 0]


write("sums.csv", ["x1", "x2", "x3", "x4", "x5", "label"], sums(250, random.Random(2024)))
write("sums_test.csv", ["x1", "x2", "x3", "x4", "x5", "label"], sums(200, random.Random(4202)))
write("line.csv", ["a", "b", "y"], line(400, random.Random(7)))
write("branches.csv", ["left_x", "left_y", "right_x", "right_y", "farther", "apart"], branches(600, random.Random(11)))

with gzip.open("data/digits.csv.gz", "rt") as file:
    images = [[int(v) for v in row] for row in csv.reader(file)]
pixels = [f"{side}{i}" for side in ("left", "right") for i in range(64)]
write("data/digit_pairs.csv.gz", pixels + ["same"], pairs(1600, images[:1200], random.Random(5)))
write("data/digit_pairs_test.csv.gz", pixels + ["same"], pairs(400, images[1200:], random.Random(6)))
write("data/waves.csv.gz", [f"s{i}" for i in range(129)], waves(320, 129, random.Random(13)))
