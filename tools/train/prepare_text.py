"""Text for the bundled model: the King James Bible of Debian's `bible-kjv` and `bible-kjv-text`, as one plain file.

In: the two Debian packages, fetched with `apt-get download` and unpacked without being installed, or already installed.
Out: `.carry/text.txt`, chapters separated by a form feed; a chapter is its title line and then one verse a line.
The idea: the package's own reader decompresses its data file, so the text is exactly what Debian ships.

The translation of 1611 is in the public domain; both packages say so in their `copyright` file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("bible-kjv", "bible-kjv-text")
WHOLE_BOOK = "gen1:1-rev22:21"
VERSES = 31102
VERSE = re.compile(r"([1-3]?[A-Za-z]+)(\d+):(\d+) (.*)")
BOOKS = {
    "Ge": "Genesis", "Exo": "Exodus", "Lev": "Leviticus", "Num": "Numbers", "Deu": "Deuteronomy", "Josh": "Joshua",
    "Jdgs": "Judges", "Ruth": "Ruth", "1Sm": "1 Samuel", "2Sm": "2 Samuel", "1Ki": "1 Kings", "2Ki": "2 Kings",
    "1Chr": "1 Chronicles", "2Chr": "2 Chronicles", "Ezra": "Ezra", "Neh": "Nehemiah", "Est": "Esther", "Job": "Job",
    "Psa": "Psalm", "Prv": "Proverbs", "Eccl": "Ecclesiastes", "SSol": "Song of Solomon", "Isa": "Isaiah",
    "Jer": "Jeremiah", "Lam": "Lamentations", "Eze": "Ezekiel", "Dan": "Daniel", "Hos": "Hosea", "Joel": "Joel",
    "Amos": "Amos", "Obad": "Obadiah", "Jonah": "Jonah", "Mic": "Micah", "Nahum": "Nahum", "Hab": "Habakkuk",
    "Zep": "Zephaniah", "Hag": "Haggai", "Zec": "Zechariah", "Mal": "Malachi", "Mat": "Matthew", "Mark": "Mark",
    "Luke": "Luke", "John": "John", "Acts": "Acts", "Rom": "Romans", "1Cor": "1 Corinthians", "2Cor": "2 Corinthians",
    "Gal": "Galatians", "Eph": "Ephesians", "Phi": "Philippians", "Col": "Colossians", "1Th": "1 Thessalonians",
    "2Th": "2 Thessalonians", "1Tim": "1 Timothy", "2Tim": "2 Timothy", "Titus": "Titus", "Phmn": "Philemon",
    "Heb": "Hebrews", "Jas": "James", "1Pet": "1 Peter", "2Pet": "2 Peter", "1Jn": "1 John", "2Jn": "2 John",
    "3Jn": "3 John", "Jude": "Jude", "Rev": "Revelation",
}  # fmt: skip


def read_verses() -> str:
    """All verses, one a line, each with its reference, e.g. `Ge1:1 In the beginning ...`."""
    installed = shutil.which("bible")
    if installed and Path("/usr/lib/bible.data").exists():
        return run_reader(installed, "/usr/lib")
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), scratch], check=True)
        return run_reader(f"{scratch}/usr/bin/bible", f"{scratch}/usr/lib")


def run_reader(program: str, data_folder: str) -> str:
    # -f: no pretty-printing, one whole verse a line.
    command = [program, "-p", data_folder, "-f", WHOLE_BOOK]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=True, capture_output=True, text=True).stdout


def to_chapters(verses: str) -> list[str]:
    """Chapters in the order of the book; verse numbers are dropped, so a model spends nothing on them."""
    lines = verses.splitlines()
    if len(lines) != VERSES:
        raise SystemExit(f"prepare_text: the reader printed {len(lines)} verses, want {VERSES}")
    chapters: dict[str, list[str]] = {}
    for line in lines:
        match = VERSE.fullmatch(line)
        if match is None or match[1] not in BOOKS:
            raise SystemExit(f"prepare_text: not a verse: {line!r}")
        chapters.setdefault(f"{BOOKS[match[1]]} {match[2]}", []).append(match[4].strip())
    return ["\n".join([title, *body]) + "\n" for title, body in chapters.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(".carry/text.txt"))
    out: Path = parser.parse_args().out
    text = "\f".join(to_chapters(read_verses()))
    out.parent.mkdir(parents=True, exist_ok=True)
    (out.parent / ".gitignore").write_text("*\n")
    partial = out.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, out)
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(f"{out}: {len(text.encode())} bytes, {text.count(chr(12)) + 1} chapters, sha256 {digest}", file=sys.stderr)


if __name__ == "__main__":
    main()
