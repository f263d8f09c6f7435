"""Runs the driver tests and the driver questions on whatever libcuda.so.1 the loader finds, and compares the answers.

    python3 on_gpu.py run build/simulator/tests/driver --out h100.json       on a machine with a GPU
    python3 on_gpu.py compare build/simulator/tests/driver h100.json         on the simulator, card h200

Both take the folder with sim_driver_api and questions/driver_questions. `run` runs each test case, and each group of
questions, in a process of its own, so that the crash of one shows as one. It writes a JSON object: the GPU, the driver,
the test cases with what failed in each, and the answers, question by question. `compare` asks the simulator the same
questions. Exit code 1: a test case failed, or an answer differs that EXCEPTIONS does not name.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from answers import EXCEPTIONS, SIMULATOR_ALONE

SECONDS = 30
WORKERS = max(1, min(8, (os.cpu_count() or 1) - 1))


def run(command: list[str]) -> tuple[int, str, str]:
    """Exit code and output; a signal's code is negative, -1 is also that of what did not end in time."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as e:
        out = e.stdout.decode(errors="replace") if isinstance(e.stdout, bytes) else e.stdout or ""
        return -1, out, f"did not end in {SECONDS} s"
    except OSError as e:
        return -1, "", str(e)
    return done.returncode, done.stdout, done.stderr


def run_case(program: str, name: str) -> dict[str, object]:
    """One doctest case: what failed, as doctest tells it."""
    code, out, err = run([program, "--no-colors", "--test-case=" + name.replace(",", "?")])
    row: dict[str, object] = {"case": name, "code": code}
    if code != 0:
        text = re.sub(r"^\[doctest\].*\n|^=+\n|^TEST CASE:.*\n", "", out, flags=re.M)
        row["failed"] = [line for line in (text + err).splitlines() if line.strip()][:60]
    return row


def run_cases(folder: Path) -> list[dict[str, object]]:
    program = str(folder / "sim_driver_api")
    code, listing, err = run([program, "--no-colors", "--list-test-cases"])
    if code != 0:
        sys.exit(f"{program} --list-test-cases: {err}")
    names = [line for line in listing.splitlines() if line and not line.startswith(("[doctest]", "==="))]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda name: run_case(program, name), (n for n in names if n not in SIMULATOR_ALONE)))


def ask_group(program: str, group: str) -> dict[str, str]:
    """Answers by question; a group that did not come to its end tells so as the answer to its name."""
    code, out, err = run([program, group])
    answers: dict[str, str] = {}
    for line in out.splitlines():
        question, _, answer = line.partition("\t")
        if question in answers:
            sys.exit(f"{group}: asks twice: {question}")
        answers[question] = answer
    if code == -11 or code == -6:
        answers[f"({group})"] = "crashed"
    elif code != 0:
        answers[f"({group})"] = f"exit code {code}: {err.strip()[-200:]}"
    return answers


def ask(folder: Path) -> dict[str, dict[str, str]]:
    program = str(folder / "questions" / "driver_questions")
    code, listing, err = run([program, "list"])
    if code != 0:
        sys.exit(f"{program} list: {err}")
    groups = listing.splitlines()
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(groups, pool.map(lambda group: ask_group(program, group), groups), strict=True))


def run_all(args: argparse.Namespace) -> int:
    cases = run_cases(args.folder)
    _, gpus, _ = run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    answers = ask(args.folder)
    record = {"gpu": gpus.strip(), "date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "cases": cases, "answers": answers}
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    failed = [row for row in cases if row["code"] != 0]
    for row in failed:
        print(f"FAILED ({row['code']}): {row['case']}", *row["failed"], sep="\n    ")
    print(f"{len(cases)} cases, {len(failed)} failed; {sum(map(len, answers.values()))} answers")
    return 1 if failed else 0


def differences(want: dict[str, dict[str, str]], got: dict[str, dict[str, str]]) -> list[str]:
    """What the simulator answers otherwise, but for exceptions; and exceptions that are none."""
    wrong = []
    for group, answers in want.items():
        for question, answer in answers.items():
            if answer == "crashed":  # any answer is better
                continue
            told = got.get(group, {}).get(question, "no answer")
            reason = next((why for pattern, why in EXCEPTIONS.items() if re.fullmatch(pattern, question)), None)
            if told != answer and reason is None:
                wrong.append(f"{question}: {told}, want {answer}")
    for pattern in EXCEPTIONS:
        meant = [(g, q) for g, answers in want.items() for q in answers if re.fullmatch(pattern, q)]
        if all(got.get(g, {}).get(q) == want[g][q] for g, q in meant):
            wrong.append(f"the exception '{pattern}' is none")
    for group, answers in got.items():
        if f"({group})" not in want.get(group, {}):
            wrong += [f"{q}: not in the record" for q in answers if q not in want.get(group, {})]
    return wrong


def compare(args: argparse.Namespace) -> int:
    want = json.loads(args.record.read_text())["answers"]
    wrong = differences(want, ask(args.folder))
    print(*wrong, sep="\n")
    print(f"{sum(map(len, want.values()))} answers, {len(wrong)} differ, {len(EXCEPTIONS)} exceptions")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True)
    one = actions.add_parser("run", help="on a machine with a GPU")
    one.add_argument("folder", type=Path)
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(action=run_all)
    two = actions.add_parser("compare", help="the simulator's answers with a record")
    two.add_argument("folder", type=Path)
    two.add_argument("record", type=Path)
    two.set_defaults(action=compare)
    args = parser.parse_args()
    return args.action(args)


if __name__ == "__main__":
    sys.exit(main())
