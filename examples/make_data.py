#!/usr/bin/env python3
"""Writes the made-up data of the examples: sums.csv, line.csv, branches.csv. Run in this folder; the seed makes it repeatable."""
import csv
import random


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


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


write("sums.csv", ["x1", "x2", "x3", "x4", "x5", "label"], sums(250, random.Random(2024)))
write("sums_test.csv", ["x1", "x2", "x3", "x4", "x5", "label"], sums(200, random.Random(4202)))
write("line.csv", ["a", "b", "y"], line(400, random.Random(7)))
write("branches.csv", ["left_x", "left_y", "right_x", "right_y", "farther", "apart"], branches(600, random.Random(11)))
