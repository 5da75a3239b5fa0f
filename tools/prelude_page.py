#!/usr/bin/env python3
"""Writes docs/prelude.md from the comments and signatures of frontend/prelude/*.tarn.

With --check it writes nothing, and ends with status 1 where the page is not what it would write.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "prelude.md"
PRELUDE = ROOT / "frontend" / "prelude"

# File, title: in the order of the page.
SECTIONS = [
    ("layers.tarn", "Layers"),
    ("layers_normalization.tarn", "Normalizing layers"),
    ("layers_noise.tarn", "Layers that draw"),
    ("layers_merging.tarn", "Merging layers"),
    ("activations.tarn", "Activations"),
    ("losses.tarn", "Losses"),
    ("metrics.tarn", "Metrics"),
    ("optimizers.tarn", "Optimizers"),
    ("schedules.tarn", "Schedules"),
    ("initializers.tarn", "Initializers"),
    ("regularizers.tarn", "Regularizers"),
    ("constraints.tarn", "Constraints"),
    ("tensors.tarn", "Functions of tensors"),
]

INTRODUCTION = """# The prelude

What every model file may use without an import: the comments and signatures of [`frontend/prelude/`](../frontend/prelude), where the
definitions themselves can be read. [`docs/language.md`](language.md) explains the language. This page is written by
`tools/prelude_page.py`; a test compares the two.
"""


def signature_of(lines, start):
    """The declaration that begins at a line, up to its body."""
    text = ""
    depth = 0
    for line in lines[start:]:
        for i, c in enumerate(line):
            depth += (c in "([") - (c in ")]")
            if depth == 0 and (c == "{" or (c == "=" and text.rstrip().endswith(")"))):
                return re.sub(r"\s+", " ", text).strip()
            text += c
        text += " "
    return re.sub(r"\s+", " ", text).strip()


def escaped(text):
    """Prose as Markdown that shows the same characters; names in backquotes stay code."""
    return re.sub(r"([\\*<>])", r"\\\1", text)


def section(path, title):
    lines = path.read_text(encoding="utf-8").splitlines()
    out = [f"## {title}", ""]
    comment = []
    is_header = True
    for i, line in enumerate(lines):
        if line.startswith("#"):
            comment.append(line[1:].strip())
            continue
        if re.match(r"(fn|layer|optimizer|metric|const) ", line):
            entry = f"`{signature_of(lines, i)}`"
            # Without a comment it is another name of the one above.
            out.append(f"- {entry}\\\n  {escaped(' '.join(comment))}" if comment else f"- {entry}")
        elif not line.strip() and comment and is_header:
            out += [escaped(" ".join(comment)), ""]
        comment = []
        is_header = False
    return "\n".join(out) + "\n"


def page():
    known = {name for name, _ in SECTIONS}
    unknown = sorted(p.name for p in PRELUDE.glob("*.tarn") if p.name not in known)
    if unknown:
        sys.exit(f"tools/prelude_page.py: no section for {', '.join(unknown)}")
    parts = [INTRODUCTION]
    parts += [section(PRELUDE / name, title) for name, title in SECTIONS if (PRELUDE / name).exists()]
    for name, title in (("keras1", "import keras1"), ("keras2", "import keras2"), ("keras_older", "import keras_older")):
        parts.append(section(PRELUDE / "modules" / f"{name}.tarn", f"`{title}`"))
    return "\n".join(parts).rstrip() + "\n"


def main():
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/prelude.md is out of date: run tools/prelude_page.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
